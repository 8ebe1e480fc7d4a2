package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// parameter is one of a query string, decoded.
type parameter struct{ name, value string }

// parameters reads a query string in its order; a semicolon is a character
// like others.
func parameters(raw string) ([]parameter, error) {
	if len(raw) > maxQuery {
		return nil, badURI("the query string has more than 65,536 bytes")
	}
	var q []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, badURI("the query string holds a % without two hexadecimal digits after it")
		}
		q = append(q, parameter{name, value})
	}
	return q, nil
}

// unsigned are the parameters that Version 2 leaves out of the resource: its
// own, headers that botocore copies there, and those that only choose a page
// of a list or its form. AWS lists what is signed instead, and leaves out
// newer sub-resources, so that who may list a bucket may read its encryption;
// here everything else is signed.
var unsigned = map[string]bool{
	"AWSAccessKeyId": true, "Signature": true, "Expires": true,
	"content-type": true, "Content-Type": true, "content-md5": true, "Content-MD5": true,
	"bucket-region": true, "continuation-token": true, "delimiter": true, "encoding-type": true, "fetch-owner": true,
	"key-marker": true, "list-type": true, "marker": true, "max-buckets": true, "max-keys": true, "max-parts": true,
	"max-uploads": true, "part-number-marker": true, "prefix": true, "start-after": true, "upload-id-marker": true,
	"version-id-marker": true,
}

// subResources returns the parameters that are part of the resource, sorted,
// with their question mark; "" if there are none. They are signed decoded, so
// two lists of parameters that read the same are refused.
func subResources(q []parameter) (string, error) {
	var signed []parameter
	for _, p := range q {
		// S3 takes no notice of x- parameters; the x-amz- ones are headers.
		if unsigned[p.name] || hasPrefixFold(p.name, "x-") {
			continue
		}
		if !isWord(p.name) || holdsParameter(p.value) {
			return "", mismatch().WithHint("Version 2 cannot sign the parameter %q unambiguously: sign with Signature Version 4", shorten(p.name))
		}
		signed = append(signed, p)
	}
	slices.SortStableFunc(signed, func(x, y parameter) int { return strings.Compare(x.name, y.name) })
	var b strings.Builder
	for i, p := range signed {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(p.name)
		if p.value != "" {
			b.WriteString("=" + p.value)
		}
	}
	return b.String(), nil
}

// holdsParameter reports whether value, put into a resource decoded, reads
// like a value and further parameters.
func holdsParameter(value string) bool {
	_, value, more := strings.Cut(value, "&")
	for more {
		var part string
		part, value, more = strings.Cut(value, "&")
		if name, _, _ := strings.Cut(part, "="); isWord(name) {
			return true
		}
	}
	return false
}

// isWord reports whether s has the form of a sub-resource's name.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '-' {
			return false
		}
	}
	return s != ""
}

// amzList is the x-amz- headers of a request and the x-amz- parameters that
// stand for headers, sorted by name.
type amzList []amzHeader

type amzHeader struct {
	name    string // lower case
	values  []string
	inQuery bool // not among the headers
}

// amzHeaders gathers what stands for x-amz- headers. X-Amz-Date has no part in
// a presigned URL.
func amzHeaders(h http.Header, q []parameter) (amzList, error) {
	var all amzList
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Date" {
			trimmed := make([]string, 0, len(values))
			for _, v := range values {
				trimmed = append(trimmed, strings.TrimSpace(v))
			}
			all = append(all, amzHeader{name: strings.ToLower(name), values: trimmed})
		}
	}
	for _, p := range q {
		name, value := strings.ToLower(p.name), strings.TrimSpace(p.value)
		if !strings.HasPrefix(name, "x-amz-") || name == "x-amz-date" {
			continue
		}
		if strings.ContainsFunc(name, notName) || strings.ContainsFunc(value, isControl) {
			return nil, badURI("the parameter " + shorten(name) + " cannot be a header")
		}
		i := slices.IndexFunc(all, func(a amzHeader) bool { return a.name == name })
		switch {
		case i < 0:
			all = append(all, amzHeader{name, []string{value}, true})
		case !slices.Contains(all[i].values, value):
			all[i].values = append(all[i].values, value)
		}
		if len(all) > maxAmz || i >= 0 && len(all[i].values) > maxAmz {
			return nil, badURI("the query string holds too many x-amz- parameters")
		}
	}
	all.sort()
	return all, nil
}

func (a amzList) sort() {
	slices.SortFunc(a, func(x, y amzHeader) int { return strings.Compare(x.name, y.name) })
}

// String returns the headers as Version 2 signs them.
func (a amzList) String() string {
	var b strings.Builder
	for _, h := range a {
		b.WriteString(h.name + ":" + strings.Join(h.values, ",") + "\n")
	}
	return b.String()
}

// unfold puts the x-amz- parameters of a URL presigned by Version 4 among r's
// headers. Those of the signature stand for none, and neither do checksums: SDKs
// put that of an empty body there, and S3 passes it over. What is a header
// already stays as it is.
func unfold(r *http.Request) error {
	q, err := parameters(r.URL.RawQuery)
	if err != nil {
		return err
	}
	q = slices.DeleteFunc(q, func(p parameter) bool {
		return own[strings.ToLower(p.name)] || hasPrefixFold(p.name, "x-amz-checksum-")
	})
	amz, err := amzHeaders(nil, q)
	for _, x := range amz {
		if headerValues(r.Header, x.name) == nil {
			x.set(r.Header)
		}
	}
	return err
}

// own are the x-amz- parameters of a URL presigned by Version 4 that stand for
// no header.
var own = map[string]bool{
	"x-amz-algorithm": true, "x-amz-credential": true, "x-amz-date": true, "x-amz-expires": true,
	"x-amz-signedheaders": true, "x-amz-signature": true, "x-amz-security-token": true,
	"x-amz-content-sha256": true, "x-amz-sdk-checksum-algorithm": true,
}

// set puts a header among others, its values as one: they were signed so.
func (x *amzHeader) set(h http.Header) { h.Set(x.name, strings.Join(x.values, ",")) }

// move puts what is only in the query into the headers, and gives each header
// the one value that was signed.
func (a amzList) move(h http.Header) {
	for _, x := range a {
		if (x.inQuery || len(x.values) > 1) && x.name != "x-amz-security-token" {
			x.set(h)
		}
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// notName reports whether r is no character of a header's name.
func notName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
