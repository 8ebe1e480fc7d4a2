package s3api

import (
	"net/http"

	"golang.org/x/sync/errgroup"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// maxDeletes is how many keys one DeleteObjects request may name.
const maxDeletes = 1000

// parallelDeletes is how many of them are under way at a time.
const parallelDeletes = 64

// deletion is the document of DeleteObjects.
type deletion struct {
	Quiet  bool
	Object []deletionEntry
}

type deletionEntry struct {
	Key              *string
	VersionID        *string `xml:"VersionId"`
	ETag             *string
	LastModifiedTime *string
	Size             *string
}

// deleteObjects is DeleteObjects. Each key is decided and answered for itself.
func (c *call) deleteObjects() error {
	var doc deletion
	d, err := c.digests()
	if err != nil {
		return err
	}
	if !d.Given() {
		return missingDigest()
	}
	if err := c.xml("Delete", &doc); err != nil {
		return err
	}
	if len(doc.Object) == 0 || len(doc.Object) > maxDeletes {
		return wire.Malformed("Delete holds 1 to 1000 Object elements")
	}
	for i := range doc.Object {
		if doc.Object[i].Key == nil || *doc.Object[i].Key == "" {
			return wire.Malformed("each Object holds a Key")
		}
	}
	outcomes := c.deleteAll(doc.Object)
	x := wire.NewDocument()
	x.OpenNS("DeleteResult", namespace)
	for i := range doc.Object {
		c.writeOutcome(x, &doc.Object[i], &outcomes[i], doc.Quiet)
	}
	x.Close("DeleteResult")
	return c.send(x)
}

// outcome is what became of one of the keys.
type outcome struct {
	store.Deleted
	err error
}

// deleteAll decides the entries one after the other and deletes those allowed
// side by side, so that the store can gather them into few disk writes.
func (c *call) deleteAll(entries []deletionEntry) []outcome {
	out := make([]outcome, len(entries))
	owner := c.ownerOf(c.bucket)
	var g errgroup.Group
	g.SetLimit(parallelDeletes)
	for i := range entries {
		e, o := &entries[i], &out[i]
		if o.err = c.mayDeleteEntry(e); o.err != nil {
			continue
		}
		d := store.Deletion{Bucket: c.name, Key: *e.Key, ID: e.id(), Owner: owner, Bypass: e.id() != "" && c.mayBypass(*e.Key)}
		if e.ETag != nil {
			if d.If, o.err = matchCondition(*e.ETag); o.err != nil {
				continue
			}
		}
		g.Go(func() error {
			o.Deleted, o.err = c.store.DeleteWith(c.r.Context(), d)
			return nil
		})
	}
	_ = g.Wait() // the errors are in the outcomes
	return out
}

// id returns the version that the entry names, "" for none.
func (e *deletionEntry) id() string {
	if e.VersionID == nil {
		return ""
	}
	return *e.VersionID
}

// writeOutcome writes what became of one of the keys.
func (c *call) writeOutcome(x *wire.Document, e *deletionEntry, o *outcome, quiet bool) {
	if o.err != nil {
		c.writeFailure(x, e, o.err)
		return
	}
	if quiet {
		return
	}
	x.Open("Deleted")
	x.Text("Key", *e.Key)
	x.Optional("VersionId", e.id())
	if o.Marker {
		x.Bool("DeleteMarker", true)
		x.Text("DeleteMarkerVersionId", o.ID)
	}
	x.Close("Deleted")
}

func (c *call) writeFailure(x *wire.Document, e *deletionEntry, err error) {
	code, message := fault.CodeOf(err), fault.MessageOf(err)
	if status := wire.Status(err); status >= http.StatusInternalServerError && status != http.StatusNotImplemented {
		c.log.ErrorContext(c.r.Context(), "deleting failed", "bucket", c.name, "key", *e.Key, "error", err)
		code, message = "InternalError", "We encountered an internal error. Please try again."
	}
	x.Open("Error")
	x.Text("Key", *e.Key)
	x.Optional("VersionId", e.id())
	x.Text("Code", code)
	x.Text("Message", message)
	x.Optional("Hint", fault.HintOf(err))
	x.Close("Error")
}

// mayDeleteEntry checks one of the keys and asks whether the caller may delete
// it.
func (c *call) mayDeleteEntry(e *deletionEntry) error {
	if e.LastModifiedTime != nil || e.Size != nil {
		return unsupported("LastModifiedTime and Size are conditions of directory buckets; use ETag")
	}
	if err := object.CheckKey(*e.Key); err != nil {
		return err
	}
	action, read := "s3:DeleteObject", "s3:GetObject"
	delete(c.context(), "s3:versionid")
	delete(c.context(), "s3:if-match")
	if e.ETag != nil {
		c.know("s3:if-match", *e.ETag)
	}
	if id := e.id(); id != "" {
		if err := object.CheckID(id); err != nil {
			return fault.New(fault.Invalid, "NoSuchVersion", "The specified version does not exist.").On(*e.Key)
		}
		action, read = "s3:DeleteObjectVersion", "s3:GetObjectVersion"
		c.know("s3:versionid", id)
	}
	resource := arn.Object(c.bucket.Name, *e.Key)
	if err := c.allowOn(c.bucket, action, resource); err != nil || e.ETag == nil || *e.ETag == "*" {
		return err
	}
	return c.allowOn(c.bucket, read, resource)
}
