// Package wire is what every door needs to speak HTTP: request ids, bounded
// bodies, forms, XML in and out, and errors in the shape of each API.
package wire

//lint:file-ignore SA1008 request ids are sent in AWS's spelling, see Set

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// The headers that name a request, in AWS's spelling.
const (
	headerID  = "x-amz-request-id"
	headerID2 = "x-amz-id-2"
)

// RequestID returns the id of the request that w answers: sixteen characters
// 0-9 A-F. The first call makes it and sets the headers x-amz-request-id and
// x-amz-id-2.
func RequestID(w http.ResponseWriter) string {
	h := w.Header()
	if v := h[headerID]; len(v) == 1 {
		return v[0]
	}
	const digits = "0123456789ABCDEF"
	var id [16]byte
	n := rand.Uint64()
	for i := range id {
		id[i] = digits[n&15]
		n >>= 4
	}
	var host [24]byte
	for i := 0; i < len(host); i += 8 {
		binary.LittleEndian.PutUint64(host[i:], rand.Uint64())
	}
	Set(h, headerID, string(id[:]))
	Set(h, headerID2, base64.StdEncoding.EncodeToString(host[:]))
	return h[headerID][0]
}

// HostID returns the x-amz-id-2 that RequestID set.
func HostID(h http.Header) string {
	if v := h[headerID2]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// quotes leaves quotation marks in text as they are: so does AWS, and people
// look for its words. No attribute here holds any.
var quotes = strings.NewReplacer("&#34;", `"`, "&#39;", "'")

// WriteXML answers with v as an XML document. An error of writing means that
// the client is gone, and there is nobody to tell.
func WriteXML(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		panic("wire: a type that is no XML: " + err.Error())
	}
	body := quotes.Replace(b.String())
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// Set sets a header without rewriting its name, so that clients see it in the
// case in which AWS sends it.
func Set(h http.Header, name, value string) { h[name] = []string{value} }

// Latin1 writes the value of a header in ISO-8859-1, with spaces for control
// characters, which would make something else of the answer. What has no place
// there the caller has refused.
func Latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r < ' ' && r != '\t' || r == 0x7f {
			r = ' '
		}
		b = append(b, byte(r))
	}
	return string(b)
}
