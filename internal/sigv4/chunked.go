package sigv4

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"twinbucket/fault"
)

// Limits of the aws-chunked encoding.
const (
	minChunk    = 8 << 10 // smallest chunk but the last, as on AWS
	maxLine     = 4 << 10 // bytes of a chunk header or of a trailer line
	maxTrailers = 16      // trailing headers
	maxBlank    = 8       // empty lines after the last chunk
)

const trailerSignature = "x-amz-trailer-signature"

// chunked decodes an aws-chunked body and checks its signatures:
//
//	hex-size[;chunk-signature=SIG] CRLF bytes CRLF ... 0[;chunk-signature=SIG] CRLF
//	[name:value CRLF ... [x-amz-trailer-signature:SIG CRLF]] CRLF
type chunked struct {
	v        *Verified
	r        *bufio.Reader
	hash     hash.Hash // of the chunk's bytes; nil if chunks are not signed
	previous string    // signature before the chunk's
	want     string    // the chunk's signature
	size     int64     // of the chunk
	left     int64     // bytes of the chunk still to be read
	total    int64     // bytes of the body still to be read
	scratch  []byte
	err      error
}

// Read implements io.Reader.
func (c *chunked) Read(b []byte) (int, error) {
	if c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	c.total -= int64(n)
	if c.hash != nil {
		c.hash.Write(b[:n])
	}
	switch {
	case err == io.EOF && c.left > 0:
		c.err = incomplete("the body ends inside a chunk")
	case err != nil && err != io.EOF:
		c.err = cut(err)
	case c.left == 0:
		c.err = c.end()
	}
	if c.err != nil && c.err != io.EOF {
		return 0, c.err
	}
	return n, c.err
}

// next reads a chunk's header, and after the last chunk all the rest; it
// returns io.EOF when everything was read and is right.
func (c *chunked) next() error {
	line, err := c.chunkLine()
	if err != nil {
		return err
	}
	before := c.size
	if err := c.header(line); err != nil {
		return err
	}
	switch {
	case c.size > c.total:
		return wrongLength("the chunks hold more bytes than x-amz-decoded-content-length says")
	case c.size > 0 && before > 0 && before < minChunk:
		return fault.New(fault.Invalid, "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than 8192 bytes").
			WithHint("a chunk of %d bytes is followed by another", before).
			With("BadChunkSize", strconv.FormatInt(before, 10))
	case c.size > 0:
		return nil
	case c.total > 0:
		return wrongLength("the chunks hold fewer bytes than x-amz-decoded-content-length says")
	}
	if err := c.check(); err != nil {
		return err
	}
	return c.trailer()
}

// header reads "hex-size;chunk-signature=SIG".
func (c *chunked) header(line string) error {
	size, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil {
		return incomplete("a chunk does not begin with its size in hexadecimal")
	}
	c.size, c.left = int64(n), int64(n)
	if c.hash == nil {
		return nil
	}
	sig, ok := strings.CutPrefix(extension, "chunk-signature=")
	if !ok || !isDigest(sig) {
		return incomplete("a chunk has no signature, but x-amz-content-sha256 promises signed chunks")
	}
	c.want = sig
	c.hash.Reset()
	return nil
}

// end checks a chunk whose bytes have been read, and goes on to the end of
// the body after the last one.
func (c *chunked) end() error {
	line, err := c.chunkLine()
	if err != nil {
		return err
	}
	if line != "" {
		return incomplete("a chunk is longer than its header says")
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.total > 0 {
		return nil
	}
	return c.next()
}

// check compares the signature of the chunk that was read.
func (c *chunked) check() error {
	if c.hash == nil {
		return nil
	}
	var sum [sha256.Size]byte
	if !c.signed("AWS4-HMAC-SHA256-PAYLOAD", EmptyPayload+"\n", c.hash.Sum(sum[:0]), c.want) {
		return mismatch().WithHint("the payload is wrong: a chunk that arrived is not the chunk that was signed")
	}
	return nil
}

// signed reports whether sig signs sum, and goes on in the chain.
func (c *chunked) signed(kind, middle string, sum []byte, sig string) bool {
	b := append(append(c.scratch[:0], kind...), '\n')
	b = append(append(b, c.v.timeText...), '\n')
	b = append(appendScope(b, c.v.Scope), '\n')
	b = append(append(b, c.previous...), '\n')
	b = hex.AppendEncode(append(b, middle...), sum)
	c.scratch = b
	c.previous = sig
	got := mac(c.v.key[:], b)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], got[:])
	return subtle.ConstantTimeCompare(text[:], []byte(sig)) == 1
}

// trailer reads and checks what follows the last chunk, and returns io.EOF.
func (c *chunked) trailer() error {
	trailers, sig, err := c.trailerLines()
	if err != nil {
		return err
	}
	if c.v.Payload == ChunkedTrailer && !isDigest(sig) {
		return incomplete("the trailer has no signature, but x-amz-content-sha256 promises one")
	}
	names := slices.Sorted(maps.Keys(trailers))
	if !slices.Equal(names, c.v.declared) {
		return badTrailer("the trailer does not hold exactly the headers that x-amz-trailer names")
	}
	if c.v.Payload == ChunkedTrailer {
		var text strings.Builder
		for _, name := range names {
			text.WriteString(name + ":" + trailers[name] + "\n")
		}
		sum := sha256.Sum256([]byte(text.String()))
		if !c.signed("AWS4-HMAC-SHA256-TRAILER", "", sum[:], sig) {
			return mismatch().WithHint("the payload is wrong: the trailer that arrived is not the trailer that was signed")
		}
	}
	if len(names) > 0 {
		c.v.trailers = make(http.Header, len(names))
		for _, name := range names {
			c.v.trailers.Set(name, trailers[name])
		}
	}
	return io.EOF
}

// trailerLines reads trailing headers up to the end of the body.
func (c *chunked) trailerLines() (trailers map[string]string, sig string, err error) {
	trailers = map[string]string{}
	for blank := 0; ; {
		line, err := c.line()
		line = strings.TrimSuffix(line, "\r")
		switch {
		case err == io.EOF && blank > 0:
			return trailers, sig, nil
		case err == io.EOF:
			return nil, "", incomplete("the body ends without an empty line")
		case err != nil:
			return nil, "", err
		case line == "":
			if blank++; blank > maxBlank {
				return nil, "", badTrailer("the body goes on after its end")
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		_, twice := trailers[name]
		switch {
		case !ok || name == "" || twice || len(trailers) >= maxTrailers || sig != "":
			return nil, "", badTrailer("the trailer is not a list of different headers, each name:value")
		case name == trailerSignature:
			sig = value
		default:
			trailers[name] = value
		}
	}
}

// line reads a line without its newline; io.EOF is the end of the body where a
// line would begin.
func (c *chunked) line() (string, error) {
	b, err := c.r.ReadSlice('\n')
	switch {
	case err == io.EOF && len(b) == 0:
		return "", io.EOF
	case err == io.EOF:
		return "", incomplete("the body ends inside a chunk header or trailer")
	case err == bufio.ErrBufferFull:
		return "", incomplete("a chunk header or trailer is too long")
	case err != nil:
		return "", cut(err)
	}
	return string(b[:len(b)-1]), nil
}

// chunkLine reads a line that is not the end of the body and ends with CRLF.
func (c *chunked) chunkLine() (string, error) {
	line, err := c.line()
	if err == io.EOF {
		err = incomplete("the body ends before its last chunk")
	}
	line, ok := strings.CutSuffix(line, "\r")
	if err == nil && !ok {
		err = incomplete("a chunk or its header does not end with CRLF")
	}
	return line, err
}
