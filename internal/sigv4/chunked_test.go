package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/fault"
)

// seeds are the signatures of AWS's two chunked examples.
const (
	chunkedSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	trailerSeed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
)

var exampleScope = Scope{"20130524", "us-east-1", "s3"}

// verified is a request of the example key whose body comes in chunks.
func verified(p Payload, seed string, decoded int64, declared ...string) *Verified {
	return &Verified{
		Payload: p, Scope: exampleScope, Decoded: decoded, seed: seed, declared: declared,
		timeText: "20130524T000000Z", key: derive(keyID{exampleSecret, exampleScope}),
	}
}

func TestChunkedVectors(t *testing.T) {
	t.Parallel()
	trailing := strings.Replace(trailerHead, "LENGTH", strconv.Itoa(len(trailerBody())), 1)
	for _, c := range []struct {
		name, text string
		trailers   http.Header
	}{
		{"chunks", chunkedHead + chunkedBody(), nil},
		{"trailer", trailing + trailerBody(), http.Header{"X-Amz-Checksum-Crc32c": {"sOO8/Q=="}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, slow := range []bool{false, true} {
				r := read(t, c.text)
				v := verifyExample(t, r)
				if got := v.Size(r.ContentLength); got != 66560 {
					t.Errorf("size %d", got)
				}
				body := v.Body(r.Body, r.ContentLength)
				if slow {
					body = iotest.OneByteReader(body)
				}
				data, err := io.ReadAll(body)
				if err != nil || string(data) != strings.Repeat("a", 66560) {
					t.Errorf("%d bytes, %v", len(data), err)
				}
				if diff := cmp.Diff(c.trailers, v.Trailers()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestChunkedLastBytes checks that a reader of exactly the announced size
// never gets it all when what follows is wrong.
func TestChunkedLastBytes(t *testing.T) {
	t.Parallel()
	body := strings.Replace(trailerBody(), "sOO8/Q==", "sOO8/A==", 1)
	v := verified(ChunkedTrailer, trailerSeed, 66560, "x-amz-checksum-crc32c")
	if n, err := io.ReadFull(v.Body(strings.NewReader(body), -1), make([]byte, 66560)); fault.CodeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("%d bytes, %v", n, err)
	}
	p := (&Verified{Payload: Hashed, Digest: hexDigest([]byte("hello"))}).Body(strings.NewReader("hellO"), 5)
	if n, err := io.ReadFull(p, make([]byte, 5)); fault.CodeOf(err) != "XAmzContentSHA256Mismatch" {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestChunkedErrors(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("b", minChunk)
	for _, c := range []struct {
		name    string
		payload Payload
		decoded int64
		trailer string
		body    string
		code    string
		want    string
	}{
		{name: "good", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\r\n0\r\n\r\n", want: "abc"},
		{name: "good, an extension and bare newlines in the trailer", payload: UnsignedChunkedTrailer, decoded: 3, trailer: "x-a", body: "3;x=y\r\nabc\r\n0\r\nx-a:1\n\n", want: "abc"},
		{name: "bare newline behind a size", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "bare newline behind data", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "good, upper case size", payload: UnsignedChunkedTrailer, decoded: 10, body: "A\r\n0123456789\r\n0\r\n\r\n", want: "0123456789"},
		{name: "good, trailer", payload: UnsignedChunkedTrailer, decoded: 3, trailer: "x-a,x-b", body: "3\r\nabc\r\n0\r\nX-B: 2\r\nx-a:1\r\n\r\n", want: "abc"},
		{name: "no empty line at the end", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\r\n0\r\n", code: "IncompleteBody"},
		{name: "no empty line behind the trailer", payload: UnsignedChunkedTrailer, decoded: 3, trailer: "x-a", body: "3\r\nabc\r\n0\r\nx-a:1\r\n", code: "IncompleteBody"},
		{name: "good, empty", payload: UnsignedChunkedTrailer, body: "0\r\n\r\n"},
		{name: "nothing", payload: UnsignedChunkedTrailer, body: "", code: "IncompleteBody"},
		{name: "cut in data", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nab", code: "IncompleteBody"},
		{name: "cut after data", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc", code: "IncompleteBody"},
		{name: "no last chunk", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\r\n", code: "IncompleteBody"},
		{name: "cut in header", payload: UnsignedChunkedTrailer, decoded: 3, body: "3", code: "IncompleteBody"},
		{name: "fewer than decoded", payload: UnsignedChunkedTrailer, decoded: 4, body: "3\r\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "more than decoded", payload: UnsignedChunkedTrailer, decoded: 2, body: "3\r\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "one chunk too many", payload: UnsignedChunkedTrailer, decoded: minChunk, body: "2000\r\n" + big + "\r\n1\r\nx\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "not hexadecimal", payload: UnsignedChunkedTrailer, decoded: 3, body: "g\r\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "negative", payload: UnsignedChunkedTrailer, decoded: 3, body: "-3\r\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "size overflows", payload: UnsignedChunkedTrailer, decoded: 3, body: "ffffffffffffffff\r\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "no line end after data", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabcd\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "endless header", payload: UnsignedChunkedTrailer, decoded: 3, body: strings.Repeat("0", 2*maxLine), code: "IncompleteBody"},
		{name: "small chunk in the middle", payload: UnsignedChunkedTrailer, decoded: 4, body: "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", code: "InvalidChunkSizeError"},
		{name: "trailer missing", payload: UnsignedChunkedTrailer, decoded: 3, trailer: "x-a", body: "3\r\nabc\r\n0\r\n\r\n", code: "MalformedTrailerError"},
		{name: "trailer not announced", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\r\n0\r\nx-a:1\r\n\r\n", code: "MalformedTrailerError"},
		{name: "trailer twice", payload: UnsignedChunkedTrailer, decoded: 3, trailer: "x-a", body: "3\r\nabc\r\n0\r\nx-a:1\r\nx-a:1\r\n\r\n", code: "MalformedTrailerError"},
		{name: "trailer without colon", payload: UnsignedChunkedTrailer, decoded: 3, trailer: "x-a", body: "3\r\nabc\r\n0\r\nx-a\r\n\r\n", code: "MalformedTrailerError"},
		{name: "endless empty lines", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\r\n0\r\n" + strings.Repeat("\r\n", 100), code: "MalformedTrailerError"},
		{name: "bytes after the end", payload: UnsignedChunkedTrailer, decoded: 3, body: "3\r\nabc\r\n0\r\n\r\nmore\r\n", code: "MalformedTrailerError"},
		{name: "signature missing", payload: Chunked, decoded: 3, body: "3\r\nabc\r\n0\r\n\r\n", code: "IncompleteBody"},
		{name: "signature wrong", payload: Chunked, decoded: 3, body: "3;chunk-signature=" + chunkedSeed + "\r\nabc\r\n0\r\n\r\n", code: "SignatureDoesNotMatch"},
		{name: "last chunk not signed", payload: Chunked, body: "0;chunk-signature=" + chunkedSeed + "\r\n\r\n", code: "SignatureDoesNotMatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verified(c.payload, chunkedSeed, c.decoded)
			if c.trailer != "" {
				v.declared = strings.Split(c.trailer, ",")
			}
			data, err := io.ReadAll(v.Body(strings.NewReader(c.body), int64(len(c.body))))
			if fault.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
				t.Fatalf("%v, want code %q", err, c.code)
			}
			if err == nil && string(data) != c.want {
				t.Errorf("%q, want %q", data, c.want)
			}
			if err != nil && int64(len(data)) >= max(c.decoded, 1) {
				t.Errorf("all %d bytes were delivered in spite of %v", len(data), err)
			}
		})
	}
}

func TestPlainBody(t *testing.T) {
	t.Parallel()
	hash := hexDigest([]byte("hello"))
	for _, c := range []struct {
		name   string
		v      Verified
		body   io.Reader
		length int64
		code   string
	}{
		{"hashed", Verified{Digest: hash}, strings.NewReader("hello"), 5, ""},
		{"hashed, length unknown", Verified{Digest: hash}, strings.NewReader("hello"), -1, ""},
		{"hashed, end with data", Verified{Digest: hash}, iotest.DataErrReader(strings.NewReader("hello")), 5, ""},
		{"other bytes", Verified{Digest: hash}, strings.NewReader("hellO"), 5, "XAmzContentSHA256Mismatch"},
		{"other bytes, length unknown", Verified{Digest: hash}, strings.NewReader("hellO"), -1, "XAmzContentSHA256Mismatch"},
		{"no bytes, length unknown", Verified{Digest: hash}, strings.NewReader(""), -1, "XAmzContentSHA256Mismatch"},
		{"bytes where none were signed", Verified{Digest: EmptyPayload}, strings.NewReader("x"), 1, "XAmzContentSHA256Mismatch"},
		{"shorter", Verified{Digest: hash}, strings.NewReader("hello"), 6, "IncompleteBody"},
		{"longer", Verified{Digest: hash}, strings.NewReader("hello"), 4, "IncompleteBody"},
		{"unsigned", Verified{Payload: Unsigned}, strings.NewReader("hello"), 5, ""},
		{"unsigned, shorter", Verified{Payload: Unsigned}, strings.NewReader("hello"), 6, "IncompleteBody"},
		{"unsigned, cut", Verified{Payload: Unsigned}, iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("hello"))), 5, "IncompleteBody"},
		{"reader's own fault", Verified{Payload: Unsigned}, iotest.ErrReader(fault.New(fault.Busy, "SlowDown", "")), 5, "SlowDown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := c.v.Body(c.body, c.length)
			data, err := io.ReadAll(body)
			if fault.CodeOf(err) != c.code || (err == nil) != (c.code == "") || (err == nil && string(data) != "hello") {
				t.Errorf("%q, %v; want code %q", data, err, c.code)
			}
			if n, again := body.Read(make([]byte, 9)); n != 0 || (err == nil && again != io.EOF) || (err != nil && !errors.Is(again, err)) {
				t.Errorf("read after the end: %d, %v", n, again)
			}
		})
	}
	var none Verified
	none.Digest = EmptyPayload
	if data, err := io.ReadAll(none.Body(nil, 0)); len(data) != 0 || err != nil {
		t.Errorf("no body: %q, %v", data, err)
	}
}

// encode writes data in chunks of the given size, as a client does.
func encode(v *Verified, data string, size int, trailers [][2]string) string {
	c := &chunked{v: v, previous: v.seed}
	var b strings.Builder
	chunk := func(s string) {
		fmt.Fprintf(&b, "%x", len(s))
		if v.Payload.signed() {
			sum := sha256.Sum256([]byte(s))
			c.signed("AWS4-HMAC-SHA256-PAYLOAD", EmptyPayload+"\n", sum[:], "")
			c.previous = sigOf(v, c.scratch)
			b.WriteString(";chunk-signature=" + c.previous)
		}
		b.WriteString("\r\n")
		if s != "" {
			b.WriteString(s + "\r\n")
		}
	}
	for len(data) > size {
		chunk(data[:size])
		data = data[size:]
	}
	if data != "" {
		chunk(data)
	}
	chunk("")
	var text strings.Builder
	for _, t := range trailers {
		b.WriteString(t[0] + ":" + t[1] + "\r\n")
		text.WriteString(t[0] + ":" + t[1] + "\n")
	}
	if v.Payload == ChunkedTrailer {
		sum := sha256.Sum256([]byte(text.String()))
		c.signed("AWS4-HMAC-SHA256-TRAILER", "", sum[:], "")
		b.WriteString(trailerSignature + ":" + sigOf(v, c.scratch) + "\r\n")
	}
	return b.String() + "\r\n"
}

func sigOf(v *Verified, text []byte) string {
	sum := mac(v.key[:], text)
	return hex.EncodeToString(sum[:])
}

// TestChunkedProperties: what is encoded is decoded, and no flipped byte of a
// signed stream passes.
func TestChunkedProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SampledFrom([]Payload{Chunked, ChunkedTrailer, UnsignedChunkedTrailer}).Draw(t, "payload")
		data := strings.Repeat("0123456789abcdef", rapid.IntRange(0, 2000).Draw(t, "size"))
		size := rapid.IntRange(minChunk, 3*minChunk).Draw(t, "chunk")
		var trailers [][2]string
		var declared []string
		if payload.trailer() {
			trailers, declared = [][2]string{{"x-amz-checksum-crc32", "AAAAAA=="}}, []string{"x-amz-checksum-crc32"}
		}
		encoded := encode(verified(payload, chunkedSeed, int64(len(data)), declared...), data, size, trailers)
		v := verified(payload, chunkedSeed, int64(len(data)), declared...)
		got, err := io.ReadAll(v.Body(strings.NewReader(encoded), int64(len(encoded))))
		if err != nil || string(got) != data {
			t.Fatalf("%d of %d bytes, %v", len(got), len(data), err)
		}
		if !payload.signed() {
			return
		}
		flipped := []byte(encoded)
		at := rapid.IntRange(0, len(flipped)-1).Draw(t, "at")
		flipped[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		v = verified(payload, chunkedSeed, int64(len(data)), declared...)
		got, err = io.ReadAll(v.Body(strings.NewReader(string(flipped)), -1))
		if err == nil && (string(got) != data || (payload.trailer() && v.Trailers().Get("x-amz-checksum-crc32") != "AAAAAA==")) {
			t.Fatalf("a flipped bit at %d went unnoticed", at)
		}
	})
}

func FuzzChunked(f *testing.F) {
	for _, p := range []Payload{Chunked, ChunkedTrailer, UnsignedChunkedTrailer} {
		v := verified(p, chunkedSeed, 3, "x-a")
		f.Add([]byte(encode(v, "abc", minChunk, [][2]string{{"x-a", "1"}})), int64(3), uint8(p-Chunked))
		f.Add([]byte(encode(v, "", minChunk, nil)), int64(0), uint8(p-Chunked))
	}
	f.Fuzz(func(t *testing.T, body []byte, decoded int64, kind uint8) {
		payload := Chunked + Payload(kind%3)
		v := verified(payload, chunkedSeed, max(decoded, 0), "x-a")
		data, err := io.ReadAll(v.Body(strings.NewReader(string(body)), -1))
		if err == nil && int64(len(data)) != v.Decoded {
			t.Errorf("%d bytes without error, want %d", len(data), v.Decoded)
		}
		if err != nil && fault.CodeOf(err) == "" {
			t.Errorf("error without a code: %v", err)
		}
		if len(data) > len(body) {
			t.Errorf("%d bytes out of %d", len(data), len(body))
		}
	})
}
