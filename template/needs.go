package template

import (
	"maps"
	"slices"
)

// Needs returns the logical ids of the active resources that r depends on,
// sorted.
func (s *Scope) Needs(r *Resource) []string {
	needs := map[string]bool{}
	found := func(u use) {
		if (u.kind == useRef || u.kind == useAttribute) && s.t.byName[u.name] != nil {
			needs[u.name] = true
		}
	}
	for _, d := range r.DependsOn {
		found(use{useRef, d})
	}
	for _, v := range []any{r.Properties, r.Metadata} {
		if walk(v, s.conditions, found) != nil {
			break // not reached: Bind walked the same values
		}
	}
	maps.DeleteFunc(needs, func(name string, _ bool) bool { return !slices.Contains(s.order, s.t.byName[name]) })
	return slices.Sorted(maps.Keys(needs))
}
