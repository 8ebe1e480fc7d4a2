package bucket

import "testing"

func TestDerived(t *testing.T) {
	t.Parallel()
	var d Derived[string]
	worked := 0
	owner := func(b *Bucket) string { worked++; return b.Owner }
	for _, c := range []struct {
		b      Bucket
		want   string
		worked int
	}{
		{Bucket{Name: "a", Owner: "1", Revision: 7}, "1", 1},
		{Bucket{Name: "a", Owner: "1", Revision: 7}, "1", 1},
		{Bucket{Name: "b", Owner: "2", Revision: 7}, "2", 2},
		{Bucket{Name: "a", Owner: "3", Revision: 8}, "3", 3},
		{Bucket{Name: "a", Owner: "3", Revision: 8}, "3", 3},
	} {
		if got := d.Of(&c.b, owner); got != c.want || worked != c.worked {
			t.Errorf("%+v: %q after %d times, want %q after %d", c.b, got, worked, c.want, c.worked)
		}
	}
}
