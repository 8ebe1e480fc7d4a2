package s3api

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/setting"
)

// The headers of Object Lock.
const (
	headerLockMode  = "X-Amz-Object-Lock-Mode"
	headerLockUntil = "X-Amz-Object-Lock-Retain-Until-Date"
	headerLockHold  = "X-Amz-Object-Lock-Legal-Hold"
	headerBypass    = "X-Amz-Bypass-Governance-Retention"
)

// lockMissing is AWS's answer for the lock of an object in a bucket without
// Object Lock.
func lockMissing(message string) error {
	return fault.New(fault.Invalid, "InvalidRequest", message).
		WithHint("turn Object Lock on with PutObjectLockConfiguration, or make the bucket with x-amz-bucket-object-lock-enabled: true")
}

// newLock returns the lock that a write's headers ask for.
func (c *call) newLock() (object.Lock, error) {
	h := c.r.Header
	mode, until, hold := h.Get(headerLockMode), h.Get(headerLockUntil), h.Get(headerLockHold)
	var l object.Lock
	if mode == "" && until == "" && hold == "" {
		return l, nil
	}
	const both = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
	switch {
	case mode == "" && until != "":
		return l, invalid("x-amz-object-lock-mode", both)
	case mode != "" && until == "":
		return l, invalid("x-amz-object-lock-retain-until-date", both)
	case mode != "" && !validMode(mode):
		return l, invalid("x-amz-object-lock-mode", "Unknown wormMode directive.")
	case hold != "" && hold != "ON" && hold != "OFF":
		return l, invalid("x-amz-object-lock-legal-hold", "Legal Hold must be either of 'ON' or 'OFF'")
	}
	l.Hold, l.Released = hold == "ON", hold == "OFF"
	if mode != "" {
		t, ok := isoTime(until)
		if !ok {
			return l, invalid("x-amz-object-lock-retain-until-date", "The retain until date must be provided in ISO 8601 format").With("ArgumentValue", until)
		}
		if err := c.inFuture(t); err != nil {
			return l, err
		}
		l.Mode, l.Until = mode, t
	}
	if !c.bucket.Locked() {
		return l, lockMissing("Bucket is missing ObjectLockConfiguration")
	}
	return l, nil
}

func validMode(mode string) bool { return mode == object.Governance || mode == object.Compliance }

// inFuture refuses a retention that is over before it begins.
func (c *call) inFuture(until time.Time) error {
	if !until.After(c.now()) {
		return invalid("x-amz-object-lock-retain-until-date", "The retain until date must be in the future!")
	}
	return nil
}

// isoTime reads a time in the forms of ISO 8601 that clients send.
func isoTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "20060102T150405Z", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// knowLock sets the condition keys of the lock that a request asks for.
func (c *call) knowLock(l object.Lock) {
	if l.Mode != "" {
		c.know("s3:object-lock-mode", l.Mode)
		c.know("s3:object-lock-retain-until-date", l.Until.Format(time.RFC3339))
		days := math.Ceil(l.Until.Sub(c.now()).Hours() / 24)
		c.know("s3:object-lock-remaining-retention-days", strconv.FormatFloat(days, 'f', 0, 64))
	}
	if l.Hold || l.Released {
		c.know("s3:object-lock-legal-hold", holdStatus(l))
	}
}

// holdStatus returns ON or OFF.
func holdStatus(l object.Lock) string {
	if l.Hold {
		return "ON"
	}
	return "OFF"
}

// allowLock asks for what writing an object with a lock needs.
func (c *call) allowLock(l object.Lock) error {
	if l.Mode != "" {
		if err := c.allowObject("s3:PutObjectRetention"); err != nil {
			return err
		}
	}
	if l.Hold || l.Released {
		return c.allowObject("s3:PutObjectLegalHold")
	}
	return nil
}

// needDigest refuses a write without a digest where the object will be
// retained.
func (c *call) needDigest(d *checksum.Digests, l object.Lock) error {
	if d.Given() || l == (object.Lock{}) && c.bucket.DefaultRetention().Mode == "" {
		return nil
	}
	return fault.New(fault.Invalid, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
}

// showLock sets the headers of a version's lock, as far as the caller may see
// it.
func (c *call) showLock(l object.Lock) {
	if l.Mode != "" && c.allowObject("s3:GetObjectRetention") == nil {
		wire.Set(c.h, "x-amz-object-lock-mode", l.Mode)
		wire.Set(c.h, "x-amz-object-lock-retain-until-date", l.Until.Format("2006-01-02T15:04:05.000Z"))
	}
	if (l.Hold || l.Released) && c.allowObject("s3:GetObjectLegalHold") == nil {
		wire.Set(c.h, "x-amz-object-lock-legal-hold", holdStatus(l))
	}
}

// mayBypass reports whether the request asks to bypass governance mode for a
// key, and its caller may.
func (c *call) mayBypass(key string) bool {
	return c.bucket.Locked() && strings.EqualFold(c.r.Header.Get(headerBypass), "true") &&
		c.allowOn(c.bucket, "s3:BypassGovernanceRetention", arn.Object(c.bucket.Name, key)) == nil
}

// sealed reads a document that has to come with a digest.
func (c *call) sealed() ([]byte, error) {
	d, err := c.digests()
	if err != nil {
		return nil, err
	}
	data, err := c.read(wire.MaxXML, d)
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0:
		return nil, fault.New(fault.Invalid, "MissingRequestBodyError", "Request Body is empty")
	case !d.Given():
		return nil, fault.New(fault.Invalid, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	return data, nil
}

// sealedXML is xml for the documents that have to come with a digest.
func (c *call) sealedXML(root string, v any) error {
	data, err := c.sealed()
	if err != nil {
		return err
	}
	return wire.Decode(data, root, v)
}

// getObjectLock is GetObjectLockConfiguration.
func (c *call) getObjectLock() error {
	return c.getDocument(bucket.ObjectLock, "s3:GetBucketObjectLockConfiguration",
		"ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")
}

// putObjectLock is PutObjectLockConfiguration.
func (c *call) putObjectLock() error {
	data, err := c.sealed()
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketObjectLockConfiguration"); err != nil {
		return err
	}
	d, err := setting.Parse(bucket.ObjectLock, data)
	if err != nil {
		return err
	}
	err = c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		if err := d.Check(b, c.destination); err != nil {
			return err
		}
		b.Documents[bucket.ObjectLock] = d.XML()
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// lockOf returns the version that the request names, in a bucket with Object
// Lock, for a caller who may do action to it.
func (c *call) lockOf(action string) (*store.Object, error) {
	o, err := c.find(action, action)
	if err != nil {
		return nil, err
	}
	if !c.bucket.Locked() {
		return nil, lockMissing("Bucket is missing Object Lock Configuration")
	}
	return o, nil
}

// noLock is AWS's answer for an object without a lock of the kind asked for.
func noLock(key string) error {
	return fault.New(fault.NotFound, "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration").On(key)
}

// getRetention is GetObjectRetention.
func (c *call) getRetention() error {
	o, err := c.lockOf("s3:GetObjectRetention")
	if err != nil {
		return err
	}
	if o.Lock.Mode == "" {
		return noLock(o.Key)
	}
	x := wire.NewDocument()
	x.OpenNS("Retention", namespace)
	x.Text("Mode", o.Lock.Mode)
	x.Time("RetainUntilDate", o.Lock.Until)
	x.Close("Retention")
	return c.send(x)
}

// putRetention is PutObjectRetention. An empty document takes the retention
// away.
func (c *call) putRetention() error {
	var doc struct {
		Mode            string
		RetainUntilDate string
	}
	if err := c.sealedXML("Retention", &doc); err != nil {
		return err
	}
	r := store.Retention{Mode: doc.Mode}
	if doc.Mode != "" || doc.RetainUntilDate != "" {
		var ok bool
		if r.Until, ok = isoTime(doc.RetainUntilDate); !ok || !validMode(doc.Mode) {
			return wire.Malformed("Retention holds a Mode, GOVERNANCE or COMPLIANCE, and a RetainUntilDate in the form of ISO 8601")
		}
		if err := c.inFuture(r.Until); err != nil {
			return err
		}
	}
	c.knowLock(object.Lock{Mode: r.Mode, Until: r.Until})
	o, err := c.lockOf("s3:PutObjectRetention")
	if err != nil {
		return err
	}
	r.Bypass = c.mayBypass(o.Key)
	if o, err = c.store.SetRetention(c.r.Context(), o.Bucket, o.Key, o.ID, r); err != nil {
		return err
	}
	c.showID(o.ID)
	return c.empty(http.StatusOK)
}

// getLegalHold is GetObjectLegalHold.
func (c *call) getLegalHold() error {
	o, err := c.lockOf("s3:GetObjectLegalHold")
	if err != nil {
		return err
	}
	if !o.Lock.Hold && !o.Lock.Released {
		return noLock(o.Key)
	}
	x := wire.NewDocument()
	x.OpenNS("LegalHold", namespace)
	x.Text("Status", holdStatus(o.Lock))
	x.Close("LegalHold")
	return c.send(x)
}

// putLegalHold is PutObjectLegalHold.
func (c *call) putLegalHold() error {
	var doc struct{ Status string }
	if err := c.sealedXML("LegalHold", &doc); err != nil {
		return err
	}
	if doc.Status != "ON" && doc.Status != "OFF" {
		return wire.Malformed("Status is ON or OFF")
	}
	on := doc.Status == "ON"
	c.knowLock(object.Lock{Hold: on, Released: !on})
	o, err := c.lockOf("s3:PutObjectLegalHold")
	if err != nil {
		return err
	}
	if o, err = c.store.SetLegalHold(c.r.Context(), o.Bucket, o.Key, o.ID, on); err != nil {
		return err
	}
	c.showID(o.ID)
	return c.empty(http.StatusOK)
}
