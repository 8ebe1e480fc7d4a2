package s3api_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

// part is what a client remembers of a part.
type part struct{ etag, sum string }

// begin creates an upload and returns its id.
func (w *world) begin(key string, headers ...string) string {
	w.t.Helper()
	var got struct {
		UploadID string `xml:"UploadId"`
	}
	body := w.call(200, "POST", "/bkt/"+key+"?uploads", "", headers...).body
	if err := xml.Unmarshal([]byte(body), &got); err != nil || got.UploadID == "" {
		w.t.Fatalf("%v %s", err, body)
	}
	return got.UploadID
}

// parts is the document that completes an upload.
func parts(element string, ps []part) string {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i, p := range ps {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>", i+1, strings.ReplaceAll(p.etag, `"`, "&quot;"))
		if element != "" && p.sum != "" {
			fmt.Fprintf(&b, "<%s>%s</%s>", element, p.sum, element)
		}
		b.WriteString("</Part>")
	}
	return b.String() + "</CompleteMultipartUpload>"
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	pieces := []string{strings.Repeat("a", 5<<20), strings.Repeat("b", 5<<20+1), "end"}
	whole := strings.Join(pieces, "")
	for _, c := range []struct{ algorithm, typ, want string }{
		{"", "", "FULL_OBJECT"},
		{"CRC64NVME", "", "FULL_OBJECT"},
		{"CRC64NVME", "FULL_OBJECT", "FULL_OBJECT"},
		{"CRC32", "", "COMPOSITE"},
		{"CRC32", "FULL_OBJECT", "FULL_OBJECT"},
		{"CRC32C", "FULL_OBJECT", "FULL_OBJECT"},
		{"CRC32C", "COMPOSITE", "COMPOSITE"},
		{"SHA1", "", "COMPOSITE"},
		{"MD5", "", "COMPOSITE"},
		{"sha512", "", "COMPOSITE"},
		{"XXHASH64", "COMPOSITE", "COMPOSITE"},
		{"XXHASH3", "", "COMPOSITE"},
		{"XXHASH128", "", "COMPOSITE"},
		{"SHA256", "", "COMPOSITE"},
	} {
		name := strings.ToUpper(c.algorithm)
		var create []string
		if name != "" {
			create = append(create, "x-amz-checksum-algorithm", name)
		} else {
			name = "CRC64NVME"
		}
		if c.typ != "" {
			create = append(create, "x-amz-checksum-type", c.typ)
		}
		header := "x-amz-checksum-" + strings.ToLower(name)
		id := w.begin("mp", append(create, "Content-Type", "text/x", "x-amz-meta-a", "1", "x-amz-tagging", "t=1")...)
		var done []part
		for i, p := range pieces {
			sum := w.sum(p, name)
			got := w.call(200, "PUT", fmt.Sprintf("/bkt/mp?uploadId=%s&partNumber=%d", id, i+1), p, header, sum)
			if got.header.Get(header) != sum {
				t.Errorf("%s part: %v", name, got.header)
			}
			done = append(done, part{got.header.Get("ETag"), sum})
		}
		got := w.call(200, "POST", "/bkt/mp?uploadId="+id, parts("Checksum"+name, done), "x-amz-mp-object-size", fmt.Sprint(len(whole)))
		head := w.call(200, "GET", "/bkt/mp", "", "x-amz-checksum-mode", "ENABLED")
		if head.body != whole || head.header.Get("x-amz-checksum-type") != c.want || !strings.Contains(got.body, "<ChecksumType>"+c.want) {
			t.Errorf("%v: %d bytes, %v, %s", c, len(head.body), head.header, got.body)
		}
		sum := head.header.Get(header)
		if c.want == "FULL_OBJECT" && sum != w.sum(whole, name) {
			t.Errorf("%s of the whole is %s, want %s", name, sum, w.sum(whole, name))
		}
		if c.want == "COMPOSITE" && !strings.HasSuffix(sum, "-3") {
			t.Errorf("composite %s is %s", name, sum)
		}
		if head.header.Get("x-amz-meta-a") != "1" || head.header.Get("Content-Type") != "text/x" || head.header.Get("x-amz-tagging-count") != "1" {
			t.Errorf("headers %v", head.header)
		}
		second := w.call(206, "GET", "/bkt/mp?partNumber=2", "", "x-amz-checksum-mode", "ENABLED")
		if second.body != pieces[1] || second.header.Get("x-amz-mp-parts-count") != "3" || second.header.Get(header) != done[1].sum ||
			second.header.Get("x-amz-checksum-type") != c.want {
			t.Errorf("part 2: %v", second.header)
		}
		w.call(416, "GET", "/bkt/mp?partNumber=4", "")
	}
	golden(t, "attributes_multipart", w.call(200, "GET", "/bkt/mp?attributes", "", "x-amz-object-attributes", "ETag,Checksum,ObjectParts", "x-amz-max-parts", "1", "x-amz-part-number-marker", "1").body)
}

// sum lets the server compute the checksum of a body.
func (w *world) sum(body, algorithm string) string {
	w.t.Helper()
	w.call(200, "PUT", "/bkt/sum-plain", body)
	w.call(200, "PUT", "/bkt/sum", "", "x-amz-copy-source", "bkt/sum-plain", "x-amz-checksum-algorithm", algorithm)
	return w.call(200, "HEAD", "/bkt/sum", "", "x-amz-checksum-mode", "ENABLED").header.Get("x-amz-checksum-" + strings.ToLower(algorithm))
}

// TestCompositeChecksumOfAClient: it may leave out the number of parts.
func TestCompositeChecksumOfAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	sum := w.sum("x", "SHA256")
	raw, err := base64.StdEncoding.DecodeString(sum)
	if err != nil {
		t.Fatal(err)
	}
	whole := w.sum(string(raw), "SHA256")
	for _, value := range []string{whole, whole + "-1"} {
		target := "/bkt/k?uploadId=" + w.begin("k", "x-amz-checksum-algorithm", "SHA256")
		p := part{w.call(200, "PUT", target+"&partNumber=1", "x", "x-amz-checksum-sha256", sum).header.Get("ETag"), sum}
		w.call(400, "POST", target, parts("ChecksumSHA256", []part{p}), "x-amz-checksum-sha256", whole+"-2")
		w.call(200, "POST", target, parts("ChecksumSHA256", []part{p}), "x-amz-checksum-sha256", value)
	}
}

func TestMultipartRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	id := w.begin("k", "x-amz-checksum-algorithm", "SHA256")
	target := "/bkt/k?uploadId=" + id
	w.call(400, "PUT", target+"&partNumber=1", "x")
	w.call(400, "PUT", target+"&partNumber=1", "x", "x-amz-checksum-crc32c", crc32c("x"))
	w.call(404, "PUT", "/bkt/other?uploadId="+id+"&partNumber=1", "x")
	sum := w.sum("x", "SHA256")
	p := part{w.call(200, "PUT", target+"&partNumber=1", "x", "x-amz-checksum-sha256", sum).header.Get("ETag"), sum}
	w.call(200, "PUT", target+"&partNumber=2", "x", "x-amz-checksum-sha256", sum)
	for _, c := range []struct {
		doc     string
		headers []string
		code    string
	}{
		{parts("", []part{p}), nil, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{{p.etag, w.sum("y", "SHA256")}}), nil, "InvalidPart"},
		{parts("ChecksumSHA256", []part{{p.etag, "none"}}), nil, "InvalidArgument"},
		{parts("ChecksumSHA1", []part{{p.etag, w.sum("x", "SHA1")}}), nil, "BadDigest"},
		{strings.ReplaceAll(parts("ChecksumSHA256", []part{p}), "</Part>", "<ChecksumSHA1>"+w.sum("x", "SHA1")+"</ChecksumSHA1></Part>"), nil, "InvalidArgument"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-checksum-sha256", sum + "-x"}, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-checksum-type", "HALF"}, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-mp-object-size", "-1"}, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-mp-object-size", "one"}, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{{`"x"`, sum}}), nil, "InvalidPart"},
		{parts("ChecksumSHA256", []part{p, p}), nil, "EntityTooSmall"},
		{strings.ReplaceAll(parts("ChecksumSHA256", []part{p, p}), "<PartNumber>2", "<PartNumber>1"), nil, "InvalidPartOrder"},
		{strings.ReplaceAll(parts("ChecksumSHA256", []part{p}), "<PartNumber>1", "<PartNumber>3"), nil, "InvalidPart"},
		{strings.ReplaceAll(parts("ChecksumSHA256", []part{p}), "<PartNumber>1", "<PartNumber>0"), nil, "InvalidArgument"},
		{"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>", nil, "MalformedXML"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-checksum-type", "FULL_OBJECT"}, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-checksum-sha256", sum}, "BadDigest"},
		{parts("ChecksumSHA256", []part{p}), []string{"x-amz-mp-object-size", "2"}, "InvalidRequest"},
		{parts("ChecksumSHA256", []part{p}), []string{"Content-MD5", md5Of("")}, "BadDigest"},
	} {
		got := w.do(request{method: "POST", path: "/bkt/k", query: "uploadId=" + id, body: c.doc, header: pairs(c.headers)})
		if got.code != c.code {
			t.Errorf("%s %v: %d %s, want %s", c.doc, c.headers, got.status, got.code, c.code)
		}
	}
	w.call(200, "PUT", "/bkt/k", "taken")
	if got := w.do(request{method: "POST", path: "/bkt/k", query: "uploadId=" + id, body: parts("ChecksumSHA256", []part{p}), header: map[string]string{"If-None-Match": "*"}}); got.status != 412 {
		t.Errorf("conditional completion: %d", got.status)
	}
	golden(t, "list_parts", w.call(200, "GET", target+"&max-parts=1", "").body)
	golden(t, "complete_result", strings.ReplaceAll(w.call(200, "POST", target, parts("ChecksumSHA256", []part{p})).body, w.url, "http://HOST"))
	w.call(404, "GET", target, "")
}

func pairs(kv []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return m
}

func TestUploadPartCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	w.call(200, "PUT", "/bkt/src", "0123456789")
	for _, algorithm := range []string{"", "CRC32C", "SHA1"} {
		var create []string
		if algorithm != "" {
			create = []string{"x-amz-checksum-algorithm", algorithm}
		}
		id := w.begin("k", create...)
		target := "/bkt/k?partNumber=1&uploadId=" + id
		for _, bad := range []string{"bytes=0-10", "bytes=5-", "bytes=-5", "0-1", "bytes=5-4", "bytes=a-b"} {
			w.call(400, "PUT", target, "", "x-amz-copy-source", "bkt/src", "x-amz-copy-source-range", bad)
		}
		body := w.call(200, "PUT", target, "", "x-amz-copy-source", "bkt/src", "x-amz-copy-source-range", "bytes=2-4").body
		var got struct{ ETag, ChecksumSHA1, ChecksumCRC32C, ChecksumCRC64NVME string }
		if err := xml.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		w.call(200, "POST", "/bkt/k?uploadId="+id, parts("Checksum"+algorithm, []part{{got.ETag, got.ChecksumSHA1 + got.ChecksumCRC32C}}))
		k := w.call(200, "GET", "/bkt/k", "", "x-amz-checksum-mode", "ENABLED")
		if k.body != "234" || k.header.Get("ETag") == got.ETag {
			t.Errorf("%q %v", k.body, k.header)
		}
		if sum := w.sum("234", "CRC64NVME"); algorithm == "" && (got.ChecksumCRC64NVME != sum || k.header.Get("x-amz-checksum-crc64nvme") != sum) {
			t.Errorf("by default: %s, %v, want %s", body, k.header, sum)
		}
	}
	id := w.begin("all")
	w.call(200, "PUT", "/bkt/all?partNumber=1&uploadId="+id, "", "x-amz-copy-source", "bkt/src")
	w.call(204, "DELETE", "/bkt/all?uploadId="+id, "")
	w.call(404, "DELETE", "/bkt/all?uploadId="+id, "")
}

// TestCompleteTwice: a client that did not hear the answer asks again.
func TestCompleteTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	id := w.begin("k", "x-amz-checksum-algorithm", "SHA256")
	target := "/bkt/k?uploadId=" + id
	sum := w.sum("x", "SHA256")
	p := part{w.call(200, "PUT", target+"&partNumber=1", "x", "x-amz-checksum-sha256", sum).header.Get("ETag"), sum}
	doc := parts("ChecksumSHA256", []part{p})
	first := w.call(200, "POST", target, doc, "If-None-Match", "*")
	second := w.call(200, "POST", target, doc, "If-None-Match", "*")
	if first.body != second.body || first.header.Get("x-amz-version-id") != second.header.Get("x-amz-version-id") {
		t.Errorf("%s\n%s", first.body, second.body)
	}
	w.call(404, "POST", target, strings.ReplaceAll(doc, "<PartNumber>1", "<PartNumber>2"))
	w.call(404, "POST", "/bkt/other?uploadId="+id, doc)
	w.call(204, "DELETE", "/bkt/k?versionId="+first.header.Get("x-amz-version-id"), "")
	w.call(404, "POST", target, doc)
}

// TestCopyOfMultipart: a copy is put at once, with the ETag of its bytes.
func TestCopyOfMultipart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	pieces := []string{strings.Repeat("a", 5<<20), "end"}
	whole := strings.Join(pieces, "")
	for _, c := range []struct{ upload, ask, want string }{
		{"", "", "CRC64NVME"},
		{"SHA256", "", "SHA256"}, // of the parts; of the bytes then
		{"CRC32C", "SHA1", "SHA1"},
	} {
		var create, ask []string
		if c.upload != "" {
			create = []string{"x-amz-checksum-algorithm", c.upload}
		}
		if c.ask != "" {
			ask = []string{"x-amz-checksum-algorithm", c.ask}
		}
		id := w.begin("mp", create...)
		var done []part
		for i, p := range pieces {
			var h []string
			sum := ""
			if c.upload != "" {
				sum = w.sum(p, c.upload)
				h = []string{"x-amz-checksum-" + strings.ToLower(c.upload), sum}
			}
			done = append(done, part{w.call(200, "PUT", fmt.Sprintf("/bkt/mp?uploadId=%s&partNumber=%d", id, i+1), p, h...).header.Get("ETag"), sum})
		}
		w.call(200, "POST", "/bkt/mp?uploadId="+id, parts("Checksum"+c.upload, done))
		etag := w.call(200, "PUT", "/bkt/plain", whole).header.Get("ETag")
		w.call(200, "PUT", "/bkt/copy", "", append([]string{"x-amz-copy-source", "bkt/mp"}, ask...)...)
		got := w.call(200, "GET", "/bkt/copy", "", "x-amz-checksum-mode", "ENABLED")
		if got.body != whole || got.header.Get("ETag") != etag {
			t.Errorf("%v: %d bytes, ETag %s, want %s", c, len(got.body), got.header.Get("ETag"), etag)
		}
		if sum := got.header.Get("x-amz-checksum-" + strings.ToLower(c.want)); sum != w.sum(whole, c.want) || got.header.Get("x-amz-checksum-type") != "FULL_OBJECT" {
			t.Errorf("%v: %v", c, got.header)
		}
		w.call(416, "GET", "/bkt/copy?partNumber=2", "")
		if one := w.call(206, "GET", "/bkt/copy?partNumber=1", ""); one.header.Get("x-amz-mp-parts-count") != "" {
			t.Errorf("%v: %v", c, one.header)
		}
	}
}

// TestInitiator: who began an upload is shown, may list its parts and may abort
// it, whoever owns the bucket, unless a policy denies it.
func TestInitiator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.call(200, "PUT", "/bkt", "")
	policy := func(more string) {
		t.Helper()
		w.call(204, "PUT", "/bkt?policy", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/*"}`+more+`]}`)
	}
	policy("")
	w.grant(allowing("s3:PutObject"))
	for _, c := range []struct {
		as        int
		initiator string
	}{
		{source, "<ID>" + w.canonical(source) + "</ID><DisplayName>source</DisplayName>"},
		{dest, "<ID>" + w.canonical(dest) + "</ID><DisplayName>dest</DisplayName>"},
		{worker, "<ID>arn:aws:sts::111111111111:assumed-role/worker/shift</ID><DisplayName>worker/shift</DisplayName>"},
	} {
		upload := "/bkt/k?uploadId=" + between(w.callAs(c.as, 200, "POST", "/bkt/k?uploads", "").body, "<UploadId>", "</UploadId>")
		want := "<Initiator>" + c.initiator + "</Initiator><Owner><ID>" + w.canonical(source) + "</ID>"
		for name, got := range map[string]string{
			"parts":   w.callAs(c.as, 200, "GET", upload, "").body,
			"uploads": w.call(200, "GET", "/bkt?uploads", "").body,
		} {
			if !strings.Contains(strings.ReplaceAll(got, "\n", ""), want) {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		for _, other := range []int{dest, worker, nobody} {
			if other != c.as {
				w.callAs(other, 403, "GET", upload, "")
				w.callAs(other, 403, "DELETE", upload, "")
			}
		}
		w.callAs(c.as, 204, "DELETE", upload, "")
	}
	upload := "/bkt/k?uploadId=" + between(w.callAs(dest, 200, "POST", "/bkt/k?uploads", "").body, "<UploadId>", "</UploadId>")
	policy(`,{"Effect":"Deny","Principal":"*","Action":["s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::bkt/*","Condition":{"StringEquals":{"aws:PrincipalAccount":"222222222222"}}}`)
	w.callAs(dest, 403, "GET", upload, "")
	w.callAs(dest, 403, "DELETE", upload, "")
	// An upload that is not there is nobody's.
	w.call(204, "DELETE", upload, "")
	w.callAs(worker, 403, "DELETE", upload, "")
	w.call(404, "DELETE", upload, "")
}
