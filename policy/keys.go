package policy

import (
	"slices"
	"strings"
)

// Keys returns the condition keys that documents ask for, in conditions and in
// policy variables, as they are first written; each once, sorted.
func Keys(documents ...*Document) []string {
	found := map[string]string{}
	note := func(name string) {
		if lower := strings.ToLower(name); found[lower] == "" {
			found[lower] = name
		}
	}
	for _, d := range documents {
		for i := range d.statements {
			s := &d.statements[i]
			texts := slices.Clone(s.resourceTexts)
			for j := range s.conditions {
				note(s.conditions[j].name)
				texts = append(texts, s.conditions[j].texts...)
			}
			if d.version != version2012 {
				continue // without variables
			}
			for _, text := range texts {
				for _, name := range variablesIn(text) {
					note(name)
				}
			}
		}
	}
	names := make([]string, 0, len(found))
	for _, name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// variablesIn returns the names of the policy variables in a text.
func variablesIn(text string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			return out
		}
		body, after, _ := strings.Cut(rest, "}")
		name, _, _ := strings.Cut(body, ",")
		if name = strings.TrimSpace(name); name != "*" && name != "?" && name != "$" {
			out = append(out, name)
		}
		text = after
	}
}

// Given reports whether a request has a value of a condition key.
func (r *Request) Given(name string) bool {
	k := newKey(name)
	return k.lookup(r).n > 0
}
