package wire_test

//lint:file-ignore SA1008 request ids are sent in AWS's spelling, see Set

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/internal/wire"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	x := wire.NewDocument()
	x.OpenNS("A", "urn:x")
	x.Text("T", "a<b>&\"'\x01\n\uFFFE é")
	x.Optional("None", "")
	x.Int("N", -5)
	x.Bool("B", true)
	x.Time("D", time.Date(2024, 1, 2, 3, 4, 5, 6789012, time.FixedZone("x", 3600)))
	x.Quoted("E", "abc")
	x.Close("A")
	want := xml.Header + `<A xmlns="urn:x"><T>a&lt;b&gt;&amp;&quot;&#39;&#x1;&#xa;&#xfffe; é</T><N>-5</N><B>true</B><D>2024-01-02T02:04:05.006Z</D><E>&quot;abc&quot;</E></A>`
	if got := string(x.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w := httptest.NewRecorder()
	if err := x.Send(w, 201); err != nil {
		t.Fatal(err)
	}
	if w.Code != 201 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/xml" {
		t.Errorf("sent %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type doc struct{ V string }
	for _, c := range []struct{ in, want string }{
		{`<A><V>1</V></A>`, "1"},
		{`<?xml version="1.0" encoding="UTF-8"?><!-- c --><A xmlns="urn:y"><V>1</V></A>` + "\n", "1"},
		{``, "!"},
		{`text`, "!"},
		{`<B/>`, "!"},
		{`<A>`, "!"},
		{`<A/><A/>`, "!"},
		{`<A/>x`, "!"},
		{`x<A/>`, "!"},
		{"\ufeff<?xml version=\"1.0\"?>\n<A><V>1</V></A>", "1"},
		{"\xfe\xff\x00<\x00A\x00/\x00>", "!"},
		{"\xff\xfe<\x00A\x00/\x00>\x00", "!"},
		{`<!DOCTYPE A><A/>`, "!"},
		{`<!DOCTYPE A [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><A><V>&b;</V></A>`, "!"},
		{`<A/><!DOCTYPE A>`, "!"},
		{strings.Repeat("<A>", 20_000), "!"},
		{`<A><V>1</V>` + strings.Repeat("<B>", 20_000) + strings.Repeat("</B>", 20_000) + `</A>`, "1"},
		{`<A` + strings.Repeat(` a="1"`, 20_000) + `><V>1</V></A>`, "1"},
		{`<?xml version="1.0" encoding="latin1"?><A/>`, "!"},
		{`<A>&undefined;</A>`, "!"},
	} {
		var d doc
		err := wire.Decode([]byte(c.in), "A", &d)
		got := d.V
		if err != nil {
			got = "!"
			if fault.CodeOf(err) != "MalformedXML" || fault.HintOf(err) == "" {
				t.Errorf("%q: %v", c.in, err)
			}
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q (%v)", c.in, got, c.want, err)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	sum := md5.Sum([]byte("12345"))
	good := base64.StdEncoding.EncodeToString(sum[:])
	for _, c := range []struct{ body, md5, code string }{
		{"12345", "", ""},
		{"12345", good, ""},
		{"", "", ""},
		{"123456", "", "MaxMessageLengthExceeded"},
		{"1234", good, "BadDigest"},
		{"12345", "AAAA", "InvalidDigest"},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		if c.md5 != "" {
			r.Header.Set("Content-MD5", c.md5)
		}
		b, err := wire.Body(r, 5)
		if code := fault.CodeOf(err); code != c.code || (err == nil && string(b) != c.body) {
			t.Errorf("%q %q: %q, %v", c.body, c.md5, b, err)
		}
	}
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("1"), errorReader{io.ErrUnexpectedEOF}))
	if _, err := wire.Body(r, 5); fault.CodeOf(err) != "IncompleteBody" {
		t.Errorf("cut short: %v", err)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestMembers(t *testing.T) {
	t.Parallel()
	form := url.Values{"L.member.2": {"b"}, "L.member.1": {"a"}, "L.member.10": {"c"}, "Tags.1.Key": {"k"}, "Tags.1.Value": {"v"}, "L.x": {"?"}}
	if diff := cmp.Diff([]string{"a", "b", "c"}, wire.Members(form, "L")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]map[string]string{{"Key": "k", "Value": "v"}}, wire.Structs(form, "Tags")); diff != "" {
		t.Error(diff)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.NotFound, "NoSuchKey", "The specified key does not exist.").On("k").WithHint("look\nelsewhere")
	for _, c := range []struct {
		shape  wire.Shape
		ns     string
		method string
		want   string
	}{
		{wire.S3, "", "GET", "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>k</Key><Resource>/b/k</Resource><Hint>look&#xA;elsewhere</Hint><RequestId>"},
		{wire.Control, "", "GET", "<ErrorResponse><Error><Code>NoSuchKey</Code>"},
		{wire.Query, "urn:q", "GET", `<ErrorResponse xmlns="urn:q"><Error><Type>Sender</Type><Code>NoSuchKey</Code>`},
		{wire.S3, "", "HEAD", ""},
	} {
		w := httptest.NewRecorder()
		wire.WriteError(w, httptest.NewRequest(c.method, "/b/k", nil), c.shape, c.ns, err)
		got := strings.TrimPrefix(w.Body.String(), xml.Header)
		if !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") || w.Code != 404 {
			t.Errorf("%d %s", w.Code, got)
		}
		if w.Header().Get(wire.HintHeader) != "look elsewhere" {
			t.Errorf("hint header %q", w.Header().Get(wire.HintHeader))
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
	}{
		{fault.New(fault.Invalid, "MalformedXML", ""), 400},
		{fault.New(fault.Invalid, "MissingContentLength", ""), 411},
		{fault.Wrap("op", "x", fault.New(fault.NotFound, "NoSuchKey", "")), 404},
		{fault.New(fault.Precondition, "PreconditionFailed", ""), 412},
		{fault.New(fault.Unsupported, "NotImplemented", ""), 501},
		{errors.New("other"), 500},
		{fault.Busy, 503},
	} {
		if got := wire.Status(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	w, other := httptest.NewRecorder(), httptest.NewRecorder()
	id := wire.RequestID(w)
	if len(id) != 16 || wire.RequestID(w) != id || wire.RequestID(other) == id {
		t.Errorf("id %q", id)
	}
	if v := w.Header()["x-amz-request-id"]; len(v) != 1 || v[0] != id || len(w.Header()["x-amz-id-2"][0]) != 32 {
		t.Errorf("headers %v", w.Header())
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("plain")
	f.Add("a\x00\xff\ufffe<&>")
	f.Fuzz(func(t *testing.T, s string) {
		x := wire.NewDocument()
		x.Text("K", s)
		var got struct {
			V string `xml:",chardata"`
		}
		if err := xml.Unmarshal(x.Bytes(), &got); err == nil && got.V != strings.ToValidUTF8(s, "\ufffd") && !strings.ContainsRune(s, '\ufffd') {
			if strings.ToValidUTF8(s, "") == s {
				t.Errorf("%q came back as %q", s, got.V)
			}
		}
	})
}
