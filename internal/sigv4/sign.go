package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sign signs r in its Authorization header and sets X-Amz-Date,
// X-Amz-Content-Sha256 and, for a session, X-Amz-Security-Token.
// PayloadHash is the body's SHA-256 in hexadecimal, or UnsignedPayload; ""
// means EmptyPayload. Signed are the host, all x-amz- headers, Content-Type
// and Content-Md5. Other services than S3 always want the digest.
func Sign(r *http.Request, cred Credentials, region, service, payloadHash string, now time.Time) {
	if payloadHash == "" {
		payloadHash = EmptyPayload
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	text := now.UTC().Format(timeLayout)
	r.Header["X-Amz-Date"] = []string{text}
	r.Header["X-Amz-Content-Sha256"] = []string{payloadHash}
	if cred.Token != "" {
		r.Header["X-Amz-Security-Token"] = []string{cred.Token}
	}
	m := outgoing(r, Scope{text[:8], region, service}, text)
	m.payload = payloadHash
	sig := signature(&m, cred.Secret)
	r.Header["Authorization"] = []string{
		Algorithm + " Credential=" + cred.AccessKey + "/" + m.scope.String() + ",SignedHeaders=" + m.names + ",Signature=" + sig,
	}
}

// Presign returns r's URL with a signature that is valid for expires, at most
// MaxExpires, from now on. The x-amz- headers, Content-Type and Content-Md5
// that r has must be sent with the URL. The body is not signed.
func Presign(r *http.Request, cred Credentials, region, service string, expires time.Duration, now time.Time) string {
	text := now.UTC().Format(timeLayout)
	scope := Scope{text[:8], region, service}
	m := outgoing(r, scope, text)
	m.payload = UnsignedPayload
	if !scope.s3() {
		m.payload = EmptyPayload
	}
	q := []string{
		"X-Amz-Algorithm=" + Algorithm,
		"X-Amz-Credential=" + EncodeQuery(cred.AccessKey+"/"+scope.String()),
		"X-Amz-Date=" + text,
		"X-Amz-Expires=" + strconv.FormatInt(int64(min(expires, MaxExpires)/time.Second), 10),
		"X-Amz-SignedHeaders=" + EncodeQuery(m.names),
	}
	if cred.Token != "" {
		q = append(q, "X-Amz-Security-Token="+EncodeQuery(cred.Token))
	}
	if m.query != "" {
		q = append([]string{m.query}, q...)
	}
	m.query = strings.Join(q, "&")
	u := *r.URL
	u.RawQuery = m.query + "&X-Amz-Signature=" + signature(&m, cred.Secret)
	return u.String()
}

// outgoing gathers what a client signs of r.
func outgoing(r *http.Request, scope Scope, text string) message {
	m := message{
		method: r.Method, path: EncodePath(r.URL.Path), query: r.URL.RawQuery, host: r.Host, length: r.ContentLength,
		header: r.Header, time: text, scope: scope,
	}
	if m.method == "" {
		m.method = http.MethodGet
	}
	if m.path == "" {
		m.path = "/"
	}
	if !scope.s3() {
		m.path = EncodePath(m.path)
	}
	if m.host == "" {
		m.host = r.URL.Host
	}
	m.signed = append(make([]string, 0, 8), "host")
	for name := range r.Header {
		if name == "Content-Type" || name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-") {
			m.signed = append(m.signed, strings.ToLower(name))
		}
	}
	slices.Sort(m.signed)
	m.names = strings.Join(m.signed, ";")
	return m
}

// signature signs m; the query of an outgoing URL that cannot be read signs
// to "" and is refused by the server.
func signature(m *message, secret string) string {
	id := keyID{secret, m.scope}
	key, cached := ring.get(id)
	sig, err := m.sign(key[:])
	if err != nil {
		return ""
	}
	if !cached {
		ring.put(id, key)
	}
	return string(sig[:])
}
