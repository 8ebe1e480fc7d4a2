package attack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"twinbucket/internal/sigv4"
)

// slowly sends a signed request whose body comes after meanwhile, which is
// called once the server has let the request in and waits for its body.
func (w *world) slowly(cred sigv4.Credentials, method, path, body string, meanwhile func()) answer {
	w.Helper()
	r := w.plain(request{method: method, path: path})
	sigv4.Sign(r, cred, region, "s3", sigv4.UnsignedPayload, time.Now())
	c, err := (&net.Dialer{}).DialContext(w.Context(), "tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n", method, path, w.addr, len(body))
	if err := r.Header.Write(&head); err != nil {
		w.Fatal(err)
	}
	if _, err := io.WriteString(c, head.String()+"\r\n"); err != nil {
		w.Fatal(err)
	}
	in := bufio.NewReader(c)
	first, err := textproto.NewReader(in).ReadLine()
	if err != nil {
		w.Fatal(err)
	}
	if !strings.HasPrefix(first, "HTTP/1.1 100 ") {
		w.Fatalf("%s %s was not let in: %s", method, path, first)
	}
	if _, err := textproto.NewReader(in).ReadLine(); err != nil { // the empty line behind it
		w.Fatal(err)
	}
	meanwhile()
	if _, err := io.WriteString(c, body); err != nil {
		w.Fatal(err)
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}
}

// TestWhileABodyComes: a bucket that falls into other hands while a body is
// sent to it does not get it.
func TestWhileABodyComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	everybody := func(name string) string {
		return document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::` + name + `","arn:aws:s3:::` + name + `/*"]}`)
	}
	taken := func(name string) func() {
		return func() {
			w.must(w.s3(w.victim, "DELETE", "/"+name, ""))
			w.must(w.s3(w.stray, "PUT", "/"+name, ""))
			w.must(w.s3(w.stray, "PUT", "/"+name+"?policy", everybody(name)))
		}
	}
	fresh := func(name string) {
		w.must(w.s3(w.victim, "PUT", "/"+name, ""))
	}
	for _, body := range []string{"secret", strings.Repeat("secret", 1<<20)} {
		name := fmt.Sprintf("for-%d-bytes", len(body))
		fresh(name)
		w.refused([]attempt{
			{"an object of " + name, func() answer { return w.slowly(w.victim, "PUT", "/"+name+"/k", body, taken(name)) }, "NoSuchBucket"},
			{"what was sent", func() answer { return w.s3(w.stray, "GET", "/"+name+"/k", "") }, "NoSuchKey"},
		})
	}
	fresh("for-parts")
	u := w.must(w.s3(w.victim, "POST", "/for-parts/k?uploads", "")).text("UploadId")
	w.refused([]attempt{
		{"a part", func() answer {
			return w.slowly(w.victim, "PUT", "/for-parts/k?partNumber=1&uploadId="+u, "secret", taken("for-parts"))
		}, "NoSuchUpload NoSuchBucket"},
		{"its upload", func() answer { return w.s3(w.stray, "GET", "/for-parts/k?uploadId="+u, "") }, "NoSuchUpload"},
	})
	for _, sub := range []struct{ name, query, body string }{
		{"policies", "policy", everybody("for-policies")},
		{"versions", "versioning", versioned},
		{"tags", "tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"},
		{"blocks", "publicAccessBlock", "<PublicAccessBlockConfiguration/>"},
	} {
		name := "for-" + sub.name
		fresh(name)
		w.refused([]attempt{{sub.query, func() answer { return w.slowly(w.victim, "PUT", "/"+name+"?"+sub.query, sub.body, taken(name)) }, "NoSuchBucket OperationAborted"}})
	}
	// A right that is taken away stops the next request, and the session too.
	fresh("drop")
	pat := w.user("pat", allow("s3:PutObject", "*"))
	w.granted("an upload that was let in", w.slowly(pat, "PUT", "/drop/k", "x", func() {
		w.must(w.iam(w.victim, "DeleteUserPolicy", "UserName=pat", "PolicyName=p"))
	}))
	w.refused([]attempt{{"the next one", func() answer { return w.s3(pat, "PUT", "/drop/k", "x") }, "AccessDenied"}})
}

// TestChains: what a session hands on stays as it is, and what it is called
// and tagged is literal.
func TestChains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"one", "two"} {
		w.must(w.iam(w.victim, "CreateRole", "RoleName="+name, "AssumeRolePolicyDocument="+document(`{"Effect":"Allow","Principal":{"AWS":"`+victim+`"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}`)))
	}
	w.role(w.victim, "untagged", `{"AWS":"`+victim+`"}`)
	w.must(w.iam(w.victim, "CreateRole", "RoleName=plain", "AssumeRolePolicyDocument="+document(`{"Effect":"Allow","Principal":{"AWS":"`+victim+`"},"Action":"sts:AssumeRole"}`)))
	w.must(w.s3(w.victim, "PUT", "/teams", ""))
	for _, key := range []string{"red/k", "blue/k"} {
		w.must(w.s3(w.victim, "PUT", "/teams/"+key, "x"))
	}
	own := document(allow("s3:GetObject", "arn:aws:s3:::teams/${aws:PrincipalTag/team}/*"), allow("sts:*", "*"),
		allow("s3:ListBucket", "arn:aws:s3:::teams", `{"StringLike":{"s3:prefix":"${aws:PrincipalTag/team}/*"}}`))
	for _, name := range []string{"one", "two", "untagged"} {
		w.must(w.iam(w.victim, "PutRolePolicy", "RoleName="+name, "PolicyName=own", "PolicyDocument="+own))
	}
	red := []string{"Tags.member.1.Key=Team", "Tags.member.1.Value=red", "TransitiveTagKeys.member.1=TEAM", "SourceIdentity=pat"}
	first := w.assume(w.victim, roleARN(victim, "one"), red...)
	get := func(c sigv4.Credentials, key string) func() answer {
		return func() answer { return w.s3(c, "GET", "/teams/"+key, "") }
	}
	w.granted("its own", get(first, "red/k")())
	again := func(role string, params ...string) func() answer {
		return func() answer {
			return w.sts(first, "AssumeRole", append([]string{"RoleArn=" + roleARN(victim, role), "RoleSessionName=s2"}, params...)...)
		}
	}
	second := session(w.must(again("two")()))
	w.granted("its own, a session later", get(second, "red/k")())
	blue := []string{"Tags.member.1.Key=team", "Tags.member.1.Value=blue"}
	w.refused([]attempt{
		{"another's", get(first, "blue/k"), "AccessDenied"},
		{"another's, a session later", get(second, "blue/k"), "AccessDenied"},
		{"a transitive tag in other case", again("two", blue...), "InvalidParameterValue"},
		{"another source identity", again("two", "SourceIdentity=boss"), "ValidationError"},
		{"tags where the role takes none", again("plain"), "AccessDenied"},
		{"tags, without the right to give them", func() answer {
			u := w.user("giver", allow("sts:AssumeRole", "*"), deny("sts:TagSession", "*"))
			return w.sts(u, "AssumeRole", append([]string{"RoleArn=" + roleARN(victim, "one"), "RoleSessionName=s1"}, blue...)...)
		}, "AccessDenied"},
		{"a tag twice in other case", func() answer {
			return w.sts(w.victim, "AssumeRole", "RoleArn="+roleARN(victim, "one"), "RoleSessionName=s1", "Tags.member.1.Key=team", "Tags.member.1.Value=red", "Tags.member.2.Key=TEAM", "Tags.member.2.Value=blue")
		}, "InvalidInput InvalidParameterValue ValidationError"},
		{"a longer session than chains have", again("two", "DurationSeconds=7200"), "ValidationError"},
		{"no tag at all", func() answer {
			return w.s3(w.assume(w.victim, roleARN(victim, "untagged")), "GET", "/teams/red/k", "")
		}, "AccessDenied"},
	})
	for _, value := range []string{"*", "?", "${aws:username}", "red/*", "r\\u0065d*"} {
		w.refused([]attempt{{"the tag " + value, func() answer {
			a := w.sts(w.victim, "AssumeRole", "RoleArn="+roleARN(victim, "one"), "RoleSessionName=s1", "Tags.member.1.Key=team", "Tags.member.1.Value="+value)
			if a.status >= 300 {
				return a
			}
			return get(session(a), "blue/k")()
		}, "ValidationError AccessDenied"}})
	}
	list := func(query string) func() answer {
		return func() answer { return w.s3(first, "GET", "/teams?list-type=2"+query, "") }
	}
	w.granted("a listing of its own", list("&prefix=red/")())
	w.refused([]attempt{
		{"of all", list(""), "AccessDenied"},
		{"with an empty prefix", list("&prefix="), "AccessDenied"},
		{"of another's", list("&prefix=blue/"), "AccessDenied"},
		{"with two prefixes", list("&prefix=blue/&prefix=red/"), "AccessDenied"},
		{"with a star", list("&prefix=*/"), "AccessDenied"},
		{"in other case", list("&PREFIX=red/"), "AccessDenied"},
		{"of versions", func() answer { return w.s3(first, "GET", "/teams?versions&prefix=red/", "") }, "AccessDenied"},
		{"in a header", func() answer { return w.s3(first, "GET", "/teams?list-type=2", "", "x-amz-prefix: red/") }, "AccessDenied"},
	})
	if a := w.must(list("&prefix=red/&prefix=blue/")()); strings.Contains(a.body, "blue/k") {
		t.Errorf("two prefixes: %s", a.body)
	}
}
