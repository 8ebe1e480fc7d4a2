package store

import (
	"twinbucket/internal/bodies"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
)

// Fields that stand beside those of a version.
const (
	fExtent       fields.Number = 27
	fPendingAt    fields.Number = 28
	fApartParts   fields.Number = 32 // how many parts and extents are in the detail
	fApartExtents fields.Number = 33
	fUploadOf     fields.Number = 40 // the upload that was completed, or Put.Once
)

// encode writes a version with where its body is.
func (o *Object) encode(w *fields.Writer) {
	w.Version(&o.Version)
	for _, e := range o.body {
		e.Encode(w, fExtent)
	}
	w.Uint(fPendingAt, uint64(o.pendingAt))
	w.Text(fUploadOf, o.upload)
	w.Uint(fApartParts, uint64(o.apart.parts))
	w.Uint(fApartExtents, uint64(o.apart.extents))
}

// encodeDetail writes what a version's row leaves out.
func (o *Object) encodeDetail(w *fields.Writer) {
	for _, p := range o.Parts {
		w.Part(fields.Part, p)
	}
	for _, e := range o.body {
		e.Encode(w, fExtent)
	}
}

// readObject reads what Object.encode wrote.
func readObject(b []byte) (*Object, error) {
	o := new(Object)
	if err := fields.Each(b, o.decode); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Object) decode(f fields.Field) error {
	switch f.Number {
	case fExtent:
		e, err := bodies.ReadExtent(f.Bytes)
		o.body = append(o.body, e)
		return err
	case fPendingAt:
		o.pendingAt = journal.Position(f.Uint)
	case fUploadOf:
		o.upload = f.Text()
	case fApartParts:
		o.apart.parts = int(f.Uint)
	case fApartExtents:
		o.apart.extents = int(f.Uint)
	default:
		return fields.ReadVersion(&o.Version, f)
	}
	return nil
}
