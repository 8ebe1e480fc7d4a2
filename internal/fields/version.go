package fields

import (
	"maps"
	"slices"

	"twinbucket/acl"
	"twinbucket/object"
)

// Numbers of the fields of a version. Those with a capital letter stand in
// other messages too; the numbers that are missing are of what the store keeps
// beside a version.
const (
	Bucket              Number = 1
	Key                 Number = 2
	ID                  Number = 3
	fMarker             Number = 4
	fModified           Number = 5
	fOwner              Number = 6
	fSize               Number = 7
	fETag               Number = 8
	fChecksum           Number = 9
	Part                Number = 10
	fContentType        Number = 11
	fCacheControl       Number = 12
	fContentDisposition Number = 13
	fContentEncoding    Number = 14
	fContentLanguage    Number = 15
	fExpires            Number = 16
	fRedirect           Number = 17
	fMetadata           Number = 18
	fTag                Number = 19
	fClass              Number = 20
	fLockMode           Number = 21
	fLockUntil          Number = 22
	fLockHold           Number = 23
	fStatus             Number = 24
	Delivery            Number = 25
	fChanges            Number = 26
	fEncryption         Number = 29
	fACL                Number = 30
	fByLifecycle        Number = 41
	fEdit               Number = 50
	fReturning          Number = 51
)

// Pair writes an entry of a map, or a tag.
func (w *Writer) Pair(n Number, k, v string) {
	w.Message(n, func(w *Writer) { w.Text(1, k); w.Text(2, v) })
}

// ReadPair reads what Writer.Pair wrote.
func ReadPair(b []byte) (k, v string, err error) {
	err = Each(b, func(f Field) error {
		switch f.Number {
		case 1:
			k = f.Text()
		case 2:
			v = f.Text()
		}
		return nil
	})
	return k, v, err
}

// Checksum writes a checksum.
func (w *Writer) Checksum(n Number, c object.Checksum) {
	w.Message(n, func(w *Writer) { w.Text(1, c.Algorithm); w.Text(2, c.Value); w.Bool(3, c.Composite) })
}

// ReadChecksum reads what Writer.Checksum wrote.
func ReadChecksum(b []byte) (c object.Checksum, err error) {
	err = Each(b, func(f Field) error {
		switch f.Number {
		case 1:
			c.Algorithm = f.Text()
		case 2:
			c.Value = f.Text()
		case 3:
			c.Composite = f.Bool()
		}
		return nil
	})
	return c, err
}

// Part writes a part.
func (w *Writer) Part(n Number, p object.Part) {
	w.Message(n, func(w *Writer) {
		w.Uint(1, uint64(p.Number))
		w.Uint(2, uint64(p.Size))
		w.Text(3, p.ETag)
		for _, c := range p.Checksums {
			w.Checksum(4, c)
		}
		w.Time(5, p.Modified)
	})
}

// ReadPart reads what Writer.Part wrote.
func ReadPart(b []byte) (p object.Part, err error) {
	err = Each(b, func(f Field) error {
		switch f.Number {
		case 1:
			p.Number = int(f.Uint)
		case 2:
			p.Size = int64(f.Uint)
		case 3:
			p.ETag = f.Text()
		case 4:
			c, err := ReadChecksum(f.Bytes)
			p.Checksums = append(p.Checksums, c)
			return err
		case 5:
			p.Modified = f.Time()
		}
		return nil
	})
	return p, err
}

// Delivery writes a delivery.
func (w *Writer) Delivery(n Number, d object.Delivery) {
	w.Message(n, func(w *Writer) {
		w.Text(1, d.Bucket)
		w.Text(2, d.Rule)
		w.Text(3, string(d.Status))
		w.Text(4, d.Code)
		w.Text(5, d.Reason)
		w.Time(6, d.Time)
		w.Uint(9, uint64(d.Changed))
		w.Bool(10, d.Missed)
	})
}

// ReadDelivery reads what Writer.Delivery wrote.
func ReadDelivery(b []byte) (d object.Delivery, err error) {
	err = Each(b, func(f Field) error {
		switch f.Number {
		case 1:
			d.Bucket = f.Text()
		case 2:
			d.Rule = f.Text()
		case 3:
			d.Status = object.Status(f.Text())
		case 4:
			d.Code = f.Text()
		case 5:
			d.Reason = f.Text()
		case 6:
			d.Time = f.Time()
		case 9:
			d.Changed = object.Aspects(f.Uint)
		case 10:
			d.Missed = f.Bool()
		}
		return nil
	})
	return d, err
}

// Encryption writes how something is encrypted.
func (w *Writer) Encryption(n Number, e object.Encryption) {
	if e != (object.Encryption{}) {
		w.Message(n, func(w *Writer) {
			w.Text(1, e.Algorithm)
			w.Text(2, e.KeyARN)
			w.Text(3, e.Context)
			w.Bool(4, e.BucketKey)
			w.Text(5, e.CustomerKeyMD5)
		})
	}
}

// ReadEncryption reads what Writer.Encryption wrote.
func ReadEncryption(b []byte) (e object.Encryption, err error) {
	err = Each(b, func(f Field) error {
		switch f.Number {
		case 1:
			e.Algorithm = f.Text()
		case 2:
			e.KeyARN = f.Text()
		case 3:
			e.Context = f.Text()
		case 4:
			e.BucketKey = f.Bool()
		case 5:
			e.CustomerKeyMD5 = f.Text()
		}
		return nil
	})
	return e, err
}

// ACL writes a list; nil is left out, an empty one is not.
func (w *Writer) ACL(n Number, l acl.List) {
	if l == nil {
		return
	}
	w.Message(n, func(w *Writer) {
		for _, g := range l {
			w.Message(1, func(w *Writer) { w.Text(1, g.ID); w.Text(2, g.Group); w.Text(3, string(g.Permission)) })
		}
	})
}

// ReadACL reads what Writer.ACL wrote.
func ReadACL(b []byte) (acl.List, error) {
	l := acl.List{}
	err := Each(b, func(f Field) error {
		var g acl.Grant
		err := Each(f.Bytes, func(f Field) error {
			switch f.Number {
			case 1:
				g.ID = f.Text()
			case 2:
				g.Group = f.Text()
			case 3:
				g.Permission = acl.Permission(f.Text())
			}
			return nil
		})
		l = append(l, g)
		return err
	})
	return l, err
}

// A legal hold as it is written; 0 is none.
const (
	HoldOn  = 1
	HoldOff = 2
)

// Hold returns what is written of a lock's legal hold.
func Hold(l object.Lock) uint64 {
	switch {
	case l.Hold:
		return HoldOn
	case l.Released:
		return HoldOff
	}
	return 0
}

// Version writes the fields of a version.
func (w *Writer) Version(v *object.Version) {
	w.Text(Bucket, v.Bucket)
	w.Text(Key, v.Key)
	w.Text(ID, v.ID)
	w.Bool(fMarker, v.Marker)
	w.Bool(fByLifecycle, v.ByLifecycle)
	w.Time(fModified, v.Modified)
	w.Text(fOwner, v.Owner)
	w.Uint(fSize, uint64(v.Size))
	w.Text(fETag, v.ETag)
	for _, c := range v.Checksums {
		w.Checksum(fChecksum, c)
	}
	for _, p := range v.Parts {
		w.Part(Part, p)
	}
	h := &v.Headers
	w.Text(fContentType, h.ContentType)
	w.Text(fCacheControl, h.CacheControl)
	w.Text(fContentDisposition, h.ContentDisposition)
	w.Text(fContentEncoding, h.ContentEncoding)
	w.Text(fContentLanguage, h.ContentLanguage)
	w.Text(fExpires, h.Expires)
	w.Text(fRedirect, h.RedirectLocation)
	for _, k := range slices.Sorted(maps.Keys(v.Metadata)) {
		w.Pair(fMetadata, k, v.Metadata[k])
	}
	for _, t := range v.Tags {
		w.Pair(fTag, t.Key, t.Value)
	}
	w.Text(fClass, v.Class)
	w.Text(fLockMode, v.Lock.Mode)
	w.Time(fLockUntil, v.Lock.Until)
	w.Uint(fLockHold, Hold(v.Lock))
	w.Text(fStatus, string(v.Status))
	for _, d := range v.Deliveries {
		w.Delivery(Delivery, d)
	}
	w.Bool(fReturning, v.Returning)
	w.Uint(fChanges, v.Changes)
	for _, e := range v.Edits {
		w.Message(fEdit, func(w *Writer) {
			w.Uint(1, uint64(e.Aspect))
			w.Time(2, e.Time)
			w.Text(3, e.Bucket)
		})
	}
	w.ACL(fACL, v.ACL)
	w.Encryption(fEncryption, v.Encryption)
}

// ReadVersion takes one field of a version into v; another field is skipped.
func ReadVersion(v *object.Version, f Field) (err error) {
	switch f.Number {
	case Bucket:
		v.Bucket = f.Text()
	case Key:
		v.Key = f.Text()
	case ID:
		v.ID = f.Text()
	case fMarker:
		v.Marker = f.Bool()
	case fByLifecycle:
		v.ByLifecycle = f.Bool()
	case fModified:
		v.Modified = f.Time()
	case fOwner:
		v.Owner = f.Text()
	case fSize:
		v.Size = int64(f.Uint)
	case fETag:
		v.ETag = f.Text()
	case fClass:
		v.Class = f.Text()
	case fACL:
		v.ACL, err = ReadACL(f.Bytes)
	case fStatus:
		v.Status = object.Status(f.Text())
	case fReturning:
		v.Returning = f.Bool()
	case fChanges:
		v.Changes = f.Uint
	case fLockMode:
		v.Lock.Mode = f.Text()
	case fLockUntil:
		v.Lock.Until = f.Time()
	case fLockHold:
		v.Lock.Hold, v.Lock.Released = f.Uint == HoldOn, f.Uint == HoldOff
	case fEncryption:
		v.Encryption, err = ReadEncryption(f.Bytes)
	case fContentType, fCacheControl, fContentDisposition, fContentEncoding, fContentLanguage, fExpires, fRedirect:
		readHeader(&v.Headers, f)
	default:
		return readList(v, f)
	}
	return err
}

func readHeader(h *object.Headers, f Field) {
	switch f.Number {
	case fContentType:
		h.ContentType = f.Text()
	case fCacheControl:
		h.CacheControl = f.Text()
	case fContentDisposition:
		h.ContentDisposition = f.Text()
	case fContentEncoding:
		h.ContentEncoding = f.Text()
	case fContentLanguage:
		h.ContentLanguage = f.Text()
	case fExpires:
		h.Expires = f.Text()
	case fRedirect:
		h.RedirectLocation = f.Text()
	}
}

// readList reads the fields that may occur more than once.
func readList(v *object.Version, f Field) error {
	switch f.Number {
	case fChecksum:
		c, err := ReadChecksum(f.Bytes)
		v.Checksums = append(v.Checksums, c)
		return err
	case Part:
		p, err := ReadPart(f.Bytes)
		v.Parts = append(v.Parts, p)
		return err
	case fMetadata:
		if v.Metadata == nil {
			v.Metadata = make(map[string]string)
		}
		k, val, err := ReadPair(f.Bytes)
		v.Metadata[k] = val
		return err
	case fTag:
		k, val, err := ReadPair(f.Bytes)
		v.Tags = append(v.Tags, object.Tag{Key: k, Value: val})
		return err
	case Delivery:
		d, err := ReadDelivery(f.Bytes)
		v.Deliveries = append(v.Deliveries, d)
		return err
	case fEdit:
		var e object.Edit
		err := Each(f.Bytes, func(f Field) error {
			switch f.Number {
			case 1:
				e.Aspect = object.Aspects(f.Uint)
			case 2:
				e.Time = f.Time()
			case 3:
				e.Bucket = f.Text()
			}
			return nil
		})
		v.Edits = append(v.Edits, e)
		return err
	}
	return nil
}
