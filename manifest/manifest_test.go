package manifest_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/fault"
	"twinbucket/manifest"
)

var versioned = []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID}

func readAll(in io.Reader, columns []manifest.Field, bucket string) ([]manifest.Entry, error) {
	r, err := manifest.NewReader(in, columns, bucket)
	if err != nil {
		return nil, err
	}
	var all []manifest.Entry
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	type entry = manifest.Entry
	for name, c := range map[string]struct {
		columns []manifest.Field
		in      string
		want    []entry
	}{
		"the guide's example": {versioned, "src,tax/a%20b.txt,PZ9ibn\nsrc,tax/c.txt,null\n", []entry{
			{Bucket: "src", Key: "tax/a b.txt", VersionID: "PZ9ibn", Row: 1},
			{Bucket: "src", Key: "tax/c.txt", VersionID: "null", Row: 2},
		}},
		"quoted":         {versioned, `"src","a","1"` + "\r\n" + `src,"b",2`, []entry{{Bucket: "src", Key: "a", VersionID: "1", Row: 1}, {Bucket: "src", Key: "b", VersionID: "2", Row: 2}}},
		"comma in quote": {versioned, `"src","a,""b""","1"`, []entry{{Bucket: "src", Key: `a,"b"`, VersionID: "1", Row: 1}}},
		"no versions":    {versioned[:2], "src,a\n\nsrc,b", []entry{{Bucket: "src", Key: "a", Row: 1}, {Bucket: "src", Key: "b", Row: 3}}},
		"other columns": {
			[]manifest.Field{manifest.Ignore, manifest.Key, manifest.Ignore, manifest.Bucket},
			`x,a,"y,z",src`,
			[]entry{{Bucket: "src", Key: "a", Row: 1}},
		},
		"encodings": {versioned[:2], "src,a+b\nsrc,a%2Bb\nsrc,%e2%82%ac\nsrc,a%25", []entry{
			{Bucket: "src", Key: "a b", Row: 1},
			{Bucket: "src", Key: "a+b", Row: 2},
			{Bucket: "src", Key: "€", Row: 3},
			{Bucket: "src", Key: "a%", Row: 4},
		}},
		"duplicates":      {versioned, "src,a,1\nsrc,a,1\n", []entry{{Bucket: "src", Key: "a", VersionID: "1", Row: 1}, {Bucket: "src", Key: "a", VersionID: "1", Row: 2}}},
		"missing version": {versioned, "src,a,\n", []entry{{Bucket: "src", Key: "a", Row: 1, Problem: manifest.MissingVersion()}}},
		"empty":           {versioned, "", nil},
	} {
		got, err := readAll(iotest.OneByteReader(strings.NewReader(c.in)), c.columns, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want, hint string }{
		"columns":       {"src,a,1\nsrc,b\n", "Manifest file is not properly formatted", "row 2 has 2 columns and not 3"},
		"other bucket":  {"src,a,1\ndst,b,2\n", "Invalid Manifest Content", `row 2 names the bucket "dst"; all rows name the source bucket "src"`},
		"no bucket":     {",a,1\n", "Invalid Manifest Content", "row 1"},
		"header":        {"Bucket,Key,VersionId\nsrc,a,1\n", "Invalid Manifest Content", "a manifest has no header"},
		"bad escape":    {"src,a%2,1\n", "Invalid object key format", "row 1"},
		"no key":        {"src,,1\n", "Invalid object key format", "row 1"},
		"not UTF-8":     {"src,%ff,1\n", "Invalid object key format", "row 1"},
		"long key":      {"src," + strings.Repeat("k", 1025) + ",1\n", "Invalid object key format", "row 1"},
		"version":       {"src,a,1 2\n", "Invalid version ID format", "row 1"},
		"open quote":    {`src,"a,1` + "\n", "Manifest file is not properly formatted", "row 1"},
		"stray quote":   {`src,"a"b,1` + "\n", "Manifest file is not properly formatted", "row 1"},
		"byte mark":     {"\ufeffsrc,a,1\n", "Manifest file is not properly formatted", "byte order mark"},
		"endless row":   {"src," + strings.Repeat("k", 1<<20), "Manifest file is not properly formatted", "row 1 is longer"},
		"gzip by error": {"\x1f\x8b\x08", "Manifest file is not properly formatted", "compressed"},
		"UTF-16":        {"\xff\xfes\x00r\x00c\x00", "Manifest file is not properly formatted", "UTF-16"},
	} {
		_, err := readAll(strings.NewReader(c.in), versioned, "")
		if fault.CodeOf(err) != "InvalidManifestContent" || fault.MessageOf(err) != c.want || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v (hint %q)", name, err, fault.HintOf(err))
		}
	}
	if _, err := readAll(strings.NewReader("src,a,1"), versioned, "other"); fault.MessageOf(err) != "Invalid Manifest Content" {
		t.Errorf("a manifest of another bucket than the source: %v", err)
	}
	if _, err := readAll(iotest.ErrReader(io.ErrUnexpectedEOF), versioned, ""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the reader's own error is lost: %v", err)
	}
}

func TestCheckFields(t *testing.T) {
	t.Parallel()
	for want, columns := range map[string][]manifest.Field{
		"Required fields are missing in the schema: Bucket, Key":    nil,
		"Required fields are missing in the schema: Key":            {manifest.Bucket, manifest.VersionID},
		"Invalid Manifest Content: the field Key is given twice":    {manifest.Bucket, manifest.Key, manifest.Key},
		"Invalid Manifest Content: unknown field Size":              {manifest.Bucket, manifest.Key, "Size"},
		"Invalid Manifest Content: the field Bucket is given twice": {manifest.Bucket, manifest.Bucket},
		"Invalid Manifest Content: too many fields":                 append([]manifest.Field{manifest.Bucket, manifest.Key}, slices.Repeat([]manifest.Field{manifest.Ignore}, 99)...),
	} {
		if err := manifest.CheckFields(columns); fault.MessageOf(err) != want {
			t.Errorf("%v: %v, want %s", columns, err, want)
		}
		if _, err := manifest.NewWriter(io.Discard, columns, false); err == nil {
			t.Errorf("%v: a writer was made", columns)
		}
	}
}

// TestManyColumns: a manifest.json may name more columns than are kept.
func TestManyColumns(t *testing.T) {
	t.Parallel()
	x := manifest.Index{FileSchema: "Bucket, Key" + strings.Repeat(",Size", 1<<20)}
	if n := len(x.Columns()); n > 200 {
		t.Errorf("%d columns", n)
	}
}

// TestRoundTrip writes entries with any legal key and reads them back.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		quoted := rapid.Bool().Draw(t, "quoted")
		keys := rapid.SliceOf(rapid.StringN(1, -1, 1024)).Draw(t, "keys")
		var b bytes.Buffer
		w, err := manifest.NewWriter(&b, versioned, quoted)
		if err != nil {
			t.Fatal(err)
		}
		var want []manifest.Entry
		for i, k := range keys {
			e := manifest.Entry{Bucket: "src", Key: k, VersionID: rapid.StringMatching(`[A-Za-z0-9._-]{1,32}`).Draw(t, "version"), Row: int64(i + 1)}
			want = append(want, e)
			if err := w.Write(&e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil || w.Rows() != int64(len(keys)) {
			t.Fatalf("%v, %d rows", err, w.Rows())
		}
		got, err := readAll(&b, versioned, "src")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read)\n%s", diff)
		}
	})
}

func TestEncodeKey(t *testing.T) {
	t.Parallel()
	const key = "a/b c+d%e*~_-.é\x01"
	const want = "a/b%20c%2Bd%25e%2A~_-.%C3%A9%01"
	if got := manifest.EncodeKey(key); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	files := []manifest.File{{Key: manifest.FileKey("m/", "5a1c", 0), Size: 12, MD5Checksum: "f0b3"}}
	x := manifest.NewIndex("src", "mf", time.UnixMilli(1514944800000), files)
	const want = `{
  "sourceBucket": "src",
  "destinationBucket": "arn:aws:s3:::mf",
  "version": "2021-11-30",
  "creationTimestamp": "1514944800000",
  "fileFormat": "CSV",
  "fileSchema": "Bucket, Key, VersionId",
  "files": [
    {
      "key": "m/job-5a1c/data/00000.csv",
      "size": 12,
      "MD5checksum": "f0b3"
    }
  ]
}
`
	if diff := cmp.Diff(want, string(x.JSON())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	back, err := manifest.ParseIndex(x.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x, back); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(manifest.GeneratedColumns(), back.Columns()); diff != "" {
		t.Errorf("columns (-want +got)\n%s", diff)
	}
	if got := manifest.IndexKey("", "5a1c"); got != "job-5a1c/manifest.json" {
		t.Errorf("key %s", got)
	}
	if got := string(manifest.NewIndex("src", "mf", time.Time{}, nil).JSON()); !strings.Contains(got, `"files": []`) {
		t.Errorf("no files: %s", got)
	}
}

// TestInventory reads the example of the User Guide's page on inventory
// manifests, and a row of such an inventory.
func TestInventory(t *testing.T) {
	t.Parallel()
	x, err := manifest.ParseIndex([]byte(`{"sourceBucket":"src","destinationBucket":"arn:aws:s3:::mf","version":"2016-11-30",
		"creationTimestamp":"1514944800000","fileFormat":"CSV",
		"fileSchema":"Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, ReplicationStatus",
		"files":[{"key":"Inventory/src/2016-11-06T21-32Z/files/939c.csv.gz","size":2147483647,"MD5checksum":"f11166069f1990abeb9c97ace9cdfabc"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const row = `"src","image%20one.jpg","wUo1","true","false","4096","2016-11-06T21:32:00.000Z","1f1e","STANDARD",""` + "\n"
	got, err := readAll(strings.NewReader(row), x.Columns(), x.SourceBucket)
	if err != nil {
		t.Fatal(err)
	}
	want := []manifest.Entry{{Bucket: "src", Key: "image one.jpg", VersionID: "wUo1", Row: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestIndexErrors(t *testing.T) {
	t.Parallel()
	good := string(manifest.NewIndex("src", "mf", time.UnixMilli(0), []manifest.File{{Key: "k"}}).JSON())
	for name, c := range map[string]struct{ old, new, want string }{
		"no JSON":     {good, "Bucket,Key", "InvalidManifestContent"},
		"format":      {`"CSV"`, `"XLS"`, "InvalidManifestContent"},
		"ORC":         {`"CSV"`, `"ORC"`, "NotImplemented"},
		"source":      {`"src"`, `""`, "InvalidManifestContent"},
		"source name": {`"src"`, `"My_Bucket"`, "InvalidManifestContent"},
		"destination": {`arn:aws:s3:::mf`, `mf`, "InvalidManifestContent"},
		"schema":      {`Bucket, Key, VersionId`, `Bucket, VersionId`, "InvalidManifestContent"},
		"file":        {`"k"`, `""`, "InvalidManifestContent"},
	} {
		if _, err := manifest.ParseIndex([]byte(strings.Replace(good, c.old, c.new, 1))); fault.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("src,a%20b,1\n\"src\",\"c\",\"\"\n")
	f.Add(`"a""`)
	f.Fuzz(func(t *testing.T, in string) {
		entries, err := readAll(strings.NewReader(in), versioned, "")
		if err != nil && fault.CodeOf(err) != "InvalidManifestContent" {
			t.Fatal(err)
		}
		for _, e := range entries {
			if key, err := manifest.DecodeKey(manifest.EncodeKey(e.Key)); err != nil || key != e.Key {
				t.Fatalf("key %q became %q, %v", e.Key, key, err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	row := "src,some/prefix/of%20a%20key.txt,0123456789abcdef0123456789abcdef\n"
	r, err := manifest.NewReader(&endless{row: row}, versioned, "src")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// endless repeats one row for ever.
type endless struct {
	row string
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.row[e.at:])
		n += c
		e.at = (e.at + c) % len(e.row)
	}
	return n, nil
}
