package corpus

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
	"twinbucket/rule"
)

// TestRule runs rule/*.txtar. The comment of each archive says what the case
// is about and ends in a line "source: ...". Its files:
//
//	config.xml   the configuration
//	buckets      "name account versioning" lines, the source first: Set.Check is asked too
//	error        "Code: text" that Parse or Check must answer
//	unsupported  "Code: text" that Unsupported must answer
//	live         "version -> bucket(rule) ..." lines for Select
//	existing     the same for SelectExisting
//	get.xml      what XML must give, white space between elements aside
//
// A version is a key and any of marker, lifecycle, kms, status=S, class=C, tag:key=value.
func TestRule(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("rule/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 40 {
		t.Fatalf("%d cases, want 40 or more", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(archive.Comment), "\nsource: ") {
				t.Error("the case does not name its source")
			}
			runRule(t, archive)
		})
	}
}

func runRule(t *testing.T, archive *txtar.Archive) {
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	set, err := rule.Parse([]byte(files["config.xml"]))
	if buckets := files["buckets"]; err == nil && buckets != "" {
		source, lookup := ruleBuckets(t, buckets)
		err = set.Check(source, lookup)
	}
	if want := strings.TrimSpace(files["error"]); errorLine(err) != want {
		t.Fatalf("error\n got %s\nwant %s\n(%v, hint %q)", errorLine(err), want, err, fault.HintOf(err))
	}
	if err != nil {
		return
	}
	if got, want := errorLine(set.Unsupported()), strings.TrimSpace(files["unsupported"]); got != want {
		t.Errorf("unsupported\n got %s\nwant %s", got, want)
	}
	compareChoices(t, "live", files["live"], set.Select)
	compareChoices(t, "existing", files["existing"], set.SelectExisting)
	if want, ok := files["get.xml"]; ok {
		lines := strings.Split(want, "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		_, body, _ := strings.Cut(string(set.XML()), "?>\n")
		if diff := cmp.Diff(strings.Join(lines, ""), body); diff != "" {
			t.Errorf("XML (-want +got)\n%s", diff)
		}
	}
}

func errorLine(err error) string {
	if err == nil {
		return ""
	}
	return fault.CodeOf(err) + ": " + fault.MessageOf(err)
}

func ruleBuckets(t *testing.T, text string) (*bucket.Bucket, func(string) (*bucket.Bucket, bool)) {
	var source *bucket.Bucket
	all := map[string]*bucket.Bucket{}
	for line := range strings.Lines(text) {
		f := append(strings.Fields(line), "")
		if len(f) < 3 {
			t.Fatalf("bucket line %q", line)
		}
		b := &bucket.Bucket{Name: f[0], Owner: f[1], Versioning: bucket.Versioning(f[2])}
		all[b.Name] = b
		if source == nil {
			source = b
		}
	}
	return source, func(name string) (*bucket.Bucket, bool) {
		b, ok := all[name]
		return b, ok
	}
}

func compareChoices(t *testing.T, what, text string, choose func(*object.Version) []rule.Choice) {
	for line := range strings.Lines(text) {
		version, want, ok := strings.Cut(line, "->")
		if !ok {
			t.Fatalf("%s line %q has no arrow", what, line)
		}
		var got []string
		for _, c := range choose(ruleVersion(t, version)) {
			got = append(got, fmt.Sprintf("%s(%s)", c.Destination, c.Rule.ID))
		}
		if diff := cmp.Diff(strings.Fields(want), append([]string{}, got...)); diff != "" {
			t.Errorf("%s %s (-want +got)\n%s", what, version, diff)
		}
	}
}

func ruleVersion(t *testing.T, text string) *object.Version {
	fields := strings.Fields(text)
	v := &object.Version{Key: fields[0]}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		switch {
		case name == "marker":
			v.Marker = true
		case name == "lifecycle":
			v.ByLifecycle = true
		case name == "kms":
			v.Encryption.Algorithm = object.KMS
		case name == "status":
			v.Status = object.Status(value)
		case name == "class":
			v.Class = value
		case strings.HasPrefix(name, "tag:"):
			v.Tags = append(v.Tags, object.Tag{Key: strings.TrimPrefix(name, "tag:"), Value: value})
		default:
			t.Fatalf("version %q: what is %q?", text, f)
		}
	}
	return v
}
