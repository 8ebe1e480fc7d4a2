package store

import (
	"context"
	"slices"
	"time"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/event"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/object"
)

// SetTags replaces the tags of a version; id "" is the current one. It returns
// the version as it is afterwards.
func (s *Store) SetTags(ctx context.Context, bucket, key, id string, tags []object.Tag) (*Object, error) {
	return s.patch(ctx, &patchCommand{bucket: bucket, key: key, id: id, tags: &tags})
}

// SetACL replaces the ACL of a version; id "" is the current one.
func (s *Store) SetACL(ctx context.Context, bucket, key, id string, list acl.List) (*Object, error) {
	return s.patch(ctx, &patchCommand{bucket: bucket, key: key, id: id, acl: list, relist: true})
}

// Retention is how a version is to be retained from now on.
type Retention struct {
	Mode   string    // object.Governance, object.Compliance, or "" for no longer
	Until  time.Time // zero if Mode is ""
	Bypass bool      // the change may weaken what is retained in governance mode
}

// SetRetention changes how long a version is retained; id "" is the current
// one. fault.Denied if that would weaken a retention that must not be.
func (s *Store) SetRetention(ctx context.Context, bucket, key, id string, r Retention) (*Object, error) {
	return s.patch(ctx, &patchCommand{bucket: bucket, key: key, id: id, retention: &r})
}

// SetLegalHold turns the legal hold of a version on or off; id "" is the
// current one.
func (s *Store) SetLegalHold(ctx context.Context, bucket, key, id string, on bool) (*Object, error) {
	return s.patch(ctx, &patchCommand{bucket: bucket, key: key, id: id, hold: fields.Hold(object.Lock{Hold: on, Released: !on})})
}

func (s *Store) patch(ctx context.Context, c *patchCommand) (*Object, error) {
	o, err := s.head(ctx, c.bucket, c.key, c.id)
	if err != nil {
		return nil, err
	}
	if o.Marker {
		return nil, fault.New(fault.Conflict, "MethodNotAllowed", "The specified method is not allowed against this resource.").On(c.key)
	}
	b, err := s.bucket(c.bucket)
	if err != nil {
		return nil, err
	}
	c.id, c.now = o.ID, s.opt.Now().UTC()
	c.resend = s.resend(b, o.Version, c.tags)
	c.origin = s.origin(ctx, b)
	if err := s.do(ctx, c, nil); err != nil {
		return nil, err
	}
	return c.result, nil
}

// resend finds out where the rules take a version that changes; tags are its
// new ones, nil if they stay.
func (s *Store) resend(b *bucket.Bucket, v object.Version, tags *[]object.Tag) []object.Delivery {
	if s.opt.SelectChanges == nil {
		return nil
	}
	if tags != nil {
		v.Tags = *tags
	}
	return s.opt.SelectChanges(b, &v)
}

// locked refuses what Object Lock protects a version from.
func locked(key string) error {
	return fault.New(fault.Denied, "AccessDenied", "Access Denied because object protected by object lock.").On(key).
		WithHint("wait until the retention ends or take off the legal hold; governance mode gives way to x-amz-bypass-governance-retention: true, from who may s3:BypassGovernanceRetention")
}

// patchCommand changes what can be changed of a version.
type patchCommand struct {
	bucket, key, id string
	tags            *[]object.Tag
	lock            *object.Lock // of old records: the whole lock, unchecked
	retention       *Retention
	now             time.Time // of the change; in old records only of a retention's
	hold            uint64
	acl             acl.List
	relist          bool              // acl is the version's from now on
	resend          []object.Delivery // where rules take the change
	origin          *event.Origin
	result          *Object
}

func (c *patchCommand) number() byte { return cmdPatch }

func (c *patchCommand) encode(w *fields.Writer) {
	w.Text(fields.Bucket, c.bucket)
	w.Text(fields.Key, c.key)
	w.Text(fields.ID, c.id)
	if c.tags != nil {
		w.Message(fSetTags, func(w *fields.Writer) {
			for _, t := range *c.tags {
				w.Pair(1, t.Key, t.Value)
			}
		})
	}
	if c.retention != nil {
		w.Message(fRetention, func(w *fields.Writer) {
			w.Text(1, c.retention.Mode)
			w.Time(2, c.retention.Until)
			w.Bool(3, c.retention.Bypass)
		})
	}
	w.Time(fNow, c.now)
	w.Uint(fHold, c.hold)
	w.Bool(fRelist, c.relist)
	w.ACL(fSetACL, c.acl)
	for _, d := range c.resend {
		w.Delivery(fResend, d)
	}
	c.origin.Encode(w, fOrigin)
}

func (c *patchCommand) decode(f fields.Field) (err error) {
	switch f.Number {
	case fields.Bucket:
		c.bucket = f.Text()
	case fields.Key:
		c.key = f.Text()
	case fields.ID:
		c.id = f.Text()
	case fSetTags:
		c.tags = &[]object.Tag{}
		return fields.Each(f.Bytes, func(f fields.Field) error {
			k, v, err := fields.ReadPair(f.Bytes)
			*c.tags = append(*c.tags, object.Tag{Key: k, Value: v})
			return err
		})
	case fSetLock:
		c.lock = &object.Lock{}
		return fields.Each(f.Bytes, func(f fields.Field) error {
			switch f.Number {
			case 1:
				c.lock.Mode = f.Text()
			case 2:
				c.lock.Until = f.Time()
			case 3:
				c.lock.Hold = f.Bool()
			}
			return nil
		})
	case fRetention:
		c.retention = &Retention{}
		return fields.Each(f.Bytes, c.retention.decode)
	case fNow:
		c.now = f.Time()
	case fHold:
		c.hold = f.Uint
	case fRelist:
		c.relist = f.Bool()
	case fSetACL:
		c.acl, err = fields.ReadACL(f.Bytes)
	case fDestination: // of old records
		c.resend = append(c.resend, object.Delivery{Bucket: f.Text()})
	case fResend:
		var d object.Delivery
		d, err = fields.ReadDelivery(f.Bytes)
		c.resend = append(c.resend, d)
	case fOrigin:
		c.origin, err = event.ReadOrigin(f.Bytes)
	}
	return err
}

func (r *Retention) decode(f fields.Field) error {
	switch f.Number {
	case 1:
		r.Mode = f.Text()
	case 2:
		r.Until = f.Time()
	case 3:
		r.Bypass = f.Bool()
	}
	return nil
}

func (c *patchCommand) apply(a *applier, at, _ journal.Position) error {
	o := a.find(c.bucket, c.key, c.id)
	if o == nil {
		return object.NoSuchVersion(c.id)
	}
	var what object.Aspects
	if r := c.retention; r != nil {
		next := object.Lock{Mode: r.Mode, Until: r.Until}
		if !o.Lock.Admits(next, c.now, r.Bypass) {
			return locked(c.key)
		}
		o.Lock.Mode, o.Lock.Until = r.Mode, r.Until
		what |= object.AspectRetention
	}
	if c.hold != 0 {
		o.Lock.Hold, o.Lock.Released = c.hold == fields.HoldOn, c.hold == fields.HoldOff
		what |= object.AspectHold
	}
	if c.tags != nil {
		o.Tags = *c.tags
		what |= object.AspectTags
	}
	relisted := c.relist && !slices.Equal(o.ACL, c.acl)
	if c.relist {
		o.ACL = c.acl
		what |= object.AspectACL
	}
	if c.lock != nil {
		o.Lock = *c.lock
		what |= object.AspectRetention | object.AspectHold
	}
	before := slices.Clone(o.Deliveries)
	o.Edit(what, c.now)
	o.Resend(what, "", c.resend, c.now)
	a.restate(o, before, at)
	a.write(o)
	a.tellChanged(at, c, o, relisted)
	c.result = o
	return a.broken
}
