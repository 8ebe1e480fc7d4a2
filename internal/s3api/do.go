package s3api

import (
	"crypto/tls"
	"net/http"

	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
)

// Door answers requests.
type Door struct{ *server }

// Do does what a request in the path style asks, for a caller who need not sign
// it: engines ask so for what a client would ask. A copy that is made for
// something once names, if that is not "", is made once (store.Put). The error
// is what the client would be told; wire.Status is its status.
//
// Policies see a request over TLS that is signed and comes from no address.
func (d *Door) Do(r *http.Request, caller *iam.Caller, once string) error {
	signed := *caller
	var err error
	if signed.Verified, err = sigv4.Anonymous(r); err != nil {
		return err
	}
	signed.Verified.Version = 4
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13}
	w := unheard{make(http.Header)}
	c := call{server: d.server, w: w, h: w.h, r: r, caller: &signed, once: once}
	return c.serve()
}

// unheard is an answer that nobody reads.
type unheard struct{ h http.Header }

func (u unheard) Header() http.Header         { return u.h }
func (u unheard) Write(b []byte) (int, error) { return len(b), nil }
func (u unheard) WriteHeader(int)             {}
