package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Claim is what an unverified request says about its signature.
type Claim struct {
	version    int // of the signature: 4, or 2
	accessKey  string
	token      string
	scope      Scope
	credential string // as it was sent
	presigned  bool   // in a URL, or in an HTML form
	form       bool   // in an HTML form
	policy     string // of a form, as it was sent
	time       time.Time
	timeText   string        // as it is signed
	expires    time.Duration // of a presigned URL
	end        time.Time     // of a presigned URL's life, Version 2
	signed     []string      // header names, lower case, sorted
	names      string        // the same, joined with semicolons
	signature  string        // 64 hexadecimal digits; base64 in Version 2
	payload    string        // presigned: X-Amz-Content-Sha256 of the query
}

// AccessKey returns the access key that the request claims.
func (c *Claim) AccessKey() string { return c.accessKey }

// Token returns the session token that came with the request, "" if none did.
func (c *Claim) Token() string { return c.token }

// Scope returns the credential scope that the request claims. Version 2 knows
// S3 only and says neither date nor region: they are "".
func (c *Claim) Scope() Scope { return c.scope }

// Parse reads the signature of a request from its Authorization header or its
// query string, of Version 4 or 2. A request without any is anonymous: nil and
// no error. Errors: AuthorizationHeaderMalformed,
// AuthorizationQueryParametersError, InvalidRequest for asymmetric signatures,
// InvalidArgument for other schemes and for two at once, AccessDenied for a
// missing date or parameter of Version 2, and InvalidURI.
func Parse(r *http.Request) (*Claim, error) {
	headers := r.Header["Authorization"]
	inQuery, second := hasVersion4(r.URL.RawQuery), hasVersion2(r.URL.RawQuery)
	switch {
	case len(headers) > 1 || len(headers) == 1 && (inQuery || second) || inQuery && second:
		return nil, manyMechanisms()
	case inHeader2(r):
		return parseHeader2(r, headers[0])
	case len(headers) == 1:
		return parseHeader(r, headers[0])
	case inQuery:
		return parseQuery(r)
	case second:
		return parseVersion2(r)
	}
	return nil, nil
}

// ServiceOf returns the service that a request claims to be signed for, "" if
// it does not say, and whether it bears a signature at all. It is for choosing
// who is to Parse the request, and checks nothing.
func ServiceOf(r *http.Request) (service string, signed bool) {
	headers, raw := r.Header["Authorization"], r.URL.RawQuery
	credential := ""
	switch {
	case len(headers) > 0:
		_, credential, _ = strings.Cut(headers[0], "Credential=")
		credential, _, _ = strings.Cut(credential, ",")
	case hasVersion4(raw):
		_, credential, _ = strings.Cut("&"+raw, "&X-Amz-Credential=")
		credential, _, _ = strings.Cut(credential, "&")
		credential, _ = url.QueryUnescape(credential) // "" if it is broken
	default:
		return "", hasVersion2(raw)
	}
	if parts := strings.SplitN(credential, "/", 5); len(parts) == 5 {
		return parts[3], true
	}
	return "", true
}

// hasVersion4 reports whether a query string holds a signature of Version 4.
func hasVersion4(raw string) bool {
	return hasParameter(raw, "&X-Amz-Algorithm=") || hasParameter(raw, "&X-Amz-Signature=") || hasParameter(raw, "&X-Amz-Credential=")
}

// hasParameter reports whether a query string holds a parameter, given as
// "&NAME=".
func hasParameter(raw, name string) bool {
	return strings.HasPrefix(raw, name[1:]) || strings.Contains(raw, name)
}

func parseHeader(r *http.Request, s string) (*Claim, error) {
	if len(s) > maxAuthorization {
		return nil, malformed("it is too long")
	}
	algorithm, rest, more := strings.Cut(s, " ")
	switch {
	case algorithm == Algorithm && more:
	case strings.HasPrefix(algorithm, "AWS4-ECDSA-"):
		return nil, unsupportedAlgorithm()
	case !more:
		return nil, badAuthorization(s, "Authorization header is invalid -- one and only one ' ' (space) required.")
	default:
		return nil, badAuthorization(s, "Unsupported Authorization Type")
	}
	c := &Claim{version: 4, token: r.Header.Get("X-Amz-Security-Token")}
	credential, names, signature, err := components(rest)
	if err != nil {
		return nil, err
	}
	c.signature = signature
	if err := c.setCredential(credential); err != nil {
		return nil, err
	}
	if !c.setSigned(names) {
		return nil, malformed("SignedHeaders must name the signed headers, among them 'host'.")
	}
	if !isDigest(c.signature) {
		return nil, malformed("the Signature must have 64 lower-case hexadecimal digits.")
	}
	if !c.setDate(r.Header) {
		return nil, noDate()
	}
	if c.timeText[:8] != c.scope.Date {
		return nil, malformed("Invalid credential date \"" + c.scope.Date + "\". This date is not the same as X-Amz-Date: \"" + c.timeText[:8] + "\".")
	}
	return c, nil
}

// components reads "NAME=VALUE, ...", each of the three once.
func components(s string) (credential, names, signature string, err error) {
	fields := [...]struct {
		name  string
		value *string
		given bool
	}{{"Credential", &credential, false}, {"SignedHeaders", &names, false}, {"Signature", &signature, false}}
	given := 0
	for field := range strings.SplitSeq(s, ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return "", "", "", malformed("the authorization component \"" + shorten(field) + "\" is malformed.")
		}
		given++
		for i := range fields {
			if f := &fields[i]; f.name == name {
				*f.value, f.given = value, true
			}
		}
	}
	if given < len(fields) {
		return "", "", "", malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	for _, f := range fields {
		if !f.given {
			return "", "", "", malformed("missing " + f.name + ".")
		}
	}
	return credential, names, signature, nil
}

// setCredential reads KEY/DATE/REGION/SERVICE/aws4_request.
func (c *Claim) setCredential(s string) error {
	c.credential = s
	parts := strings.Split(s, "/")
	if len(parts) != 5 {
		return c.Refuse(credentialForm)
	}
	c.accessKey = parts[0]
	c.scope = Scope{Date: parts[1], Region: parts[2], Service: parts[3]}
	switch _, err := time.Parse(dateLayout, parts[1]); {
	case c.accessKey == "":
		return c.Refuse("a non-empty Access Key (AKID) must be provided in the credential.")
	case parts[3] == "": // an empty region is the server's: clients of Ceph sign so
		return c.Refuse(credentialForm)
	case parts[4] != terminator:
		return c.Refuse("incorrect terminal \"" + shorten(parts[4]) + `". This endpoint uses "` + terminator + `".`)
	case err != nil:
		return c.Refuse("incorrect date format \"" + shorten(parts[1]) + `". This date in the credential must be in the format "yyyyMMdd".`)
	}
	return nil
}

const credentialForm = `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`

// setSigned reads SignedHeaders.
func (c *Claim) setSigned(s string) bool {
	if s == "" || len(s) > maxAuthorization || s != strings.ToLower(s) {
		return false
	}
	c.names, c.signed = s, strings.Split(s, ";")
	if !slices.IsSorted(c.signed) {
		slices.Sort(c.signed)
		c.names = strings.Join(c.signed, ";")
	}
	return c.signs("host")
}

// signs reports whether a header is signed, given its name in any case.
func (c *Claim) signs(name string) bool {
	_, ok := slices.BinarySearchFunc(c.signed, name, compareFold)
	return ok
}

// compareFold compares lower, in lower case, with s in any case.
func compareFold(lower, s string) int {
	for i := range min(len(lower), len(s)) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if lower[i] != c {
			return int(lower[i]) - int(c)
		}
	}
	return len(lower) - len(s)
}

// parseDate reads a date in a form of HTTP, of mail or of signatures.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{http.TimeFormat, time.RFC1123Z, timeLayout, time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil && t.Unix() >= 0 {
			return t, true
		}
	}
	return time.Time{}, false
}

// setDate reads the time of a header-signed request.
func (c *Claim) setDate(h http.Header) (ok bool) {
	if s := h.Get("X-Amz-Date"); s != "" {
		var err error
		c.timeText = s
		c.time, err = time.Parse(timeLayout, s)
		return err == nil
	}
	c.time, ok = parseDate(h.Get("Date"))
	c.timeText = c.time.UTC().Format(timeLayout)
	return ok
}

func parseQuery(r *http.Request) (*Claim, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, badURI("the query string has more than 65,536 bytes")
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badURI(err.Error())
	}
	// Only S3 needs to be told how long the URL lives.
	s3 := strings.Contains(q.Get("X-Amz-Credential"), "/s3/")
	for _, name := range []string{"Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires"} {
		if n := len(q["X-Amz-"+name]); n != 1 && (n != 0 || s3 || name != "Expires") {
			return nil, badParameter("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
				"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	switch algorithm := q.Get("X-Amz-Algorithm"); {
	case strings.HasPrefix(algorithm, "AWS4-ECDSA-"):
		return nil, badParameter("X-Amz-Algorithm only supports \"" + Algorithm + "\"").WithHint("asymmetric signatures are not offered")
	case algorithm != Algorithm:
		return nil, badParameter("X-Amz-Algorithm only supports \"" + Algorithm + " and AWS4-ECDSA-P256-SHA256\"")
	}
	c := &Claim{
		version: 4, presigned: true, token: q.Get("X-Amz-Security-Token"), timeText: q.Get("X-Amz-Date"),
		signature: q.Get("X-Amz-Signature"), payload: q.Get("X-Amz-Content-Sha256"),
	}
	if err := c.setCredential(q.Get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	if !c.setSigned(q.Get("X-Amz-SignedHeaders")) {
		return nil, badParameter("X-Amz-SignedHeaders must name the signed headers, among them 'host'.")
	}
	if !isDigest(c.signature) {
		return nil, badParameter("X-Amz-Signature must have 64 lower-case hexadecimal digits.")
	}
	if c.time, err = time.Parse(timeLayout, c.timeText); err != nil {
		return nil, badParameter(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	if c.timeText[:8] != c.scope.Date {
		return nil, badParameter("Invalid credential date \"" + c.scope.Date + "\". This date is not the same as X-Amz-Date: \"" + c.timeText[:8] + "\".")
	}
	expires := q.Get("X-Amz-Expires")
	if expires == "" && !c.scope.s3() {
		c.expires = MaxSkew
		return c, nil
	}
	return c, c.setExpires(expires)
}

// setExpires reads the life of a presigned URL, in seconds.
func (c *Claim) setExpires(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return badParameter("X-Amz-Expires should be a number")
	case n < 0:
		return badParameter("X-Amz-Expires must be non-negative")
	case n > int64(MaxExpires/time.Second):
		return badParameter("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	c.expires = time.Duration(n) * time.Second
	return nil
}
