// Package scan reads the rows of the store's index.
package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/internal/layout"
)

// Each calls each for every row of r that begins with prefix, in order. The
// bytes are valid until it returns.
func Each(ctx context.Context, r pebble.Reader, prefix []byte, each func(key, value []byte) error) error {
	opt := &pebble.IterOptions{}
	if len(prefix) > 0 {
		opt.LowerBound, opt.UpperBound = prefix, layout.After(prefix)
	}
	it, err := r.NewIter(opt)
	if err != nil {
		return err
	}
	n := 0
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if n++; n%1024 == 0 {
			err = ctx.Err()
		}
		if err == nil {
			err = each(it.Key(), it.Value())
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

// Any reports whether a row begins with prefix.
func Any(r pebble.Reader, prefix []byte) (bool, error) {
	return Between(r, prefix, layout.After(prefix))
}

// Between reports whether there is a row from lower on and below upper.
func Between(r pebble.Reader, lower, upper []byte) (bool, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return false, err
	}
	found := it.First()
	return found, it.Close()
}

// Uint returns the number that a row holds as a varint; 0 if it is not there.
func Uint(db pebble.Reader, row []byte) (uint64, error) {
	b, closer, err := db.Get(row)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	v, _ := binary.Uvarint(b)
	return v, closer.Close()
}

// Value returns what a row holds, and whether it is there.
func Value(db pebble.Reader, row []byte) (v []byte, there bool, err error) {
	b, closer, err := db.Get(row)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return bytes.Clone(b), true, closer.Close()
}
