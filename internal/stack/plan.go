package stack

import (
	"bytes"
	"slices"

	"twinbucket/template"
)

// Unknown stands in a change set for a value that is known only when the
// change has been made.
const Unknown = "{{changeSet:KNOWN_AFTER_APPLY}}"

// Change is what a change set would do to one resource.
type Change struct {
	Action      string   `json:"action"` // "Add", "Modify" or "Remove"
	Name        string   `json:"name"`   // logical id
	Physical    string   `json:"physical,omitempty"`
	Type        string   `json:"type"`
	Replacement string   `json:"replacement,omitempty"` // of Modify: "True", "False" or "Conditional"
	Scope       []string `json:"scope,omitempty"`       // of Modify: "Properties", "Tags", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"
	Details     []Detail `json:"details,omitempty"`
}

// Detail is one changed property or the tags.
type Detail struct {
	Attribute  string `json:"attribute"`      // "Properties" or "Tags"
	Name       string `json:"name,omitempty"` // of the property
	Recreation string `json:"recreation"`     // "Never", "Conditionally" or "Always"
	Dynamic    bool   `json:"dynamic,omitempty"`
}

// maxResolved bounds, in bytes, the properties of all resources of a stack:
// they are recorded together with every step.
const maxResolved = 4 << 20

// forecast answers for resources before anything is done.
type forecast struct {
	engine  *Engine
	s       *Stack
	d       *desired
	fresh   map[string]bool // resources that are made or may be made anew
	unknown bool            // Unknown was given since this was last cleared
	size    int             // bytes of the properties seen so far
}

// Ref is template.Lookup.
func (f *forecast) Ref(name string) (string, error) {
	if res := f.s.Resource(name); res != nil && res.Physical != "" && !f.fresh[name] {
		return res.Physical, nil
	}
	f.unknown = true
	return Unknown, nil
}

// Attribute is template.Lookup.
func (f *forecast) Attribute(name, attribute string) (any, error) {
	k, _ := kindOf(f.d.template.Resource(name).Type)
	if !slices.Contains(k.attributes, attribute) && attribute != Unknown {
		return nil, noAttribute(name, attribute)
	}
	if res := f.s.Resource(name); res != nil && !f.fresh[name] {
		if v, ok := res.Attributes[attribute]; ok {
			return v, nil
		}
	}
	f.unknown = true
	return Unknown, nil
}

// plan works out what has to be done to make a stack what is desired. same
// says that nothing at all would change. It fails if the template has
// functions that cannot be resolved.
func (e *Engine) plan(s *Stack, d *desired) (changes []Change, same bool, err error) {
	f := &forecast{engine: e, s: s, d: d, fresh: map[string]bool{}}
	keep := map[string]bool{}
	for _, tr := range d.scope.Resources() {
		keep[tr.Name] = true
		c, err := f.change(tr)
		if err != nil {
			return nil, false, err
		}
		if c != nil {
			changes = append(changes, *c)
		}
	}
	for _, res := range s.Resources {
		if s.Resource(res.Name) == res && !keep[res.Name] {
			changes = append(changes, Change{Action: "Remove", Name: res.Name, Physical: res.Physical, Type: res.Type})
		}
	}
	f.unknown = false
	outputs, err := d.scope.Outputs(f)
	if err != nil && !f.unknown {
		return nil, false, err
	}
	same = len(changes) == 0 && !f.unknown && slices.Equal(outputs, s.Outputs) && slices.Equal(d.spec.Tags, s.Tags)
	return changes, same, nil
}

// change returns what has to be done to one resource, nil if nothing.
func (f *forecast) change(tr *template.Resource) (*Change, error) {
	f.unknown = false
	props, err := f.d.scope.Properties(tr, f)
	dynamic := f.unknown
	if err != nil && !dynamic {
		return nil, err
	}
	if f.size += len(template.JSON(props)); f.size > maxResolved {
		return nil, invalid("Template error: the properties of all resources together have more than %d bytes", maxResolved)
	}
	res := f.s.Resource(tr.Name)
	if res == nil || res.Physical == "" {
		f.fresh[tr.Name] = true
		return &Change{Action: "Add", Name: tr.Name, Type: tr.Type}, nil
	}
	c := &Change{Action: "Modify", Name: tr.Name, Physical: res.Physical, Type: tr.Type, Replacement: "False"}
	k, _ := kindOf(tr.Type)
	was := decode(res.Properties)
	if err != nil {
		props = tr.Properties // whatever is unknown in it counts as changed
	}
	for _, p := range differences(was, props) {
		d := Detail{Attribute: "Properties", Name: p, Recreation: "Never"}
		d.Dynamic = dynamic && (err != nil || bytes.Contains(template.JSON(props[p]), []byte(Unknown)))
		if slices.Contains(k.replace, p) {
			d.Recreation = "Always"
			if d.Dynamic {
				d.Recreation = "Conditionally"
			}
			f.fresh[tr.Name] = true
			if c.Replacement != "True" {
				c.Replacement = map[bool]string{true: "Conditional", false: "True"}[d.Dynamic]
			}
		}
		c.Details = append(c.Details, d)
	}
	if len(c.Details) > 0 {
		c.Scope = append(c.Scope, "Properties")
	}
	if k.tagged && !slices.Equal(res.Tags, f.d.spec.Tags) {
		c.Scope = append(c.Scope, "Tags")
		c.Details = append(c.Details, Detail{Attribute: "Tags", Recreation: "Never"})
	}
	if f.metadataChanged(tr, res) {
		c.Scope = append(c.Scope, "Metadata")
	}
	if res.DeletionPolicy != tr.DeletionPolicy {
		c.Scope = append(c.Scope, "DeletionPolicy")
	}
	if res.UpdateReplacePolicy != tr.UpdateReplacePolicy {
		c.Scope = append(c.Scope, "UpdateReplacePolicy")
	}
	if len(c.Scope) == 0 {
		return nil, nil
	}
	return c, nil
}

func (f *forecast) metadataChanged(tr *template.Resource, res *Resource) bool {
	if len(tr.Metadata) == 0 {
		return len(res.Metadata) > 0
	}
	m, err := f.d.scope.Metadata(tr, f)
	return err != nil || !bytes.Equal(template.JSON(m), res.Metadata)
}
