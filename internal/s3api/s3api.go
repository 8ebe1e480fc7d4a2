// Package s3api is the S3 REST door: buckets, objects, listings, multipart
// uploads and the settings that replication needs, as AWS's clients expect
// them.
//
// A request passes four steps: its target is read from host and path, its
// caller is authenticated, its operation is found by method and sub-resource,
// and the operation authorizes the actions that AWS lists for it and acts.
// What is not offered answers NotImplemented with a hint; no header or
// sub-resource that asks for more than is done is passed over in silence.
package s3api

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/event"
	"twinbucket/internal/form"
	"twinbucket/internal/iam"
	"twinbucket/internal/notify"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/lifecycle"
	"twinbucket/object"
	"twinbucket/setting"
)

// Config is what the door needs.
type Config struct {
	Store  *store.Store
	IAM    *iam.Service
	Region string // of this endpoint, such as "us-east-1"
	// Domains are the hosts below which a bucket's name may stand
	// (BUCKET.DOMAIN), beside localhost and Amazon's own.
	Domains []string
	// Ownership is the setting of new buckets that name none;
	// BucketOwnerEnforced if empty.
	Ownership bucket.Ownership
	// Events knows who can be told of events; nil: nobody can.
	Events *notify.Engine
	Log    *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now
}

// server is the door.
type server struct {
	store      *store.Store
	iam        *iam.Service
	region     string
	domains    []string
	ownership  bucket.Ownership // of new buckets that name none
	events     *notify.Engine
	log        *slog.Logger
	now        func() time.Time
	publics    bucket.Derived[bool] // whether strangers are kept out
	cors       bucket.Derived[setting.CORS]
	lifecycles bucket.Derived[*lifecycle.Set]
	lists      bucket.Derived[acl.List]
}

// New returns the door. It must see paths as they were sent: an
// http.ServeMux before it would clean them and so change keys.
func New(c Config) *Door {
	s := &server{store: c.Store, iam: c.IAM, region: c.Region, ownership: c.Ownership, log: c.Log, now: c.Now}
	if s.events = c.Events; s.events == nil {
		s.events = notify.New(notify.Config{Store: c.Store})
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, d := range c.Domains {
		s.domains = append(s.domains, strings.ToLower(strings.Trim(d, ".")))
	}
	return &Door{s}
}

// call is one request on its way through the door.
type call struct {
	*server
	w http.ResponseWriter
	h http.Header // of the answer
	r *http.Request

	name   string // of the bucket; "" for the service
	key    string // of the object; "" for the bucket
	query  wire.Params
	caller *iam.Caller
	bucket *bucket.Bucket // nil where the operation needs none

	verified *sigv4.Verified // how the body is to be read; also for unsigned requests
	body     io.Reader       // the payload, freed of its transfer coding and verified while it is read
	length   int64           // of the payload; -1 if not declared
	form     *form.Form      // nil unless the request is one
	facts    map[string][]string
	version  *object.Version // that the request names, once it is found
	once     string          // what a copy is made for; "" for those that clients ask for
}

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{server: s, w: w, h: w.Header(), r: r}
	id := wire.RequestID(w)
	wire.Set(c.h, "Server", "Twinbucket")
	if err := c.serve(); err != nil {
		if r.Context().Err() != nil && errors.Is(err, r.Context().Err()) {
			// The client has gone, at least by half; nothing here failed.
			err = fault.New(fault.Invalid, "RequestTimeout", "The client closed its connection before the request was answered.")
		}
		status := wire.Status(err)
		if status >= http.StatusInternalServerError && fault.KindOf(err) != fault.Unsupported {
			s.log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method,
				"bucket", c.name, "key", c.key, "error", err)
		}
		for _, d := range fault.DetailsOf(err) {
			if d.Name == "Region" {
				wire.Set(c.h, wire.RegionHeader, d.Value) // SDKs sign again for it
			}
		}
		wire.WriteError(w, r, wire.S3, "", err)
	}
}

func (c *call) serve() error {
	err := wire.CheckHeaders(c.r.Header)
	if err != nil {
		return err
	}
	c.name, c.key, err = c.target(c.r)
	if err != nil {
		return err
	}
	if c.query, err = wire.ParseParams(c.r.URL.RawQuery); err != nil {
		return err
	}
	if c.r.Method == http.MethodOptions {
		return c.preflight()
	}
	c.allowOrigin()
	// A link of Signature Version 2 signs the bucket and not the host.
	c.r = sigv4.WithHostBucket(c.r, c.hostBucket(c.r.Host))
	if c.caller == nil { // else an engine asks for one that it knows
		if c.caller, err = c.iam.Authenticate(c.r, "s3"); err != nil {
			return err
		}
	}
	op, err := c.operation()
	if err != nil {
		return err
	}
	if err := c.openBody(); err != nil {
		return err
	}
	if c.verified != nil && c.verified.Payload.Streaming() && !op.chunks {
		return fault.New(fault.Invalid, "InvalidRequest", "The value of x-amz-content-sha256 header is invalid.").
			WithHint("only what becomes an object or a part comes in chunks")
	}
	if op.needs == existingBucket {
		if c.bucket, err = c.lookup(c.name, "X-Amz-Expected-Bucket-Owner"); err != nil {
			return err
		}
		c.originate(event.ByPut)
	}
	return op.run(c)
}

// openBody makes the payload ready to be read.
func (c *call) openBody() (err error) {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		c.body = http.NoBody
		return nil
	}
	if c.verified = c.caller.Verified; c.verified == nil {
		if c.verified, err = sigv4.Anonymous(c.r); err != nil {
			return err
		}
	}
	length := c.r.ContentLength
	if length == 0 && len(c.r.Header["Content-Length"]) == 0 {
		length = -1
	}
	c.length = c.verified.Size(length)
	c.body = payload{c.verified.Body(c.r.Body, length)}
	if c.length == 0 {
		// Nothing more will come by which the digest could become right.
		if _, err := c.body.Read(nil); err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// lookup returns a bucket, whose owner must be the one that the header
// called ownerHeader expects, if it is there.
func (c *call) lookup(name, ownerHeader string) (*bucket.Bucket, error) {
	b, err := c.store.Bucket(name)
	if err != nil {
		return nil, err
	}
	if want := c.r.Header.Get(ownerHeader); want != "" && want != b.Owner {
		return nil, fault.New(fault.Denied, "AccessDenied", "Access Denied").On(name).
			WithHint("the bucket's owner is not account %s, which %s names", want, strings.ToLower(ownerHeader))
	}
	return b, nil
}

// document reads the request's body, an XML or JSON document of at most limit
// bytes, and checks it against Content-MD5 and x-amz-checksum-*.
func (c *call) document(limit int64) ([]byte, error) {
	d, err := c.digests()
	if err != nil {
		return nil, err
	}
	return c.read(limit, d)
}

// read reads the request's body, at most limit bytes, and checks it against d.
func (c *call) read(limit int64, d *checksum.Digests) ([]byte, error) {
	tooLarge := fault.New(fault.TooLarge, "MaxMessageLengthExceeded", "Your request was too big.").
		With("MaxMessageLengthBytes", strconv.FormatInt(limit, 10)).
		WithHint("the body of this request has at most %d bytes", limit)
	if c.length > limit {
		c.skip(limit)
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(d.Reader(c.body), limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		c.skip(limit)
		return nil, tooLarge
	}
	if err := d.CheckDocument(data); err != nil || c.bucket == nil {
		return data, err
	}
	// The body may have taken half an hour, and what follows is about the bucket
	// as it is now.
	c.bucket, err = c.store.Again(c.bucket)
	return data, err
}

// skip reads up to n bytes of a body that is refused: a client that is still
// sending when the connection is closed may not see the answer. One that waits
// for the word to begin is not asked to.
func (c *call) skip(n int64) {
	if c.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, c.body, n)
	}
}

// xml reads the request's body into v, an XML document with the given root.
func (c *call) xml(root string, v any) error {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	return wire.Decode(data, root, v)
}

// empty answers without a body.
func (c *call) empty(status int) error {
	if status != http.StatusNoContent {
		wire.Set(c.h, "Content-Length", "0")
	}
	c.w.WriteHeader(status)
	return nil
}

// send answers 200 with a document. A client that has gone is nobody's fault.
func (c *call) send(d *wire.Document) error {
	_ = d.Send(c.w, http.StatusOK)
	return nil
}

// stored answers 200 with a settings document as it was put.
func (c *call) stored(contentType string, data []byte) error {
	wire.Set(c.h, "Content-Type", contentType)
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(data)
	return nil
}

// unsupported is the fault of something understood and not offered. What to do
// about it stands in the message too: most clients show nothing else.
func unsupported(format string, args ...any) error {
	hint := fmt.Sprintf(format, args...)
	return fault.New(fault.Unsupported, "NotImplemented",
		"A header or query you provided implies functionality that is not implemented. ("+hint+")").WithHint("%s", hint)
}

// invalid is an InvalidArgument fault.
func invalid(argument, message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument", message).On(argument).With("ArgumentName", argument)
}
