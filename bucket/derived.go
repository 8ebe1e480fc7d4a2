package bucket

import "sync"

// Derived remembers what was worked out of each bucket until it changes, such as
// a settings document that was parsed. The zero Derived is ready for use, by
// many goroutines.
type Derived[T any] struct{ m sync.Map } // name → *derived[T]

type derived[T any] struct {
	revision uint64
	value    T
}

// Of returns what work makes of b, or made of it when it was last asked.
func (d *Derived[T]) Of(b *Bucket, work func(*Bucket) T) T {
	if v, ok := d.m.Load(b.Name); ok && v.(*derived[T]).revision == b.Revision {
		return v.(*derived[T]).value
	}
	k := &derived[T]{b.Revision, work(b)}
	d.m.Store(b.Name, k)
	return k.value
}
