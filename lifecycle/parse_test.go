package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"twinbucket/fault"
	"twinbucket/lifecycle"
)

var exported = cmpopts.IgnoreUnexported(lifecycle.Set{})

// document returns a configuration of rules, each without its <Rule>.
func document(rules ...string) string {
	return "<LifecycleConfiguration><Rule>" + strings.Join(rules, "</Rule><Rule>") + "</Rule></LifecycleConfiguration>"
}

func parse(t testing.TB, text string) *lifecycle.Set {
	t.Helper()
	s, err := lifecycle.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v (hint %q)\n%s", err, fault.HintOf(err), text)
	}
	return s
}

const (
	on      = "<Status>Enabled</Status>"
	all     = "<Filter/>" + on
	expires = "<Expiration><Days>1</Days></Expiration>"
	toIA    = "<Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"
)

// TestErrors has AWS's codes and texts, from the S3 API Reference and from
// answers of S3 that others quote.
func TestErrors(t *testing.T) {
	t.Parallel()
	const malformed = "MalformedXML: The XML you provided was not well-formed or did not validate against our published schema"
	long := strings.Repeat("x", 256)
	filter := func(f string) string { return document("<Filter>" + f + "</Filter>" + on + expires) }
	action := func(a string) string { return document(all + a) }
	for _, tt := range []struct{ name, text, want string }{
		{"no XML", "Expiration", malformed},
		{"empty", "", malformed},
		{"other root", "<Lifecycle/>", malformed},
		{"no rules", "<LifecycleConfiguration/>", malformed},
		{"1,001 rules", "<LifecycleConfiguration>" + strings.Repeat("<Rule>"+all+expires+"</Rule>", 1001) + "</LifecycleConfiguration>", malformed},
		{"unknown element", document(all + expires + "<Nonsense/>"), malformed},
		{"two Status", document(all + on + expires), malformed},
		{"no Status", document("<Filter/>" + expires), malformed},
		{"Status enabled", document("<Filter/><Status>enabled</Status>" + expires), malformed},
		{"neither Filter nor Prefix", document(on + expires), malformed},
		{"Filter after Prefix", document("<Prefix>a</Prefix>"+on+expires, all+expires), "InvalidRequest: Filter element can only be used in Lifecycle V2."},
		{"Prefix after Filter", document(all+expires, "<Prefix>a</Prefix>"+on+expires), "InvalidRequest: Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."},
		{"Prefix and Filter", document("<Prefix>a</Prefix>" + all + expires), "InvalidRequest: Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."},
		{"Newer in V1", document("<Prefix/>" + on + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), "InvalidRequest: NewerNoncurrentVersions element can only be used in Lifecycle V2."},
		{"no action", document(all), "InvalidRequest: At least one action needs to be specified in a rule"},
		{"long ID", document("<ID>" + long + "</ID>" + all + expires), "InvalidArgument: ID length should not exceed allowed limit of 255"},
		{"same ID", document("<ID>a</ID>"+all+expires, "<ID>a</ID>"+all+expires), "InvalidArgument: Rule ID must be unique. Found same ID for more than one rule"},
		{"overlap", document("<Prefix>a</Prefix>"+on+expires, "<Prefix/>"+on+expires), "InvalidRequest: Found overlapping prefixes '' and 'a' for same action type 'Expiration'"},

		{"two conditions", filter("<Prefix>a</Prefix><Tag><Key>k</Key><Value/></Tag>"), malformed},
		{"And of one", filter("<And><Prefix>a</Prefix></And>"), malformed},
		{"And and Prefix", filter("<Prefix/><And><Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></And>"), malformed},
		{"tag without value", filter("<Tag><Key>k</Key></Tag>"), malformed},
		{"tag without key", filter("<Tag><Key/><Value>v</Value></Tag>"), "InvalidTag: The TagKey you have provided is invalid"},
		{"long value", filter("<Tag><Key>k</Key><Value>" + long + "x</Value></Tag>"), "InvalidTag: The TagValue you have provided is invalid"},
		{"same tag", filter("<And><Tag><Key>k</Key><Value>1</Value></Tag><Tag><Key>k</Key><Value>2</Value></Tag></And>"), "InvalidRequest: Duplicate Tag Keys are not allowed."},
		{"long prefix", filter("<Prefix>" + strings.Repeat("p", 1025) + "</Prefix>"), "InvalidRequest: The maximum size of a prefix is 1024."},
		{"size no number", filter("<ObjectSizeLessThan>x</ObjectSizeLessThan>"), malformed},
		{"less than 0", filter("<ObjectSizeLessThan>0</ObjectSizeLessThan>"), "InvalidRequest: 'ObjectSizeLessThan' should be between 1 and 1099511627776000."},
		{"greater than -1", filter("<ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan>"), "InvalidRequest: 'ObjectSizeGreaterThan' should be between 0 and 1099511627776000."},
		{"no size between", filter("<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And>"), "InvalidRequest: 'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."},

		{"empty Expiration", action("<Expiration/>"), malformed},
		{"Days and Date", action("<Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>"), malformed},
		{"Days and marker", action("<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"), malformed},
		{"0 days", action("<Expiration><Days>0</Days></Expiration>"), "InvalidArgument: 'Days' for Expiration action must be a positive integer"},
		{"too many days", action("<Expiration><Days>2147483648</Days></Expiration>"), malformed},
		{"half a day", action("<Expiration><Days>0.5</Days></Expiration>"), malformed},
		{"not at midnight", action("<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>"), "InvalidArgument: 'Date' must be at midnight GMT"},
		{"midnight elsewhere", action("<Expiration><Date>2030-01-01T00:00:00+01:00</Date></Expiration>"), "InvalidArgument: 'Date' must be at midnight GMT"},
		{"no date", action("<Expiration><Date>Fri, 01 Jan 2016 00:00:00 GMT</Date></Expiration>"), malformed},
		{"marker maybe", action("<Expiration><ExpiredObjectDeleteMarker>maybe</ExpiredObjectDeleteMarker></Expiration>"), malformed},
		{"marker with tag", document("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" + on + "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"), "InvalidRequest: ExpiredObjectDeleteMarker cannot be specified with Tags."},
		{"marker with size", document("<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>" + on + "<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>"), "InvalidRequest: ExpiredObjectDeleteMarker cannot be specified with Object Size."},
		{"empty noncurrent", action("<NoncurrentVersionExpiration/>"), malformed},
		{"noncurrent 0", action("<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"), "InvalidArgument: 'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer"},
		{"newer 0", action("<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>0</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), "InvalidArgument: 'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer"},
		{"abort never", action("<AbortIncompleteMultipartUpload/>"), malformed},
		{"abort 0", action("<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), "InvalidArgument: 'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"},
		{"abort with tag", document("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" + on + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), "InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Tags."},
		{"abort with size", document("<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>" + on + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), "InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Object Size."},

		{"transition never", action("<Transition><StorageClass>GLACIER</StorageClass></Transition>"), malformed},
		{"transition nowhere", action("<Transition><Days>1</Days></Transition>"), malformed},
		{"transition to STANDARD", action("<Transition><Days>1</Days><StorageClass>STANDARD</StorageClass></Transition>"), malformed},
		{"transition -1", action("<Transition><Days>-1</Days><StorageClass>GLACIER</StorageClass></Transition>"), "InvalidArgument: 'Days' in Transition action must be nonnegative"},
		{"IA at 29", action("<Transition><Days>29</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"), "InvalidArgument: 'Days' in Transition action must be greater than or equal to 30 for storageClass 'STANDARD_IA'"},
		{"class twice", action(toIA + toIA), "InvalidRequest: 'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter '(prefix=)'"},
		{"class twice, V1", document("<Prefix>p</Prefix>" + on + toIA + toIA), "InvalidRequest: 'StorageClass' must be different for 'Transition' actions in same 'Rule' with prefix 'p'"},
		{"colder sooner", action(toIA + "<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>"), "InvalidArgument: 'Days' in the Transition action for StorageClass 'GLACIER' for filter '(prefix=)' must be greater than 'Days' in the Transition action for StorageClass 'STANDARD_IA' for filter '(prefix=)'"},
		{"mixed", action(toIA + "<Transition><Date>2030-01-01</Date><StorageClass>GLACIER</StorageClass></Transition>"), "InvalidRequest: Found mixed 'Date' and 'Days' based Transition actions in lifecycle rule for filter '(prefix=)'"},
		{"mixed with expiration", action(toIA + "<Expiration><Date>2030-01-01</Date></Expiration>"), "InvalidRequest: Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter '(prefix=)'"},
		{"expired before", document("<Filter><And><Prefix>a/</Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>" + on + toIA + "<Expiration><Days>30</Days></Expiration>"), "InvalidArgument: 'Days' in the Expiration action for filter '(prefix=a/ and objectsizelessthan=9)' must be greater than 'Days' in the Transition action"},
		{"noncurrent expired before", action("<NoncurrentVersionTransition><NoncurrentDays>9</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition><NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>"), "InvalidArgument: 'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '(prefix=)' must be greater than 'NoncurrentDays' in the NoncurrentVersionTransition action"},
		{"noncurrent IA", action("<NoncurrentVersionTransition><NoncurrentDays>9</NoncurrentDays><StorageClass>ONEZONE_IA</StorageClass></NoncurrentVersionTransition>"), "InvalidArgument: 'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to 30 for storageClass 'ONEZONE_IA'"},
	} {
		_, err := lifecycle.Parse([]byte(tt.text))
		if got := fault.CodeOf(err) + ": " + fault.MessageOf(err); got != tt.want || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestXML checks that Get gives back what was put.
func TestXML(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		document("<ID>a b</ID><Prefix>p/</Prefix>" + on + "<Expiration><Days>3650</Days></Expiration>"),
		document("<ID>a</ID><Filter/><Status>Disabled</Status><Transition><Days>0</Days><StorageClass>GLACIER_IR</StorageClass></Transition>"),
		document("<ID>a</ID><Filter><Prefix></Prefix></Filter>" + on + "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"),
		document("<ID>a</ID><Filter><Tag><Key>k&amp;</Key><Value></Value></Tag></Filter>" + on + "<Expiration><Days>1</Days></Expiration>"),
		document("<ID>a</ID><Filter><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></Filter>" + on + "<Expiration><Days>1</Days></Expiration>"),
		document("<ID>a</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>"+on+"<NoncurrentVersionExpiration><NewerNoncurrentVersions>3</NewerNoncurrentVersions><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>",
			"<ID>b</ID><Filter/>"+on+toIA+"<Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>"+
				"<NoncurrentVersionTransition><NewerNoncurrentVersions>2</NewerNoncurrentVersions><NoncurrentDays>0</NoncurrentDays><StorageClass>DEEP_ARCHIVE</StorageClass></NoncurrentVersionTransition>"+
				"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
		document("<ID>x</ID><Prefix>a</Prefix>"+on+expires, "<ID>y</ID><Prefix>a</Prefix>"+on+toIA, "<ID>z</ID><Prefix>b</Prefix>"+on+expires),
	} {
		got := string(parse(t, text).XML())
		_, body, _ := strings.Cut(got, "?>\n")
		body = strings.Replace(body, ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`, "", 1)
		if diff := cmp.Diff(text, body); diff != "" {
			t.Errorf("(-put +got)\n%s", diff)
		}
	}
}

func TestElementsMayComeInAnyOrderAndForm(t *testing.T) {
	t.Parallel()
	a := parse(t, document("<ID>a</ID><Filter/>"+on+"<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"))
	for _, date := range []string{"2030-01-01", "2030-01-01T00:00:00", "2029-12-31T23:00:00-01:00", " 2030-01-01T00:00:00Z\n"} {
		b := parse(t, `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule> <Expiration><Date>`+date+`</Date></Expiration>`+on+`<Filter></Filter><ID>a</ID></Rule></LifecycleConfiguration>`)
		if diff := cmp.Diff(a, b, exported); diff != "" {
			t.Errorf("%s:\n%s", date, diff)
		}
	}
	if !a.Rules[0].Expiration.Date.Equal(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error(a.Rules[0].Expiration.Date)
	}
}

func TestGeneratedIDs(t *testing.T) {
	t.Parallel()
	text := document(all+expires, all+expires, "<ID></ID>"+all+toIA)
	s := parse(t, text)
	ids := map[string]bool{}
	for _, r := range s.Rules {
		if len(r.ID) != 48 {
			t.Errorf("ID %q: want 48 characters", r.ID)
		}
		ids[r.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("IDs %v: want three", ids)
	}
	if diff := cmp.Diff(s, parse(t, text), exported); diff != "" {
		t.Errorf("the same document got other IDs:\n%s", diff)
	}
	if diff := cmp.Diff(s, parse(t, string(s.XML())), exported); diff != "" {
		t.Errorf("read back:\n%s", diff)
	}
}

func TestMinimumSize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]lifecycle.MinimumSize{"": lifecycle.AllClasses, "all_storage_classes_128K": lifecycle.AllClasses, "varies_by_storage_class": lifecycle.ByClass} {
		if got, err := lifecycle.ParseMinimumSize(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := lifecycle.ParseMinimumSize("value"); fault.MessageOf(err) != "Invalid TransitionDefaultMinimumObjectSize found: value" {
		t.Error(err)
	}
}

// FuzzParse checks that whatever is read is written so that it reads the same.
func FuzzParse(f *testing.F) {
	f.Add(document(all + expires))
	f.Add(document("<Prefix>p</Prefix>" + on + toIA))
	f.Add(document("<Filter><And><Prefix/><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>" + on + "<Expiration><Date>2030-01-01</Date></Expiration>"))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := lifecycle.Parse([]byte(text))
		if err != nil {
			if fault.CodeOf(err) == "" {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		again, err := lifecycle.Parse(s.XML())
		if err != nil {
			t.Fatalf("%v\n%s", err, s.XML())
		}
		if diff := cmp.Diff(s, again, exported); diff != "" {
			t.Error(diff)
		}
	})
}
