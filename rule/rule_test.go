package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"twinbucket/fault"
	"twinbucket/object"
	"twinbucket/rule"
)

const roleARN = "arn:aws:iam::111122223333:role/repl"

var exported = cmpopts.IgnoreUnexported(rule.Set{})

func document(rules ...string) string {
	return "<ReplicationConfiguration><Role>" + roleARN + "</Role>" + strings.Join(rules, "") + "</ReplicationConfiguration>"
}

func parse(t testing.TB, text string) *rule.Set {
	t.Helper()
	s, err := rule.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v (hint %q)", err, fault.HintOf(err))
	}
	return s
}

func TestGeneratedIDs(t *testing.T) {
	t.Parallel()
	const one = "<Rule><Prefix>a</Prefix><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::dst</Bucket></Destination></Rule>"
	two := strings.Replace(one, "<Prefix>a<", "<Prefix>b<", 1)
	s := parse(t, document(one, two))
	first, second := s.Rules[0].ID, s.Rules[1].ID
	if len(first) != 48 || first == second {
		t.Errorf("IDs %q and %q: want two of 48 characters", first, second)
	}
	again := parse(t, document(one, two))
	if again.Rules[0].ID != first {
		t.Error("the same document got another ID")
	}
	if got := s.ByID(second); got != &s.Rules[1] {
		t.Errorf("ByID(%q) = %v", second, got)
	}
	if s.ByID("none") != nil {
		t.Error("ByID found a rule that is not there")
	}
	taken := parse(t, document(strings.Replace(one, "<Prefix>a<", "<ID>"+second+"</ID><Prefix>a<", 1), two))
	if taken.Rules[1].ID == second {
		t.Error("a generated ID collides with a given one")
	}
}

func TestNewChecksShape(t *testing.T) {
	t.Parallel()
	key := "k"
	for name, spoil := range map[string]func(*rule.Rule){
		"status":        func(r *rule.Rule) { r.Status = "On" },
		"marker status": func(r *rule.Rule) { r.DeleteMarkerReplication = "On" },
		"class":         func(r *rule.Rule) { r.Destination.StorageClass = "COLD" },
		"filter":        func(r *rule.Rule) { r.Filter = &rule.Filter{Prefix: &key, Tag: &object.Tag{Key: "k"}} },
		"minutes":       func(r *rule.Rule) { r.Destination.Metrics = &rule.Timing{Status: rule.Enabled, Minutes: 3} },
	} {
		priority := 1
		r := rule.Rule{
			Status: rule.Enabled, Priority: &priority, Filter: &rule.Filter{}, DeleteMarkerReplication: rule.Disabled,
			Destination: rule.Destination{Bucket: "arn:aws:s3:::dst"},
		}
		if _, err := rule.New(roleARN, []rule.Rule{r}); err != nil {
			t.Fatal(err)
		}
		spoil(&r)
		if _, err := rule.New(roleARN, []rule.Rule{r}); fault.CodeOf(err) != "MalformedXML" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	good := "<Rule><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::dst</Bucket></Destination></Rule>"
	for name, text := range map[string]string{
		"empty":            "",
		"two roots":        document(good) + document(good),
		"text after":       document(good) + "x",
		"text inside":      document(good, "x"),
		"other root":       "<Rule/>",
		"cut off":          strings.TrimSuffix(document(good), ">"),
		"doctype":          "<!DOCTYPE x>" + document(good),
		"deep":             document(strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50)),
		"two roles":        document("<Role/>", good),
		"element in role":  strings.Replace(document(good), roleARN, "<b/>", 1),
		"no role":          strings.Replace(document(good), "<Role>"+roleARN+"</Role>", "", 1),
		"no destination":   document("<Rule><Status>Enabled</Status></Rule>"),
		"no bucket":        document("<Rule><Status>Enabled</Status><Destination/></Rule>"),
		"tag without key":  document(strings.Replace(good, "<Status>", "<Filter><Tag><Value>v</Value></Tag></Filter><Status>", 1)),
		"word as priority": document(strings.Replace(good, "<Status>", "<Priority>one</Priority><Status>", 1)),
		"owner":            document(strings.Replace(good, "</Bucket>", "</Bucket><AccessControlTranslation><Owner>Source</Owner></AccessControlTranslation>", 1)),
		"too large":        document(good, strings.Repeat(" ", rule.MaxSize)),
	} {
		_, err := rule.Parse([]byte(text))
		if fault.CodeOf(err) != "MalformedXML" || fault.HintOf(err) == "" {
			t.Errorf("%s: got %v, hint %q", name, err, fault.HintOf(err))
		}
	}
}

// TestRoundTrip writes and reads configurations made at random.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := rule.New(roleARN, drawRules(t))
		if err != nil {
			t.Fatal(err)
		}
		again, err := rule.Parse(s.XML())
		if err != nil {
			t.Fatalf("%v\n%s", err, s.XML())
		}
		if diff := cmp.Diff(s, again, exported); diff != "" {
			t.Fatalf("(-written +read)\n%s", diff)
		}
	})
}

// TestSelectAgainstOracle compares Select with the four steps of the User
// Guide, written out plainly.
func TestSelectAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := rule.New(roleARN, drawRules(t))
		if err != nil {
			t.Fatal(err)
		}
		v := &object.Version{
			Key:    rapid.StringMatching(`[ab/]{1,4}`).Draw(t, "key"),
			Marker: rapid.Bool().Draw(t, "marker"),
			Class:  rapid.SampledFrom([]string{"", "STANDARD_IA", "GLACIER"}).Draw(t, "class"),
			Status: rapid.SampledFrom([]object.Status{"", object.Replica, object.Failed}).Draw(t, "status"),
		}
		if !v.Marker {
			v.Tags = drawTags(t, 0)
			v.Encryption.Algorithm = rapid.SampledFrom([]string{"", object.AES256, object.KMS}).Draw(t, "encryption")
		}
		got := map[string]string{}
		for _, c := range s.Select(v) {
			got[c.Destination] = c.Rule.ID
		}
		if diff := cmp.Diff(oracle(s, v), got); diff != "" {
			t.Fatalf("%+v (-want +got)\n%s", v, diff)
		}
	})
}

func oracle(s *rule.Set, v *object.Version) map[string]string {
	out := map[string]string{}
	if v.Status == object.Replica || v.Class == "GLACIER" {
		return out
	}
	best := map[string]*rule.Rule{}
	for i := range s.Rules {
		r := &s.Rules[i]
		name := strings.TrimPrefix(r.Destination.Bucket, "arn:aws:s3:::")
		if r.Status == rule.Enabled && matches(r.Filter, v) && (best[name] == nil || *best[name].Priority < *r.Priority) {
			best[name] = r
		}
	}
	for name, r := range best {
		if v.Encryption.Algorithm == object.KMS && r.SseKmsEncryptedObjects != rule.Enabled {
			continue
		}
		if !v.Marker || r.DeleteMarkerReplication == rule.Enabled {
			out[name] = r.ID
		}
	}
	return out
}

func matches(f *rule.Filter, v *object.Version) bool {
	var tags []object.Tag
	prefix := f.Prefix
	if f.Tag != nil {
		tags = append(tags, *f.Tag)
	}
	if f.And != nil {
		tags, prefix = f.And.Tags, f.And.Prefix
	}
	if prefix != nil && !strings.HasPrefix(v.Key, *prefix) {
		return false
	}
	have := map[object.Tag]bool{}
	for _, t := range v.Tags {
		have[t] = true
	}
	for _, t := range tags {
		if !have[t] {
			return false
		}
	}
	return true
}

func drawTags(t *rapid.T, least int) []object.Tag {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"k", "l", "m"}), least, 3, rapid.ID[string]).Draw(t, "tags")
	var tags []object.Tag
	for _, k := range keys {
		tags = append(tags, object.Tag{Key: k, Value: rapid.SampledFrom([]string{"", "1", "<&>"}).Draw(t, "value")})
	}
	return tags
}

// drawRules returns V2 rules without conflicts.
func drawRules(t *rapid.T) []rule.Rule {
	status := rapid.SampledFrom([]rule.Status{rule.Enabled, rule.Enabled, rule.Disabled})
	prefixes := rapid.SampledFrom([]string{"", "a", "ab", "b/", " <&>\r\n\t "})
	var rules []rule.Rule
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		priority := i * 7 % 5 * 10
		r := rule.Rule{
			Status: status.Draw(t, "status"), Filter: &rule.Filter{}, Priority: &priority,
			DeleteMarkerReplication: status.Draw(t, "markers"),
			Destination: rule.Destination{
				Bucket:       fmt.Sprintf("arn:aws:s3:::dst-%d", rapid.IntRange(0, 1).Draw(t, "bucket")+i/5*2),
				StorageClass: rapid.SampledFrom([]string{"", "STANDARD_IA"}).Draw(t, "class"),
			},
		}
		if rapid.Bool().Draw(t, "override") {
			r.Destination.Account, r.Destination.OwnerOverride = "444455556666", true
		}
		prefix := prefixes.Draw(t, "prefix")
		switch rapid.IntRange(0, 3).Draw(t, "filter") {
		case 0:
			r.Filter.Prefix = &prefix
		case 1:
			tag := drawTags(t, 1)[0]
			r.Filter.Tag, r.DeleteMarkerReplication = &tag, rule.Disabled
		case 2:
			r.Filter.And, r.DeleteMarkerReplication = &rule.And{Prefix: &prefix, Tags: drawTags(t, 1)}, rule.Disabled
		}
		rules = append(rules, r)
	}
	return rules
}

func FuzzParse(f *testing.F) {
	rules := "<Rule><ID>a</ID><Priority>1</Priority><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>" +
		"<Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::dst</Bucket></Destination>" +
		"<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule>"
	f.Add([]byte(document(rules)))
	f.Add([]byte(document("<Rule><Prefix>&#13;</Prefix><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::dst</Bucket></Destination></Rule>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := rule.Parse(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) == "" {
				t.Fatalf("an error without kind or code: %#v", err)
			}
			return
		}
		again, err := rule.Parse(s.XML())
		if err != nil {
			t.Fatalf("%v\n%s", err, s.XML())
		}
		if diff := cmp.Diff(s, again, exported); diff != "" {
			t.Fatalf("(-first +again)\n%s", diff)
		}
		s.Select(&object.Version{Key: "p/1", Tags: []object.Tag{{Key: "k", Value: "v"}}})
	})
}

func manyRules(t testing.TB, n int) *rule.Set {
	t.Helper()
	rules := make([]rule.Rule, n)
	for i := range rules {
		priority, prefix := i, fmt.Sprintf("data/%04d/", i)
		rules[i] = rule.Rule{
			Status: rule.Enabled, Priority: &priority, Filter: &rule.Filter{Prefix: &prefix},
			DeleteMarkerReplication: rule.Disabled,
			Destination:             rule.Destination{Bucket: "arn:aws:s3:::dst"},
		}
	}
	s, err := rule.New(roleARN, rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelectAllocatesNothingWithoutMatch(t *testing.T) {
	s := manyRules(t, 100)
	miss := &object.Version{Key: "other/key"}
	if n := testing.AllocsPerRun(100, func() { s.Select(miss) }); n != 0 {
		t.Errorf("%v allocations without a match", n)
	}
	hit := &object.Version{Key: "data/0050/key"}
	if n := testing.AllocsPerRun(100, func() { s.Select(hit) }); n > 1 {
		t.Errorf("%v allocations with a match", n)
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		s := manyRules(b, n)
		b.Run(fmt.Sprintf("rules=%d/miss", n), func(b *testing.B) {
			b.ReportAllocs()
			v := &object.Version{Key: "data/other/key"}
			for b.Loop() {
				s.Select(v)
			}
		})
		b.Run(fmt.Sprintf("rules=%d/hit", n), func(b *testing.B) {
			b.ReportAllocs()
			v := &object.Version{Key: "data/0000/key"}
			for b.Loop() {
				s.Select(v)
			}
		})
	}
}
