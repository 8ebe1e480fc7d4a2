// Package compare walks two listings of versions in lock step: a source's and
// a destination's.
package compare

import (
	"cmp"
	"iter"

	"twinbucket/fault"
	"twinbucket/object"
)

// Pair is a source version and the version of the same key and id at the
// destination; one of them is nil if the other side lacks it.
type Pair struct{ Source, Destination *object.Version }

// Versions pairs two listings of versions, each in the order of its keys and
// with the versions of a key in any order. Memory holds the versions of one
// key at a time. A listing that goes backwards ends the walk with an error: a
// pairing of such listings would report nonsense.
func Versions(src, dst iter.Seq2[*object.Version, error]) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		a, b := newSide(src), newSide(dst)
		defer a.stop()
		defer b.stop()
		for {
			as, aerr := a.key()
			bs, berr := b.key()
			if err := cmp.Or(aerr, berr); err != nil {
				yield(Pair{}, err)
				return
			}
			var pairs []Pair
			switch {
			case as == nil && bs == nil:
				return
			case bs == nil || as != nil && as[0].Key < bs[0].Key:
				pairs = match(as, nil)
				a.taken()
			case as == nil || bs[0].Key < as[0].Key:
				pairs = match(nil, bs)
				b.taken()
			default:
				pairs = match(as, bs)
				a.taken()
				b.taken()
			}
			for _, p := range pairs {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// match pairs the versions of one key by their ids.
func match(src, dst []*object.Version) []Pair {
	byID := make(map[string]*object.Version, len(dst))
	for _, v := range dst {
		byID[v.ID] = v
	}
	var out []Pair
	for _, v := range src {
		out = append(out, Pair{v, byID[v.ID]})
		delete(byID, v.ID)
	}
	for _, v := range dst {
		if byID[v.ID] != nil {
			out = append(out, Pair{nil, v})
		}
	}
	return out
}

// side reads one listing key by key.
type side struct {
	next  func() (*object.Version, error, bool)
	stop  func()
	ahead *object.Version   // the first version of the next key
	now   []*object.Version // the versions of the current key, if they were read
	begun bool
	last  string
}

func newSide(seq iter.Seq2[*object.Version, error]) *side {
	s := new(side)
	s.next, s.stop = iter.Pull2(seq)
	return s
}

// read returns the next version, nil at the end.
func (s *side) read() (*object.Version, error) {
	v, err, ok := s.next()
	if !ok {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.begun && v.Key < s.last {
		return nil, &fault.Error{
			Op: "compare.versions", Kind: fault.Damaged, Thing: v.Key,
			Message: "the listing goes backwards: " + v.Key + " comes after " + s.last,
			Hint:    "the endpoint lists keys in another order than bytewise; such listings cannot be compared",
		}
	}
	s.begun, s.last = true, v.Key
	return v, nil
}

// key returns the versions of the current key, nil at the end.
func (s *side) key() ([]*object.Version, error) {
	if s.now != nil {
		return s.now, nil
	}
	first := s.ahead
	s.ahead = nil
	if first == nil {
		var err error
		if first, err = s.read(); err != nil || first == nil {
			return nil, err
		}
	}
	s.now = []*object.Version{first}
	for {
		v, err := s.read()
		if err != nil {
			return nil, err
		}
		if v == nil {
			return s.now, nil
		}
		if v.Key != first.Key {
			s.ahead = v
			return s.now, nil
		}
		s.now = append(s.now, v)
	}
}

// taken goes on to the next key.
func (s *side) taken() { s.now = nil }
