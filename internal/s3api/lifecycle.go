package s3api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/lifecycle"
	"twinbucket/object"
)

// lifecycleOf returns a bucket's lifecycle configuration; nil if it has none.
func (s *server) lifecycleOf(b *bucket.Bucket) *lifecycle.Set {
	if b.Documents[bucket.Lifecycle] == nil {
		return nil
	}
	return s.lifecycles.Of(b, parseLifecycle)
}

func parseLifecycle(b *bucket.Bucket) *lifecycle.Set {
	set, err := lifecycle.Parse(b.Documents[bucket.Lifecycle])
	if err != nil {
		return nil // only checked documents are stored
	}
	return set
}

// minimumSize is the header for the size below which nothing is transitioned.
const minimumSize = "x-amz-transition-default-minimum-object-size"

// getLifecycle is GetBucketLifecycleConfiguration, and GetBucketLifecycle.
func (c *call) getLifecycle() error {
	if err := c.allow("s3:GetLifecycleConfiguration"); err != nil {
		return err
	}
	doc := c.bucket.Documents[bucket.Lifecycle]
	if doc == nil {
		return fault.New(fault.NotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist").On(c.name)
	}
	size := string(c.bucket.Documents[bucket.TransitionSize])
	if size == "" {
		size = string(lifecycle.AllClasses)
	}
	wire.Set(c.h, minimumSize, size)
	return c.stored("application/xml", doc)
}

// putLifecycle is PutBucketLifecycleConfiguration, and PutBucketLifecycle.
func (c *call) putLifecycle() error {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutLifecycleConfiguration"); err != nil {
		return err
	}
	size, err := lifecycle.ParseMinimumSize(c.r.Header.Get(minimumSize))
	if err != nil {
		return err
	}
	set, err := lifecycle.Parse(data)
	if err != nil {
		return err
	}
	err = c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		b.Documents[bucket.Lifecycle] = set.XML()
		delete(b.Documents, bucket.TransitionSize)
		if size != lifecycle.AllClasses {
			b.Documents[bucket.TransitionSize] = []byte(size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	wire.Set(c.h, minimumSize, string(size))
	return c.empty(http.StatusOK)
}

// deleteLifecycle is DeleteBucketLifecycle.
func (c *call) deleteLifecycle() error {
	if err := c.allow("s3:PutLifecycleConfiguration"); err != nil {
		return err
	}
	if c.bucket.Documents[bucket.Lifecycle] == nil {
		return c.empty(http.StatusNoContent)
	}
	err := c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		delete(b.Documents, bucket.Lifecycle)
		delete(b.Documents, bucket.TransitionSize)
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// showExpiration sets x-amz-expiration, if a rule ends the current version v.
func (c *call) showExpiration(v *object.Version) {
	set := c.lifecycleOf(c.bucket)
	if set == nil {
		return
	}
	if d := set.Current(v, false, lifecycle.Day); d.Rule != nil {
		wire.Set(c.h, "x-amz-expiration", `expiry-date="`+d.At.Format(http.TimeFormat)+`", rule-id="`+ruleID(d.Rule)+`"`)
	}
}

// showAbort sets x-amz-abort-date and x-amz-abort-rule-id, if a rule aborts
// the upload.
func (c *call) showAbort(key string, started time.Time) {
	set := c.lifecycleOf(c.bucket)
	if set == nil {
		return
	}
	if d := set.Upload(key, started, lifecycle.Day); d.Rule != nil {
		wire.Set(c.h, "x-amz-abort-date", d.At.Format(http.TimeFormat))
		wire.Set(c.h, "x-amz-abort-rule-id", ruleID(d.Rule))
	}
}

// ruleID returns a rule's ID for a header: as it is, but for bytes that no
// header can carry.
func ruleID(r *lifecycle.Rule) string {
	var b strings.Builder
	for i := range len(r.ID) {
		if c := r.ID[i]; c < ' ' || c > '~' || c == '"' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
