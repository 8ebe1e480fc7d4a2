package wire

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"twinbucket/fault"
)

// Body reads the whole request body, at most limit bytes, and checks it
// against Content-MD5 if that was sent. Errors: MaxMessageLengthExceeded
// (TooLarge), InvalidDigest, BadDigest, IncompleteBody, and whatever fault the
// body's own reader returns.
func Body(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	tooLarge := fault.New(fault.TooLarge, "MaxMessageLengthExceeded", "Your request was too big.").
		WithHint("a body of this request has at most %d bytes", limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, readError(err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge
	}
	if want := r.Header.Get("Content-Md5"); want != "" {
		if err := checkMD5(data, want); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// readError gives an error of a body's reader a kind and a code.
func readError(err error) error {
	var fe *fault.Error
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &fe):
		return err
	case errors.As(err, &limit):
		return fault.New(fault.TooLarge, "MaxMessageLengthExceeded", "Your request was too big.")
	}
	e := fault.New(fault.Invalid, "IncompleteBody",
		"You did not provide the number of bytes specified by the Content-Length HTTP header.")
	e.Err = err
	return e
}

func checkMD5(data []byte, want string) error {
	sum, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(sum) != md5.Size {
		return fault.New(fault.Invalid, "InvalidDigest", "The Content-MD5 you specified is not valid.").
			WithHint("Content-MD5 is the base64 form of the 16 bytes of the body's MD5")
	}
	if got := md5.Sum(data); string(got[:]) != string(sum) {
		return fault.New(fault.Invalid, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	return nil
}

// Form reads the parameters of a query-protocol request (IAM, STS,
// CloudFormation) from its URL and its body of at most limit bytes; the body
// wins. Errors: those of Body, MalformedQueryString, and
// UnsupportedMediaType for a POST body that is no form.
func Form(r *http.Request, limit int64) (url.Values, error) {
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badQuery(err)
	}
	data, err := Body(r, limit)
	if err != nil || len(data) == 0 {
		return form, err
	}
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/x-www-form-urlencoded" {
			return nil, fault.Newf(fault.Invalid, "UnsupportedMediaType", "The content type %q is not supported.", ct).
				WithHint("send the parameters as application/x-www-form-urlencoded")
		}
	}
	body, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, badQuery(err)
	}
	maps.Copy(form, body)
	return form, nil
}

func badQuery(err error) error {
	e := fault.New(fault.Invalid, "MalformedQueryString", "The query string contains a syntax error.")
	e.Err = err
	return e
}

// Members returns the values of the list name.member.1, name.member.2, ... in
// the order of their numbers. The form name.1, name.2 is read as well.
func Members(form url.Values, name string) []string {
	var list []string
	for _, m := range Structs(form, name) {
		if v, ok := m[""]; ok {
			list = append(list, v)
		}
	}
	return list
}

// Structs returns the elements of a list of structures
// (name.member.N.Field=value) in the order of their numbers, each as a map
// from field, which may itself have dots, to value. The field of a plain
// list element is "".
func Structs(form url.Values, name string) []map[string]string {
	byNumber := map[int]map[string]string{}
	for key, values := range form {
		rest, ok := strings.CutPrefix(key, name+".")
		if !ok || len(values) == 0 {
			continue
		}
		rest = strings.TrimPrefix(rest, "member.")
		number, field, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			continue
		}
		if byNumber[n] == nil {
			byNumber[n] = map[string]string{}
		}
		byNumber[n][field] = values[0]
	}
	list := make([]map[string]string, 0, len(byNumber))
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		list = append(list, byNumber[n])
	}
	return list
}

// MaxHeaders is how many bytes the names and values of a request's headers have
// at most together.
const MaxHeaders = 8 << 10

// CheckHeaders refuses headers of more than MaxHeaders:
// fault.Invalid RequestHeaderSectionTooLarge.
func CheckHeaders(h http.Header) error {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size <= MaxHeaders {
		return nil
	}
	return fault.New(fault.Invalid, "RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed size.").
		With("MaxSizeAllowed", strconv.Itoa(MaxHeaders)).WithHint("the headers have %d bytes", size)
}
