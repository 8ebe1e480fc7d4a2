package s3api

import (
	"errors"
	"io"
	"net/http"

	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// digests reads what the request says of its payload.
func (c *call) digests() (*checksum.Digests, error) {
	return checksum.Read(c.r.Header, c.verified)
}

// showChecksums sets the headers for checksums.
func showChecksums(h http.Header, sums []object.Checksum) {
	for i := range sums {
		if a := checksum.Find(sums[i].Algorithm); a != nil {
			wire.Set(h, a.Header, sums[i].Value)
			wire.Set(h, "x-amz-checksum-type", checksum.Type(&sums[i]))
		}
	}
}

// writeChecksums writes checksums as elements of a document.
func writeChecksums(x *wire.Document, sums []object.Checksum) {
	for i := range sums {
		x.Text("Checksum"+sums[i].Algorithm, sums[i].Value)
	}
}

// payload is the request's body with its end in S3's words.
type payload struct{ r io.Reader }

func (p payload) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.New(fault.Invalid, "IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return n, err
}
