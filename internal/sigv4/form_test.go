package sigv4

import (
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
)

// The example of the S3 Developer Guide, "Example: Browser-Based Upload using
// HTTP POST (Using AWS Signature Version 4)", whose policy has CRLF line ends.
const (
	guidePolicy    = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
	guideSignature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
)

func guideForm() map[string]string {
	return map[string]string{
		"policy": guidePolicy, "x-amz-algorithm": Algorithm, "x-amz-date": "20151229T000000Z",
		"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request", "x-amz-signature": guideSignature,
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	day := time.Date(2015, 12, 29, 12, 0, 0, 0, time.UTC)
	const missing = "Bucket POST must contain a field named '%'.  If it is specified, please check the order of the fields."
	for _, c := range []struct {
		name    string
		change  map[string]string // "" takes a field out
		now     time.Time
		code    string
		message string
		detail  string // ArgumentName
	}{
		{"the guide's", nil, day, "", "", ""},
		{"a week later", nil, day.Add(7 * 24 * time.Hour), "AccessDenied", "Request has expired", ""},
		{"policy missing", map[string]string{"policy": ""}, day, "InvalidArgument", strings.Replace(missing, "%", "policy", 1), "policy"},
		{"algorithm missing", map[string]string{"x-amz-algorithm": "", "x-amz-credential": ""}, day, "InvalidArgument", strings.Replace(missing, "%", "X-Amz-Algorithm", 1), "X-Amz-Algorithm"},
		{"credential missing", map[string]string{"x-amz-credential": ""}, day, "InvalidArgument", strings.Replace(missing, "%", "X-Amz-Credential", 1), "X-Amz-Credential"},
		{"date missing", map[string]string{"x-amz-date": ""}, day, "InvalidArgument", strings.Replace(missing, "%", "X-Amz-Date", 1), "X-Amz-Date"},
		{"signature missing", map[string]string{"x-amz-signature": ""}, day, "InvalidArgument", strings.Replace(missing, "%", "X-Amz-Signature", 1), "X-Amz-Signature"},
		{"algorithm", map[string]string{"x-amz-algorithm": "AWS4-HMAC-SHA1"}, day, "InvalidArgument", "X-Amz-Algorithm only supports", "X-Amz-Algorithm"},
		{"credential", map[string]string{"x-amz-credential": "AKIA/20151229/us-east-1"}, day, "InvalidArgument", "the Credential is mal-formed; expecting", "X-Amz-Credential"},
		{"credential's date", map[string]string{"x-amz-credential": "AKIA/2015-1229/us-east-1/s3/aws4_request"}, day, "InvalidArgument", `incorrect date format "2015-1229". This date in the credential must be in the format "yyyyMMdd".`, "X-Amz-Credential"},
		{"credential's end", map[string]string{"x-amz-credential": "AKIA/20151229/us-east-1/s3/aws5_request"}, day, "InvalidArgument", `incorrect terminal "aws5_request". This endpoint uses "aws4_request".`, "X-Amz-Credential"},
		{"empty access key", map[string]string{"x-amz-credential": "/20151229/us-east-1/s3/aws4_request"}, day, "InvalidArgument", "a non-empty Access Key (AKID) must be provided in the credential.", "X-Amz-Credential"},
		{"date", map[string]string{"x-amz-date": "2015-12-29"}, day, "InvalidArgument", "X-Amz-Date must be formated via ISO8601 Long format", "X-Amz-Date"},
		{"another day", map[string]string{"x-amz-date": "20151230T000000Z"}, day, "InvalidArgument", `Invalid credential date "20151229".`, "X-Amz-Credential"},
		{"both versions", map[string]string{"signature": "c2ln"}, day, "InvalidArgument", "Only one auth mechanism allowed", ""},
		{"another policy", map[string]string{"policy": guidePolicy[:len(guidePolicy)-4]}, day, "SignatureDoesNotMatch", mismatchMessage, ""},
		{"another signature", map[string]string{"x-amz-signature": strings.ToUpper(guideSignature)}, day, "SignatureDoesNotMatch", mismatchMessage, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			form := guideForm()
			for k, v := range c.change {
				if form[k] = v; v == "" {
					delete(form, k)
				}
			}
			v, err := verifyFormOf(form, c.now)
			if fault.CodeOf(err) != c.code || !strings.Contains(fault.MessageOf(err), c.message) || (v == nil) != (c.code != "") {
				t.Fatalf("%v, want %s %q", err, c.code, c.message)
			}
			details := fault.DetailsOf(err)
			switch {
			case err == nil:
				if !v.Form || !v.Presigned || v.Version != 4 || v.Payload != Unsigned {
					t.Errorf("%+v", v)
				}
			case c.detail != "" && (len(details) != 2 || details[0] != fault.Detail{Name: "ArgumentName", Value: c.detail}):
				t.Errorf("details %+v", details)
			case c.code == "SignatureDoesNotMatch" && (len(details) != 4 || details[1].Value != form["policy"] || !strings.HasPrefix(details[3].Value, "65 79 41")):
				t.Errorf("details %+v", details)
			}
		})
	}
}

func verifyFormOf(form map[string]string, now time.Time) (*Verified, error) {
	c, err := ParseForm(func(name string) (string, bool) { v, ok := form[name]; return v, ok })
	if err != nil || c == nil {
		return nil, err
	}
	return c.Verify(nil, exampleSecret, now)
}

// TestFormVersion2: the signature is the HMAC-SHA1 of the policy as it was
// sent; a form without any part of a signature is anonymous.
func TestFormVersion2(t *testing.T) {
	t.Parallel()
	form := map[string]string{"policy": "eyJleHAiOiJ4In0=", "awsaccesskeyid": exampleKey, "signature": "IMhJpJ5mpl2LlT2cFVQE/pRe7Sc="}
	if v, err := verifyFormOf(form, time.Now()); err != nil || v.Version != 2 || !v.Form {
		t.Errorf("%+v, %v", v, err)
	}
	form["policy"] = "eyJleHAiOiJ5In0="
	if _, err := verifyFormOf(form, time.Now()); fault.CodeOf(err) != "SignatureDoesNotMatch" {
		t.Error(err)
	}
	for _, name := range []string{"awsaccesskeyid", "signature", "policy"} {
		less := map[string]string{"key": "k"}
		for k, v := range form {
			if k != name {
				less[k] = v
			}
		}
		if _, err := verifyFormOf(less, time.Now()); fault.CodeOf(err) != "InvalidArgument" {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if v, err := verifyFormOf(map[string]string{"key": "k", "policy": "e30="}, time.Now()); v != nil || err != nil {
		t.Errorf("unsigned: %+v, %v", v, err)
	}
}
