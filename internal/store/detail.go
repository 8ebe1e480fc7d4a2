package store

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/fields"
	"twinbucket/internal/layout"
)

// rowParts is how many parts, and how many extents, stand in a version's own
// row. More stand in a row of their own, the version's detail: whoever lists
// versions does not read it.
const rowParts = 16

// rowSize is the size of most versions' rows, or more.
const rowSize = 512

// errNoDetail says that a version's detail is not there: its version was
// deleted since its row was read.
var errNoDetail = errors.New("a version's detail is missing")

// apart says that the parts and extents of a version were left in its detail,
// and how many there are.
type apart struct{ parts, extents int }

// large reports whether a version that is whole has more than few parts or
// extents, and so a detail.
func (o *Object) large(few int) bool { return len(o.Parts) > few || len(o.body) > few }

// rows writes a version's row and, if it has one, its detail. The detail of a
// version that was read without it is nil: it stays as it is.
func (o *Object) rows(few int) (row, detail []byte) {
	w := fields.Sized(rowSize)
	if !o.large(few) {
		o.encode(&w)
		return w.Encoded(), nil
	}
	var d fields.Writer
	o.encodeDetail(&d)
	short := *o
	short.apart = apart{len(o.Parts), len(o.body)}
	short.Parts, short.body = nil, nil
	short.encode(&w)
	return w.Encoded(), d.Encoded()
}

// load reads what a version's row left out; errNoDetail if it is gone.
func load(r pebble.Reader, o *Object) error {
	if o.apart == (apart{}) {
		return nil
	}
	v, closer, err := r.Get(detailRow(o))
	if errors.Is(err, pebble.ErrNotFound) {
		return errNoDetail
	}
	if err != nil {
		return fault.Wrap("store.find", o.Key, err)
	}
	o.Parts, o.body, o.apart = nil, nil, apart{}
	return fault.Wrap("store.find", o.Key, errors.Join(fields.Each(v, o.decode), closer.Close()))
}

// find looks a version up in the index or in a batch over it, with its parts
// and where its body is.
func find(r pebble.Reader, bucket, key, id string) (*Object, error) {
	// Over the index itself a version may go, or be replaced, between the two
	// reads.
	for range 3 {
		o, err := lookup(r, bucket, key, id)
		if err != nil {
			return nil, err
		}
		if err = load(r, o); err == nil {
			return o, nil
		}
		if !errors.Is(err, errNoDetail) {
			return nil, err
		}
	}
	return nil, noDetail(key)
}

func noDetail(key string) error {
	return &fault.Error{Op: "store.find", Kind: fault.Damaged, Thing: key, Err: errNoDetail, Hint: "stop the server and remove the index directory: it is made anew from the journal"}
}

// whole returns a version with its parts and where its body is; o itself is
// not changed. fault.NotFound or fault.Busy if it was deleted or replaced.
func (s *Store) whole(o *Object) (*Object, error) {
	if o.apart == (apart{}) {
		return o, nil
	}
	c := *o
	err := load(s.db, &c)
	if errors.Is(err, errNoDetail) {
		if err = s.stillThere(o); err == nil {
			err = noDetail(o.Key)
		}
	}
	return &c, err
}

// load is load within the batch, where nothing goes meanwhile.
func (a *applier) load(o *Object) *Object {
	_ = a.fail(load(a.b, o))
	return o
}

// row is the row of the version.
func (o *Object) row() []byte {
	return layout.Version(o.Bucket, o.Key, o.ID, o.Modified.UnixNano())
}

// detailRow is the row of a version's parts and extents.
func detailRow(o *Object) []byte {
	row := o.row()
	row[0] = layout.KindDetail
	return row
}
