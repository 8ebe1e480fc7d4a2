package store

import (
	"context"
	"time"

	"twinbucket/fault"
	"twinbucket/object"
)

// SetTags replaces the tags of a version; id "" is the current one. It returns
// the version as it is afterwards.
func (s *Store) SetTags(ctx context.Context, bucket, key, id string, tags []object.Tag) (*Object, error) {
	return s.patch(ctx, &patchCommand{bucket: bucket, key: key, id: id, tags: &tags})
}

// SetLock replaces the lock of a version; id "" is the current one.
func (s *Store) SetLock(ctx context.Context, bucket, key, id string, lock object.Lock) (*Object, error) {
	return s.patch(ctx, &patchCommand{bucket: bucket, key: key, id: id, lock: &lock})
}

func (s *Store) patch(ctx context.Context, c *patchCommand) (*Object, error) {
	o, err := s.head(ctx, c.bucket, c.key, c.id)
	if err != nil {
		return nil, err
	}
	if o.Marker {
		return nil, fault.New(fault.Conflict, "MethodNotAllowed", "The specified method is not allowed against this resource.").On(c.key)
	}
	c.id = o.ID
	if err := s.resend(c, o.Version); err != nil {
		return nil, err
	}
	if err := s.do(ctx, c, nil); err != nil {
		return nil, err
	}
	return c.result, nil
}

// resend finds out where the rules take the version once it is changed.
func (s *Store) resend(c *patchCommand, v object.Version) error {
	b, err := s.bucket(c.bucket)
	if err != nil || s.opt.Select == nil {
		return err
	}
	if c.tags != nil {
		v.Tags = *c.tags
	}
	for _, d := range s.opt.Select(b, &v) {
		c.resend = append(c.resend, d.Bucket)
	}
	return nil
}

// checkLock refuses to delete a version that is locked.
func checkLock(v *object.Version, now time.Time) error {
	if v.Lock.Hold || v.Lock.Mode != "" && now.Before(v.Lock.Until) {
		return fault.New(fault.Denied, "AccessDenied", "Access Denied because object protected by object lock.").On(v.Key)
	}
	return nil
}
