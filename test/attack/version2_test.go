package attack

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"twinbucket/internal/sigv4"
)

// TestVersion2: an old link signs the bucket and not the host, and opens one
// bucket all the same.
func TestVersion2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"vault", "other"} {
		w.must(w.s3(w.victim, "PUT", "/"+name, ""))
		w.must(w.s3(w.victim, "PUT", "/"+name+"/k", name))
	}
	sign := func(text string) string {
		h := hmac.New(sha1.New, []byte(w.victim.Secret))
		h.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	// link returns the parameters of a link to do method with a resource.
	link := func(method, resource string, life time.Duration) string {
		end := fmt.Sprint(time.Now().Add(life).Unix())
		return "AWSAccessKeyId=" + w.victim.AccessKey + "&Expires=" + end + "&Signature=" + sigv4.EncodeQuery(sign(method+"\n\n\n"+end+"\n"+resource))
	}
	good := link("GET", "/vault/k", time.Hour)
	at := func(method, host, path string, headers ...string) func() answer {
		return func() answer {
			return w.do(request{method: method, host: host, path: path, header: pairs(headers)})
		}
	}
	w.granted("a link", at("GET", "", "/vault/k?"+good)())
	w.granted("the same with the bucket in the host", at("GET", "vault.tb.example.com", "/k?"+good)())
	w.refused([]attempt{
		{"another bucket", at("GET", "", "/other/k?"+good), "SignatureDoesNotMatch"},
		{"another bucket in the host", at("GET", "other.tb.example.com", "/k?"+good), "SignatureDoesNotMatch"},
		{"another bucket in the host, this one in the path", at("GET", "other.tb.example.com", "/vault/k?"+good), "SignatureDoesNotMatch"},
		{"this bucket twice", at("GET", "vault.tb.example.com", "/vault/k?"+good), "SignatureDoesNotMatch"},
		{"an unknown host", at("GET", "other.example.com", "/k?"+good), "SignatureDoesNotMatch"},
		{"another method", at("DELETE", "", "/vault/k?"+good), "SignatureDoesNotMatch"},
		{"for HEAD", at("HEAD", "", "/vault/k?"+good), "SignatureDoesNotMatch"},
		{"a sub-resource", at("GET", "", "/vault/k?acl&"+good), "SignatureDoesNotMatch"},
		{"a version", at("GET", "", "/vault/k?versionId=null&"+good), "SignatureDoesNotMatch"},
		{"an override", at("GET", "", "/vault/k?response-content-type=text/html&"+good), "SignatureDoesNotMatch"},
		{"a header", at("GET", "", "/vault/k?"+good, "x-amz-request-payer: requester"), "SignatureDoesNotMatch"},
		{"a header in the URL", at("GET", "", "/vault/k?x-amz-expected-bucket-owner="+victim+"&"+good), "SignatureDoesNotMatch"},
		{"after its end", at("GET", "", "/vault/k?"+link("GET", "/vault/k", -time.Minute)), "AccessDenied"},
		{"with a later end", at("GET", "", "/vault/k?"+strings.Replace(link("GET", "/vault/k", -time.Minute), "Expires=", "Expires=9", 1)), "SignatureDoesNotMatch AccessDenied"},
		{"two ends", at("GET", "", "/vault/k?Expires=9999999999&"+good), "AccessDenied"},
		{"a copy into what it may write", at("PUT", "", "/vault/new?x-amz-copy-source=/other/k&"+link("PUT", "/vault/new", time.Hour)), "SignatureDoesNotMatch"},
		{"both versions", at("GET", "", "/vault/k?X-Amz-Signature=x&"+good), "InvalidArgument"},
		{"jobs", at("GET", victim+".localhost", "/v20180820/jobs?"+link("GET", "/v20180820/jobs", time.Hour), "x-amz-account-id: "+victim), "InvalidRequest SignatureDoesNotMatch"},
		{"jobs, with the header signed", func() answer {
			date := time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
			signature := sign("GET\n\n\n" + date + "\nx-amz-account-id:" + victim + "\n/v20180820/jobs")
			return at("GET", "", "/v20180820/jobs", "x-amz-account-id: "+victim, "Date: "+date, "Authorization: AWS "+w.victim.AccessKey+":"+signature)()
		}, "InvalidRequest"},
		{"a key that reads like parameters", at("GET", "", "/vault/k?a=b%26acl&"+link("GET", "/vault/k?a=b&acl", time.Hour)), "SignatureDoesNotMatch"},
	})
}
