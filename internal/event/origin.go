package event

import (
	"context"
	"time"

	"twinbucket/internal/fields"
)

// Service is what stands for S3 itself where it acts for nobody.
const Service = "s3.amazonaws.com"

// Origin is who had something happen, and when.
type Origin struct {
	Principal string // "AWS:" and the unique id of an IAM identity, an account id, "Anonymous", or Service
	Address   string // IP address, or Service
	Request   string // x-amz-request-id; "": there was no request
	Host      string // x-amz-id-2
	How       How    // a version came to be, where its command does not say it
	Time      time.Time
}

// How says by what a version came to be.
type How uint64

// The ways in which a version comes to be; they are on disk.
const (
	ByPut How = iota
	ByPost
	ByCopy
	ByUpload
)

type originKey struct{}

// With returns a context that carries the origin of what is done in it.
func With(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// From returns the origin that a context carries; S3 itself if it has none.
func From(ctx context.Context) Origin {
	if o, ok := ctx.Value(originKey{}).(Origin); ok {
		return o
	}
	return Origin{Principal: Service, Address: Service}
}

// Fields of an origin.
const (
	fPrincipal fields.Number = iota + 1
	fAddress
	fRequest
	fHost
	fHow
	fTime
)

// Encode writes the origin as one field; nil is left out.
func (o *Origin) Encode(w *fields.Writer, n fields.Number) {
	if o == nil {
		return
	}
	w.Message(n, func(w *fields.Writer) {
		w.Text(fPrincipal, o.Principal)
		w.Text(fAddress, o.Address)
		w.Text(fRequest, o.Request)
		w.Text(fHost, o.Host)
		w.Uint(fHow, uint64(o.How))
		w.Time(fTime, o.Time)
	})
}

// ReadOrigin reads what Origin.Encode wrote.
func ReadOrigin(b []byte) (*Origin, error) {
	o := new(Origin)
	return o, fields.Each(b, func(f fields.Field) error {
		switch f.Number {
		case fPrincipal:
			o.Principal = f.Text()
		case fAddress:
			o.Address = f.Text()
		case fRequest:
			o.Request = f.Text()
		case fHost:
			o.Host = f.Text()
		case fHow:
			o.How = How(f.Uint)
		case fTime:
			o.Time = f.Time()
		}
		return nil
	})
}
