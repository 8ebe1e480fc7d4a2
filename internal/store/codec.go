package store

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"twinbucket/acl"
	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/object"
)

// Rows and records are written as protocol buffer fields, so that a field can
// be added without a new format and an unknown one is skipped. There is no
// schema file: the numbers below are the schema, and never change meaning.
const (
	fBucket = iota + 1
	fKey
	fID
	fMarker
	fModified
	fOwner
	fSize
	fETag
	fChecksum
	fPart
	fContentType
	fCacheControl
	fContentDisposition
	fContentEncoding
	fContentLanguage
	fExpires
	fRedirect
	fMetadata
	fTag
	fClass
	fLockMode
	fLockUntil
	fLockHold
	fStatus
	fDelivery
	fChanges
	fExtent
	fPendingAt
)

// Fields of a version that were added later.
const (
	fApartParts   protowire.Number = 32 // how many parts and extents are in the detail
	fApartExtents protowire.Number = 33
	fUploadOf     protowire.Number = 40 // the upload that was completed
	fByLifecycle  protowire.Number = 41
)

// writer appends fields; empty values are left out.
type writer struct{ b []byte }

func (w *writer) uint(n protowire.Number, v uint64) {
	if v != 0 {
		w.b = protowire.AppendTag(w.b, n, protowire.VarintType)
		w.b = protowire.AppendVarint(w.b, v)
	}
}

func (w *writer) bool(n protowire.Number, v bool) {
	if v {
		w.uint(n, 1)
	}
}

func (w *writer) str(n protowire.Number, v string) {
	if v != "" {
		w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
		w.b = protowire.AppendString(w.b, v)
	}
}

func (w *writer) bytes(n protowire.Number, v []byte) {
	w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
	w.b = protowire.AppendBytes(w.b, v)
}

func (w *writer) time(n protowire.Number, t time.Time) {
	if !t.IsZero() {
		w.uint(n, uint64(t.UnixNano()))
	}
}

// msg writes a nested message.
func (w *writer) msg(n protowire.Number, fill func(*writer)) {
	var in writer
	fill(&in)
	w.bytes(n, in.b)
}

// field is one field read back.
type field struct {
	n protowire.Number
	u uint64
	b []byte
}

func (f field) str() string     { return string(f.b) }
func (f field) time() time.Time { return time.Unix(0, int64(f.u)).UTC() }

var errEncoding = &fault.Error{Op: "store.decode", Kind: fault.Damaged, Message: "a record is not in the store's format"}

// fields calls each for every field of a message.
func fields(b []byte, each func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errEncoding
		}
		b = b[n:]
		f := field{n: num}
		switch typ {
		case protowire.VarintType:
			f.u, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.b, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errEncoding
		}
		b = b[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// pairs writes a map entry or tag.
func pair(k, v string) func(*writer) {
	return func(w *writer) { w.str(1, k); w.str(2, v) }
}

func readPair(b []byte) (k, v string, err error) {
	err = fields(b, func(f field) error {
		switch f.n {
		case 1:
			k = f.str()
		case 2:
			v = f.str()
		}
		return nil
	})
	return k, v, err
}

func (w *writer) checksum(n protowire.Number, c object.Checksum) {
	w.msg(n, func(w *writer) { w.str(1, c.Algorithm); w.str(2, c.Value); w.bool(3, c.Composite) })
}

func readChecksum(b []byte) (c object.Checksum, err error) {
	err = fields(b, func(f field) error {
		switch f.n {
		case 1:
			c.Algorithm = f.str()
		case 2:
			c.Value = f.str()
		case 3:
			c.Composite = f.u == 1
		}
		return nil
	})
	return c, err
}

func (w *writer) part(n protowire.Number, p object.Part) {
	w.msg(n, func(w *writer) {
		w.uint(1, uint64(p.Number))
		w.uint(2, uint64(p.Size))
		w.str(3, p.ETag)
		for _, c := range p.Checksums {
			w.checksum(4, c)
		}
		w.time(5, p.Modified)
	})
}

func readPart(b []byte) (p object.Part, err error) {
	err = fields(b, func(f field) error {
		switch f.n {
		case 1:
			p.Number = int(f.u)
		case 2:
			p.Size = int64(f.u)
		case 3:
			p.ETag = f.str()
		case 4:
			c, err := readChecksum(f.b)
			p.Checksums = append(p.Checksums, c)
			return err
		case 5:
			p.Modified = f.time()
		}
		return nil
	})
	return p, err
}

func (w *writer) delivery(n protowire.Number, d object.Delivery) {
	w.msg(n, func(w *writer) {
		w.str(1, d.Bucket)
		w.str(2, d.Rule)
		w.str(3, string(d.Status))
		w.str(4, d.Code)
		w.str(5, d.Reason)
		w.time(6, d.Time)
	})
}

func readDelivery(b []byte) (d object.Delivery, err error) {
	err = fields(b, func(f field) error {
		switch f.n {
		case 1:
			d.Bucket = f.str()
		case 2:
			d.Rule = f.str()
		case 3:
			d.Status = object.Status(f.str())
		case 4:
			d.Code = f.str()
		case 5:
			d.Reason = f.str()
		case 6:
			d.Time = f.time()
		}
		return nil
	})
	return d, err
}

func (w *writer) extent(n protowire.Number, e extent) {
	w.msg(n, func(w *writer) {
		w.uint(1, e.file)
		w.uint(2, uint64(e.pos))
		w.uint(3, uint64(e.off))
		w.uint(4, uint64(e.size))
		w.uint(5, uint64(e.crc))
		w.uint(6, uint64(e.whole))
		w.seal(7, e.seal)
	})
}

func readExtent(b []byte) (e extent, err error) {
	err = fields(b, func(f field) error {
		switch f.n {
		case 1:
			e.file = f.u
		case 2:
			e.pos = journal.Position(f.u)
		case 3:
			e.off = int64(f.u)
		case 4:
			e.size = int64(f.u)
		case 5:
			e.crc = uint32(f.u)
		case 6:
			e.whole = int64(f.u)
		case 7:
			e.seal, err = readSeal(f.b)
		}
		return err
	})
	return e, err
}

func (w *writer) seal(n protowire.Number, s *seal) {
	if s != nil {
		w.msg(n, func(w *writer) { w.bytes(1, s.wrapped); w.str(2, s.kek); w.str(3, s.context) })
	}
}

func readSeal(b []byte) (*seal, error) {
	s := new(seal)
	err := fields(b, func(f field) error {
		switch f.n {
		case 1:
			s.wrapped = slices.Clone(f.b)
		case 2:
			s.kek = f.str()
		case 3:
			s.context = f.str()
		}
		return nil
	})
	return s, err
}

func (w *writer) encryption(n protowire.Number, e object.Encryption) {
	if e != (object.Encryption{}) {
		w.msg(n, func(w *writer) {
			w.str(1, e.Algorithm)
			w.str(2, e.KeyARN)
			w.str(3, e.Context)
			w.bool(4, e.BucketKey)
			w.str(5, e.CustomerKeyMD5)
		})
	}
}

func readEncryption(b []byte) (e object.Encryption, err error) {
	err = fields(b, func(f field) error {
		switch f.n {
		case 1:
			e.Algorithm = f.str()
		case 2:
			e.KeyARN = f.str()
		case 3:
			e.Context = f.str()
		case 4:
			e.BucketKey = f.u == 1
		case 5:
			e.CustomerKeyMD5 = f.str()
		}
		return nil
	})
	return e, err
}

// fACL is the field of a version's ACL.
const fACL = 30

// acl writes a list; nil is left out, an empty one is not.
func (w *writer) acl(n protowire.Number, l acl.List) {
	if l == nil {
		return
	}
	w.msg(n, func(w *writer) {
		for _, g := range l {
			w.msg(1, func(w *writer) { w.str(1, g.ID); w.str(2, g.Group); w.str(3, string(g.Permission)) })
		}
	})
}

func readACL(b []byte) (acl.List, error) {
	l := acl.List{}
	err := fields(b, func(f field) error {
		var g acl.Grant
		err := fields(f.b, func(f field) error {
			switch f.n {
			case 1:
				g.ID = f.str()
			case 2:
				g.Group = f.str()
			case 3:
				g.Permission = acl.Permission(f.str())
			}
			return nil
		})
		l = append(l, g)
		return err
	})
	return l, err
}

// object writes a version with where its body is.
func (w *writer) object(o *Object) {
	v := &o.Version
	w.str(fBucket, v.Bucket)
	w.str(fKey, v.Key)
	w.str(fID, v.ID)
	w.bool(fMarker, v.Marker)
	w.bool(fByLifecycle, v.ByLifecycle)
	w.time(fModified, v.Modified)
	w.str(fOwner, v.Owner)
	w.uint(fSize, uint64(v.Size))
	w.str(fETag, v.ETag)
	for _, c := range v.Checksums {
		w.checksum(fChecksum, c)
	}
	for _, p := range v.Parts {
		w.part(fPart, p)
	}
	h := &v.Headers
	w.str(fContentType, h.ContentType)
	w.str(fCacheControl, h.CacheControl)
	w.str(fContentDisposition, h.ContentDisposition)
	w.str(fContentEncoding, h.ContentEncoding)
	w.str(fContentLanguage, h.ContentLanguage)
	w.str(fExpires, h.Expires)
	w.str(fRedirect, h.RedirectLocation)
	for _, k := range slices.Sorted(maps.Keys(v.Metadata)) {
		w.msg(fMetadata, pair(k, v.Metadata[k]))
	}
	for _, t := range v.Tags {
		w.msg(fTag, pair(t.Key, t.Value))
	}
	w.str(fClass, v.Class)
	w.str(fLockMode, v.Lock.Mode)
	w.time(fLockUntil, v.Lock.Until)
	w.uint(fLockHold, holdValue(v.Lock))
	w.str(fStatus, string(v.Status))
	for _, d := range v.Deliveries {
		w.delivery(fDelivery, d)
	}
	w.uint(fChanges, v.Changes)
	for _, e := range o.body {
		w.extent(fExtent, e)
	}
	w.uint(fPendingAt, uint64(o.pendingAt))
	w.str(fUploadOf, o.upload)
	w.acl(fACL, v.ACL)
	w.uint(fApartParts, uint64(o.apart.parts))
	w.uint(fApartExtents, uint64(o.apart.extents))
	w.encryption(fEncryption, v.Encryption)
}

// readObject reads what writer.object wrote.
func readObject(b []byte) (*Object, error) {
	o := new(Object)
	if err := fields(b, o.field); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Object) field(f field) (err error) {
	v := &o.Version
	switch f.n {
	case fBucket:
		v.Bucket = f.str()
	case fKey:
		v.Key = f.str()
	case fID:
		v.ID = f.str()
	case fMarker:
		v.Marker = f.u == 1
	case fByLifecycle:
		v.ByLifecycle = f.u == 1
	case fModified:
		v.Modified = f.time()
	case fOwner:
		v.Owner = f.str()
	case fSize:
		v.Size = int64(f.u)
	case fETag:
		v.ETag = f.str()
	case fClass:
		v.Class = f.str()
	case fACL:
		v.ACL, err = readACL(f.b)
	case fStatus:
		v.Status = object.Status(f.str())
	case fChanges:
		v.Changes = f.u
	case fLockMode:
		v.Lock.Mode = f.str()
	case fLockUntil:
		v.Lock.Until = f.time()
	case fLockHold:
		v.Lock.Hold, v.Lock.Released = f.u == holdOn, f.u == holdOff
	case fUploadOf:
		o.upload = f.str()
	case fPendingAt:
		o.pendingAt = journal.Position(f.u)
	case fApartParts:
		o.apart.parts = int(f.u)
	case fApartExtents:
		o.apart.extents = int(f.u)
	case fEncryption:
		v.Encryption, err = readEncryption(f.b)
	case fContentType, fCacheControl, fContentDisposition, fContentEncoding, fContentLanguage, fExpires, fRedirect:
		o.header(f)
	default:
		return o.list(f)
	}
	return err
}

func (o *Object) header(f field) {
	h := &o.Headers
	switch f.n {
	case fContentType:
		h.ContentType = f.str()
	case fCacheControl:
		h.CacheControl = f.str()
	case fContentDisposition:
		h.ContentDisposition = f.str()
	case fContentEncoding:
		h.ContentEncoding = f.str()
	case fContentLanguage:
		h.ContentLanguage = f.str()
	case fExpires:
		h.Expires = f.str()
	case fRedirect:
		h.RedirectLocation = f.str()
	}
}

// list reads the fields that may occur more than once.
func (o *Object) list(f field) error {
	v := &o.Version
	switch f.n {
	case fChecksum:
		c, err := readChecksum(f.b)
		v.Checksums = append(v.Checksums, c)
		return err
	case fPart:
		p, err := readPart(f.b)
		v.Parts = append(v.Parts, p)
		return err
	case fMetadata:
		if v.Metadata == nil {
			v.Metadata = make(map[string]string)
		}
		k, val, err := readPair(f.b)
		v.Metadata[k] = val
		return err
	case fTag:
		k, val, err := readPair(f.b)
		v.Tags = append(v.Tags, object.Tag{Key: k, Value: val})
		return err
	case fDelivery:
		d, err := readDelivery(f.b)
		v.Deliveries = append(v.Deliveries, d)
		return err
	case fExtent:
		e, err := readExtent(f.b)
		o.body = append(o.body, e)
		return err
	}
	return nil
}
