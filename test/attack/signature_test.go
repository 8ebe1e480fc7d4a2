package attack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"twinbucket/internal/sigv4"
)

// TestSignatures: a signature is for one request, at one door.
func TestSignatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"vault", "other"} {
		w.must(w.s3(w.victim, "PUT", "/"+name, ""))
		w.must(w.s3(w.victim, "PUT", "/"+name+"/k", "secret"))
	}
	get := request{method: "GET", path: "/vault/k", cred: w.victim}
	with := func(r request, change func(*request)) func() answer {
		change(&r)
		return func() answer { return w.do(r) }
	}
	after := func(r request, change func(*http.Request)) func() answer {
		r.after = change
		return func() answer { return w.do(r) }
	}
	w.granted("as signed", w.do(get))
	w.refused([]attempt{
		{"another region", with(get, func(r *request) { r.region = "eu-west-1" }), "AuthorizationHeaderMalformed"},
		{"another service", with(get, func(r *request) { r.service = "ec2" }), "AuthorizationHeaderMalformed"},
		{"yesterday", with(get, func(r *request) { r.at = time.Now().Add(-24 * time.Hour) }), "RequestTimeTooSkewed"},
		{"tomorrow", with(get, func(r *request) { r.at = time.Now().Add(24 * time.Hour) }), "RequestTimeTooSkewed"},
		{"an old signature with a new date", with(get, func(r *request) {
			r.at = time.Now().Add(-24 * time.Hour)
			r.after = func(r *http.Request) { r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z")) }
		}), "AuthorizationHeaderMalformed SignatureDoesNotMatch"},
		{"another method", after(get, func(r *http.Request) { r.Method = "DELETE" }), "SignatureDoesNotMatch"},
		{"another key", after(get, func(r *http.Request) { r.URL.Path = "/vault/l" }), "SignatureDoesNotMatch"},
		{"another bucket", after(get, func(r *http.Request) { r.URL.Path = "/other/k" }), "SignatureDoesNotMatch"},
		{"another parameter", after(get, func(r *http.Request) { r.URL.RawQuery = "acl" }), "SignatureDoesNotMatch"},
		{"a virtual host", after(get, func(r *http.Request) { r.Host = "other.localhost" }), "SignatureDoesNotMatch"},
		{"an account in the host", after(get, func(r *http.Request) { r.Host = attacker + ".localhost" }), "SignatureDoesNotMatch"},
		{"a header more", after(get, func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "/other/k") }), "AccessDenied"},
		{"an account id more", after(get, func(r *http.Request) { r.Header.Set("X-Amz-Account-Id", victim) }), "AccessDenied"},
		{"a token more", after(get, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }), "InvalidToken"},
		{"a date more", after(get, func(r *http.Request) { r.Header.Add("X-Amz-Date", "20200101T000000Z") }), "SignatureDoesNotMatch"},
		{"two signatures", after(get, func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }), "InvalidArgument"},
		{"a signature in the URL too", after(get, func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=x" }), "InvalidArgument"},
		{"two credentials in one header", after(get, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Credential=", "Credential="+w.stray.AccessKey+"/20200101/us-east-1/iam/aws4_request,Credential=", 1))
		}), "InvalidClientTokenId SignatureDoesNotMatch AuthorizationHeaderMalformed"},
		{"the host not signed", after(get, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "SignedHeaders=host;", "SignedHeaders=", 1))
		}), "AuthorizationHeaderMalformed"},
		{"no header signed", after(get, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "SignedHeaders=host;x-amz-content-sha256;x-amz-date", "SignedHeaders=", 1))
		}), "AuthorizationHeaderMalformed"},
		{"an empty signature", after(get, func(r *http.Request) {
			s, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", s+"Signature=")
		}), "AuthorizationHeaderMalformed"},
		{"an asymmetric one", after(get, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", 1))
		}), "InvalidRequest"},
		{"of S3, at IAM", after(queryRequest(w.victim, "iam", "ListUsers"), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/iam/", "/s3/", 1))
		}), "SignatureDoesNotMatch"},
	})

	// One door's at another's. The dispatcher goes by what the request says it is.
	swap := func(from, to string) func() answer {
		return after(queryRequest(w.victim, from, "GetUser"), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/"+from+"/", "/"+to+"/", 1))
		})
	}
	w.refused([]attempt{
		{"of IAM at STS", swap("iam", "sts"), "SignatureDoesNotMatch"},
		{"of STS at IAM", swap("sts", "iam"), "SignatureDoesNotMatch"},
		{"of IAM at CloudFormation", swap("iam", "cloudformation"), "SignatureDoesNotMatch"},
		{"of CloudFormation at IAM", swap("cloudformation", "iam"), "SignatureDoesNotMatch"},
		{"of IAM at S3", swap("iam", "s3"), "SignatureDoesNotMatch MissingSecurityHeader"},
		{"of IAM at S3 Control", func() answer {
			return w.do(request{
				method: "GET", path: "/v20180820/jobs", cred: w.victim, service: "iam", header: map[string]string{"x-amz-account-id": victim},
				after: func(r *http.Request) {
					r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/iam/", "/s3/", 1))
				},
			})
		}, "SignatureDoesNotMatch"},
		{"of S3 at S3 Control, by a header that is not signed", func() answer {
			return w.do(request{method: "GET", path: "/v20180820/jobs", cred: w.victim, after: func(r *http.Request) { r.Header.Set("X-Amz-Account-Id", victim) }})
		}, "AccessDenied"},
		{"of S3 at S3 Control, by the host", func() answer {
			return w.do(request{method: "GET", path: "/v20180820/jobs", cred: w.victim, after: func(r *http.Request) { r.Host = victim + ".localhost" }})
		}, "SignatureDoesNotMatch"},
		{"the credential's service in another parameter", func() answer {
			return w.do(request{method: "GET", path: "/?Action=GetUser&Version=2010-05-08", cred: w.victim, presign: true, after: func(r *http.Request) {
				r.URL.RawQuery = "X-Amz-Credential=x%2F20200101%2Fus-east-1%2Fiam%2Faws4_request&" + r.URL.RawQuery
			}})
		}, "AuthorizationQueryParametersError IncompleteSignature"},
	})

	// Unsigned, wherever that is not asked for.
	none := func(method, path string, headers ...string) func() answer {
		return func() answer { return w.s3(sigv4.Credentials{}, method, path, "", headers...) }
	}
	w.refused([]attempt{
		{"a read", none("GET", "/vault/k"), "AccessDenied"},
		{"a listing", none("GET", "/vault"), "AccessDenied"},
		{"all buckets", none("GET", "/"), "AccessDenied"},
		{"a bucket", none("PUT", "/mine"), "AccessDenied"},
		{"a policy", none("PUT", "/vault?policy"), "AccessDenied"},
		{"jobs", none("GET", "/v20180820/jobs", "x-amz-account-id: "+victim), "AccessDenied"},
		{"jobs, by the host", func() answer {
			return w.do(request{method: "GET", path: "/v20180820/jobs", host: victim + ".localhost"})
		}, "InvalidRequest AccessDenied"},
		{"an action of IAM", func() answer {
			return w.do(queryRequest(sigv4.Credentials{}, "iam", "ListUsers"))
		}, "MethodNotAllowed"},
		{"an action of IAM, at its host", with(queryRequest(sigv4.Credentials{}, "iam", "ListUsers"), func(r *request) { r.host = "iam.amazonaws.com" }), "MethodNotAllowed NoSuchBucket AccessDenied NotImplemented PreconditionFailed InvalidArgument"},
		{"a credential without a signature", after(queryRequest(sigv4.Credentials{}, "iam", "ListUsers"), func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+w.victim.AccessKey+"/20200101/us-east-1/iam/aws4_request")
		}), "IncompleteSignature"},
		{"another scheme", after(queryRequest(sigv4.Credentials{}, "iam", "ListUsers"), func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer Credential="+w.victim.AccessKey+"/20200101/us-east-1/iam/aws4_request")
		}), "IncompleteSignature InvalidArgument"},
		{"the server's own paths", none("GET", "/_twinbucket/accounts"), "NoSuchBucket InvalidBucketName"},
		{"under the health path", none("GET", "/_twinbucket/health/../accounts"), "NoSuchBucket InvalidBucketName"},
		{"the bucket of the jobs", none("GET", "/.batch"), "NoSuchBucket InvalidBucketName"},
	})
	w.refused([]attempt{
		{"the bucket of the jobs, signed", func() answer { return w.s3(w.victim, "GET", "/.batch", "") }, "NoSuchBucket InvalidBucketName AccessDenied"},
		{"as a copy's source", func() answer {
			return w.s3(w.victim, "PUT", "/vault/copy", "", "x-amz-copy-source: /.batch/x")
		}, "InvalidArgument"},
		{"as a virtual host", func() answer {
			return w.do(request{method: "GET", path: "/", host: ".batch.localhost", cred: w.victim})
		}, "NoSuchBucket InvalidBucketName AccessDenied"},
	})
}

// TestPresigned: a presigned URL opens what it was made for.
func TestPresigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"vault", "other"} {
		w.must(w.s3(w.victim, "PUT", "/"+name, ""))
		w.must(w.s3(w.victim, "PUT", "/"+name+"/k", "secret"))
	}
	get := request{method: "GET", path: "/vault/k", cred: w.victim, presign: true}
	put := request{method: "PUT", path: "/vault/new", cred: w.victim, presign: true}
	after := func(r request, change func(*http.Request)) func() answer {
		r.after = change
		return func() answer { return w.do(r) }
	}
	query := func(change func(url.Values)) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			change(q)
			r.URL.RawQuery = q.Encode()
		}
	}
	w.granted("as made", w.do(get))
	old := get
	old.at = time.Now().Add(-2 * time.Hour)
	w.refused([]attempt{
		{"for HEAD", after(get, func(r *http.Request) { r.Method = "HEAD" }), "SignatureDoesNotMatch"},
		{"for DELETE", after(get, func(r *http.Request) { r.Method = "DELETE" }), "SignatureDoesNotMatch"},
		{"for another bucket", after(get, func(r *http.Request) { r.URL.Path = "/other/k" }), "SignatureDoesNotMatch"},
		{"for another host", after(get, func(r *http.Request) { r.Host = "other.localhost" }), "SignatureDoesNotMatch"},
		{"for the virtual host of its bucket", after(get, func(r *http.Request) { r.Host, r.URL.Path = "vault.localhost", "/k" }), "SignatureDoesNotMatch"},
		{"for a sub-resource", after(get, func(r *http.Request) { r.URL.RawQuery += "&acl" }), "SignatureDoesNotMatch"},
		{"for a version", after(get, func(r *http.Request) { r.URL.RawQuery += "&versionId=null" }), "SignatureDoesNotMatch"},
		{"for the answer's headers", after(get, func(r *http.Request) { r.URL.RawQuery += "&response-content-type=text/html" }), "SignatureDoesNotMatch"},
		{"after its end", func() answer { return w.do(old) }, "AccessDenied"},
		{"with a later end", after(old, query(func(q url.Values) { q.Set("X-Amz-Expires", "86400") })), "SignatureDoesNotMatch"},
		{"with two ends", after(old, query(func(q url.Values) { q.Add("X-Amz-Expires", "86400") })), "AuthorizationQueryParametersError"},
		{"with an end behind another name", after(old, query(func(q url.Values) {
			q["x-amz-expires"] = []string{"86400"}
		})), "AccessDenied SignatureDoesNotMatch"},
		{"with a negative end", after(get, query(func(q url.Values) { q.Set("X-Amz-Expires", "-1") })), "AuthorizationQueryParametersError"},
		{"for longer than a week", after(get, query(func(q url.Values) { q.Set("X-Amz-Expires", "604801") })), "AuthorizationQueryParametersError"},
		{"with a token", after(get, query(func(q url.Values) { q.Set("X-Amz-Security-Token", "x") })), "InvalidToken"},
		{"with a token in a header", after(get, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }), "AccessDenied"},
		{"at IAM", after(get, query(func(q url.Values) {
			q.Set("X-Amz-Credential", strings.Replace(q.Get("X-Amz-Credential"), "/s3/", "/iam/", 1))
		})), "SignatureDoesNotMatch"},
		{"of IAM with a body", func() answer {
			return w.do(request{method: "POST", path: "/?Action=GetUser&Version=2010-05-08", cred: w.victim, service: "iam", presign: true, after: func(r *http.Request) {
				body := "Action=CreateUser&UserName=evil"
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			}})
		}, "SignatureDoesNotMatch"},
		{"a PUT with a copy source in a header", after(put, func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "/other/k") }), "AccessDenied"},
		{"a PUT with a copy source in the URL", after(put, func(r *http.Request) { r.URL.RawQuery += "&x-amz-copy-source=/other/k" }), "SignatureDoesNotMatch"},
		{"a PUT with an ACL", after(put, func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }), "AccessDenied"},
		{"a PUT with tags", after(put, func(r *http.Request) { r.Header.Set("X-Amz-Tagging", "a=b") }), "AccessDenied"},
		{"a PUT as an upload", after(put, func(r *http.Request) { r.Method, r.URL.RawQuery = "POST", r.URL.RawQuery+"&uploads" }), "SignatureDoesNotMatch"},
		{"for a form", func() answer {
			return w.do(request{
				method: "POST", path: "/vault", cred: w.victim, presign: true, header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
				body: "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk2\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n",
			})
		}, "InvalidRequest"},
		{"for a job", func() answer {
			return w.do(request{method: "GET", path: "/v20180820/jobs", cred: w.victim, presign: true, after: func(r *http.Request) { r.Header.Set("X-Amz-Account-Id", victim) }})
		}, "AccessDenied"},
	})
	w.refused([]attempt{{"nothing was stored", func() answer { return w.s3(w.victim, "GET", "/vault/new", "") }, "NoSuchKey"}})
}

// raw sends bytes as they are and returns the answer's status and body.
func (w *world) raw(text string) answer {
	w.Helper()
	c, err := (&net.Dialer{}).DialContext(w.Context(), "tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		w.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}
}

// TestPaths: what a path means is what was allowed, however it is written.
func TestPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/open", ""))
	w.must(w.s3(w.victim, "PUT", "/open/pub/k", "open"))
	w.must(w.s3(w.victim, "PUT", "/open/secret/k", "secret"))
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	w.must(w.s3(w.victim, "PUT", "/vault/k", "secret"))
	w.must(w.s3(w.victim, "PUT", "/open?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::open/pub/*"}]}`))
	const h = " HTTP/1.1\r\nConnection: close\r\nHost: "
	if a := w.raw("GET /open/pub/k" + h + "localhost\r\n\r\n"); a.body != "open" {
		t.Fatalf("the open object: %d %s", a.status, a.body)
	}
	for _, target := range []string{
		"/open/pub/../secret/k", "/open/pub/%2e%2e/secret/k", "/open/pub%2f..%2fsecret/k", "/open/pub/..%2Fsecret%2Fk",
		"/open/pub/%2e%2e/%2e%2e/vault/k", "/open/pub/../../vault/k", "/open//secret/k", "//open/secret/k", "/open/secret//k",
		"/open/./secret/k", "/open/secret/k?", "/open/secret/k%00", "/open/secret/k;pub", "/open/secret%2Fk", "/%6fpen/secret/k", "/open%2Fsecret/k",
		"http://localhost/open/secret/k", "http://vault.localhost/k", "/open/secret/%6B", "/open/pub/k%2f..%2f..%2fsecret%2fk", "/OPEN/secret/k",
		"/open/secret/k?pub", "/open/secret/k?key=pub/k", "/open/secret/k#/pub/k",
	} {
		for _, host := range []string{"localhost", "open.localhost", "vault.localhost", "open.tb.example.com"} {
			a := w.raw("GET " + target + h + host + "\r\n\r\n")
			if a.status < 300 || strings.Contains(a.body, "secret</") || a.body == "secret" {
				t.Errorf("%s at %s: %d %s", target, host, a.status, brief(a.body))
			}
		}
	}
	// The bucket in the host counts, and what stands in the path is a key.
	for _, c := range []struct{ target, host string }{
		{"/pub/k", "vault.localhost"}, {"/open/pub/k", "vault.localhost"}, {"/pub/k", "open.localhost.evil.example.com"}, {"/pub/k", "open.localhost@vault.localhost"},
	} {
		if a := w.raw("GET " + c.target + h + c.host + "\r\n\r\n"); a.status < 300 {
			t.Errorf("%s at %s: %d %s", c.target, c.host, a.status, brief(a.body))
		}
	}
	// A key with wildcards in it is a key.
	pat := w.user("pat", allow("s3:PutObject,s3:GetObject", "arn:aws:s3:::vault/mine/*"))
	w.granted("a key of wildcards", w.s3(pat, "PUT", "/vault/mine/%2A%3F", "x"))
	w.refused([]attempt{
		{"a wildcard for another key", func() answer { return w.s3(pat, "GET", "/vault/%2A", "") }, "AccessDenied"},
		{"a star for the prefix", func() answer { return w.s3(pat, "GET", "/vault/%2A/x", "") }, "AccessDenied"},
		{"out of the prefix", func() answer { return w.s3(pat, "GET", "/vault/mine/../k", "") }, "AccessDenied NoSuchKey"},
		{"the prefix as a key", func() answer { return w.s3(pat, "PUT", "/vault/mine", "x") }, "AccessDenied"},
		{"in other case", func() answer { return w.s3(pat, "PUT", "/vault/MINE/k", "x") }, "AccessDenied"},
	})
}

// TestBodies: the body that is taken is the one that was signed.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	put := request{method: "PUT", path: "/vault/k", cred: w.victim, body: "good"}
	swap := func(r request, body string) func() answer {
		r.after = func(r *http.Request) {
			if r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body)); body == "" {
				r.Body = http.NoBody
			}
		}
		return func() answer { return w.do(r) }
	}
	chunked := func(kind, body string) func() answer {
		r := put
		r.body = ""
		r.header = map[string]string{"x-amz-decoded-content-length": "4", "Content-Encoding": "aws-chunked"}
		r.after = func(r *http.Request) {
			sigv4.Sign(r, w.victim, region, "s3", kind, time.Now())
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		return func() answer { return w.do(r) }
	}
	sig := strings.Repeat("0", 64)
	w.refused([]attempt{
		{"another body", swap(put, "evil"), "XAmzContentSHA256Mismatch"},
		{"a longer body", swap(put, "good and more"), "XAmzContentSHA256Mismatch"},
		{"no body", swap(put, ""), "XAmzContentSHA256Mismatch"},
		{"another body at IAM", swap(queryRequest(w.victim, "iam", "GetUser"), "Action=CreateUser&Version=2010-05-08&UserName=evil"), "SignatureDoesNotMatch"},
		{"another body at CloudFormation", swap(queryRequest(w.victim, "cloudformation", "ListStacks"), "Action=DeleteStack&Version=2010-05-15&StackName=x"), "SignatureDoesNotMatch"},
		{"another job", func() answer {
			return w.do(request{method: "POST", path: "/v20180820/jobs", cred: w.victim, body: "<x/>", header: map[string]string{"x-amz-account-id": victim}, after: func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader("<y/>"))
			}})
		}, "XAmzContentSHA256Mismatch"},
		{"signed chunks with a forged signature", chunked("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "4;chunk-signature="+sig+"\r\nevil\r\n0;chunk-signature="+sig+"\r\n\r\n"), "SignatureDoesNotMatch"},
		{"signed chunks without one", chunked("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "4\r\nevil\r\n0\r\n\r\n"), "IncompleteBody"},
		{"chunks without their last", chunked("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4\r\nevil\r\n"), "IncompleteBody"},
		{"more than was said", chunked("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "5\r\nevil!\r\n0\r\n\r\n"), "IncompleteBody"},
		{"a policy in chunks", func() answer {
			return w.do(request{method: "PUT", path: "/vault?policy", cred: w.victim, header: map[string]string{"x-amz-decoded-content-length": "4"}, after: func(r *http.Request) {
				sigv4.Sign(r, w.victim, region, "s3", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", time.Now())
			}})
		}, "InvalidRequest"},
		{"a form at IAM that is JSON", func() answer {
			r := queryRequest(w.victim, "iam", "GetUser")
			r.header["Content-Type"] = "application/json"
			return w.do(r)
		}, "UnsupportedMediaType"},
	})
	w.refused([]attempt{
		{"nothing was stored", func() answer { return w.s3(w.victim, "GET", "/vault/k", "") }, "NoSuchKey"},
		{"nobody was made", func() answer { return w.iam(w.victim, "GetUser", "UserName=evil") }, "NoSuchEntity"},
	})
	// Headers that came twice count as they were signed.
	twice := fmt.Sprintf("GET /vault?list-type=2 HTTP/1.1\r\nHost: %s\r\nHost: vault.localhost\r\nConnection: close\r\n\r\n", w.addr)
	if a := w.raw(twice); a.status != http.StatusBadRequest {
		t.Errorf("two hosts: %d %s", a.status, a.body)
	}
}
