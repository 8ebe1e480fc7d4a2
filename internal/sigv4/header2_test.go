package sigv4

import (
	"net/http"
	"testing"
	"time"

	"twinbucket/fault"
)

// The examples of the S3 API Reference, "Signing and authenticating REST
// requests (AWS signature version 2)".
var examples2 = []struct {
	name, method, target, host, bucket string
	header                             map[string]string
	signature                          string
}{
	{"get", "GET", "/photos/puppy.jpg", "johnsmith.s3.amazonaws.com", "johnsmith", map[string]string{"Date": "Tue, 27 Mar 2007 19:36:42 +0000"}, "bWq2s1WEIj+Ydj0vQ697zp+IXMU="},
	{"put", "PUT", "/photos/puppy.jpg", "johnsmith.s3.amazonaws.com", "johnsmith", map[string]string{"Date": "Tue, 27 Mar 2007 21:15:45 +0000", "Content-Type": "image/jpeg"}, "MyyxeRY7whkBe+bq8fHCL/2kKUg="},
	{"list", "GET", "/?prefix=photos&max-keys=50&marker=puppy", "johnsmith.s3.amazonaws.com", "johnsmith", map[string]string{"Date": "Tue, 27 Mar 2007 19:42:41 +0000"}, "htDYFYduRNen8P9ZfE/s9SuKy0U="},
	{"fetch", "GET", "/?acl", "johnsmith.s3.amazonaws.com", "johnsmith", map[string]string{"Date": "Tue, 27 Mar 2007 19:44:46 +0000"}, "c2WLPFtWHVgbEmeEG93a4cG37dM="},
	{"all buckets", "GET", "/", "s3.amazonaws.com", "", map[string]string{"Date": "Wed, 28 Mar 2007 01:29:59 +0000"}, "qGdzdERIC03wnaRNKh6OqZehG9s="},
	{"unicode keys", "GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", "s3.amazonaws.com", "", map[string]string{"Date": "Wed, 28 Mar 2007 01:49:49 +0000"}, "DNEZGsoieTZ92F3bUfSPQcbGmlM="},
}

func request2(t *testing.T, i int, signature string) *http.Request {
	t.Helper()
	c := examples2[i]
	r := read(t, c.method+" "+c.target+" HTTP/1.1\nHost: "+c.host)
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	r.Header.Set("Authorization", "AWS "+exampleKey+":"+signature)
	return WithHostBucket(r, c.bucket)
}

func TestVersion2InHeaders(t *testing.T) {
	t.Parallel()
	for i, c := range examples2 {
		at, err := time.Parse(time.RFC1123Z, c.header["Date"])
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify(request2(t, i, c.signature), exampleSecret, at.Add(MaxSkew))
		if err != nil || v.Version != 2 || v.Presigned || v.AccessKey != exampleKey || !v.Time.Equal(at) || v.Payload != Unsigned {
			t.Errorf("%s: %+v, %v (%v)", c.name, v, err, fault.DetailsOf(err))
			continue
		}
		for what, change := range map[string]func(*http.Request){
			"method": func(r *http.Request) { r.Method = "DELETE" },
			"type":   func(r *http.Request) { r.Header.Set("Content-Type", "text/html") },
			"header": func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") },
			"digest": func(r *http.Request) { r.Header.Set("Content-Md5", "x") },
			"date":   func(r *http.Request) { r.Header.Set("Date", at.Add(time.Second).Format(time.RFC1123Z)) },
			"amz date": func(r *http.Request) {
				r.Header.Set("X-Amz-Date", r.Header.Get("Date"))
			},
			"path":      func(r *http.Request) { r.URL.Path += "x"; r.URL.RawPath = "" },
			"parameter": func(r *http.Request) { r.URL.RawQuery = "versionId=1&" + r.URL.RawQuery },
		} {
			r := request2(t, i, c.signature)
			change(r)
			if _, err := verify(r, exampleSecret, at); fault.CodeOf(err) != "SignatureDoesNotMatch" || len(fault.DetailsOf(err)) != 4 {
				t.Errorf("%s with another %s: %v", c.name, what, err)
			}
		}
		for _, late := range []time.Duration{MaxSkew + time.Second, -MaxSkew - time.Second} {
			if _, err := verify(request2(t, i, c.signature), exampleSecret, at.Add(late)); fault.CodeOf(err) != "RequestTimeTooSkewed" {
				t.Errorf("%s, %v late: %v", c.name, late, err)
			}
		}
	}
}

// TestVersion2Dates: x-amz-date stands for Date and is signed among the
// headers; chunks have nothing to be signed from.
func TestVersion2Dates(t *testing.T) {
	t.Parallel()
	const date = "Tue, 27 Mar 2007 21:20:26 +0000"
	at, _ := time.Parse(time.RFC1123Z, date)
	m := message2{method: "DELETE", amz: "x-amz-date:" + date + "\n", path: "/johnsmith/photos/puppy.jpg"}
	sign := func(r *http.Request) *http.Request {
		r.Header.Set("X-Amz-Date", date)
		r.Header.Set("Date", "Tue, 27 Mar 2007 21:20:27 +0000")
		r.Header.Set("Authorization", "AWS "+exampleKey+":"+m.sign(exampleSecret))
		return WithHostBucket(r, "")
	}
	r := sign(read(t, "DELETE /johnsmith/photos/puppy.jpg HTTP/1.1\nHost: s3.amazonaws.com"))
	if v, err := verify(r, exampleSecret, at); err != nil || !v.Time.Equal(at) {
		t.Errorf("%+v, %v", v, err)
	}
	m.amz = "x-amz-content-sha256:" + streamingPayload + "\n" + m.amz
	r = sign(read(t, "DELETE /johnsmith/photos/puppy.jpg HTTP/1.1\nHost: s3.amazonaws.com"))
	r.Header.Set("X-Amz-Content-Sha256", streamingPayload)
	r.Header.Set("X-Amz-Decoded-Content-Length", "1")
	m.amz = "x-amz-content-sha256:" + streamingPayload + "\nx-amz-date:" + date + "\nx-amz-decoded-content-length:1\n"
	r.Header.Set("Authorization", "AWS "+exampleKey+":"+m.sign(exampleSecret))
	if _, err := verify(r, exampleSecret, at); fault.CodeOf(err) != "InvalidArgument" {
		t.Errorf("signed chunks: %v", err)
	}
}
