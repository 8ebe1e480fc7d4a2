package stack

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"twinbucket/fault"
	"twinbucket/template"
)

// properties reads the properties of a resource, or of an object in them, and
// notices what it was not asked for. The first error is kept in err.
type properties struct {
	typ  string // the resource's type
	path string // of the object inside of the resource; "" for itself
	m    map[string]any
	seen []string
	err  *error
}

// read returns a reader of a resource's properties.
func read(typ string, m map[string]any) *properties {
	return &properties{typ: typ, m: m, err: new(error)}
}

// fail keeps the first error.
func (p *properties) fail(format string, args ...any) {
	if *p.err == nil {
		*p.err = fault.Newf(fault.Invalid, "ValidationError", format, args...).On(p.typ)
	}
}

func (p *properties) get(name string) (any, bool) {
	p.seen = append(p.seen, name)
	v, ok := p.m[name]
	return v, ok
}

// text returns a scalar property as text, "" if it is absent.
func (p *properties) text(name string) string {
	v, ok := p.get(name)
	if !ok {
		return ""
	}
	s, scalar := template.Text(v)
	if !scalar {
		p.fail("Value of property %s must be of type String", name)
	}
	return s
}

// need is text of a property that must be there.
func (p *properties) need(name string) string {
	s := p.text(name)
	if s == "" {
		p.fail("Property %s cannot be empty.", name)
	}
	return s
}

// truth returns a boolean property, false if it is absent.
func (p *properties) truth(name string) bool {
	s := p.text(name)
	if s == "" {
		return false
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		p.fail("Value of property %s must be of type Boolean", name)
	}
	return b
}

// object returns a property that is an object, nil if it is absent. A list of
// one object is taken as that object, as people write it.
func (p *properties) object(name string) *properties {
	v, ok := p.get(name)
	if !ok {
		return nil
	}
	if list, isList := v.([]any); isList && len(list) == 1 {
		v = list[0]
	}
	return p.inner(name, v)
}

func (p *properties) inner(name string, v any) *properties {
	m, ok := v.(map[string]any)
	if !ok {
		p.fail("Value of property %s must be an object", name)
		return nil
	}
	return &properties{typ: p.typ, path: p.path + name + ".", m: m, err: p.err}
}

// list returns a property that is a list; a single value is a list of one.
func (p *properties) list(name string) []any {
	v, ok := p.get(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return []any{v}
	}
	return list
}

// objects returns a property that is a list of objects.
func (p *properties) objects(name string) []*properties {
	var out []*properties
	for _, v := range p.list(name) {
		if o := p.inner(name, v); o != nil {
			out = append(out, o)
		}
	}
	return out
}

// texts returns a property that is a list of scalars.
func (p *properties) texts(name string) []string {
	var out []string
	for _, v := range p.list(name) {
		s, ok := template.Text(v)
		if !ok {
			p.fail("Value of property %s must be of type List of String", name)
		}
		out = append(out, s)
	}
	return out
}

// tags returns a property that is a list of tags.
func (p *properties) tags(name string) []Tag {
	var tags []Tag
	for _, o := range p.objects(name) {
		t := Tag{Key: o.need("Key"), Value: o.text("Value")}
		o.done()
		if slices.ContainsFunc(tags, func(x Tag) bool { return x.Key == t.Key }) {
			p.fail("Duplicate tag key %s", t.Key)
		}
		tags = append(tags, t)
	}
	return tags
}

// document returns a property that is a policy, as JSON; nil if it is absent.
// Numbers and booleans become strings, as IAM's language has them.
func (p *properties) document(name string) []byte {
	v, ok := p.get(name)
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case string:
		return []byte(v)
	case map[string]any:
		return template.JSON(stringly(v))
	}
	p.fail("Value of property %s must be an object", name)
	return nil
}

// needDocument is document of a property that must be there.
func (p *properties) needDocument(name string) []byte {
	document := p.document(name)
	if document == nil {
		p.fail("Property %s cannot be empty.", name)
	}
	return document
}

func stringly(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, item := range v {
			m[k] = stringly(item)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = stringly(item)
		}
		return list
	}
	s, _ := template.Text(v)
	return s
}

// done fails if the object has a property that nobody asked for. known are
// properties that AWS has and Twinbucket has not.
func (p *properties) done(known ...string) error {
	names := make([]string, 0, len(p.m))
	for name := range p.m {
		if !slices.Contains(p.seen, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.Contains(known, name) {
			if *p.err == nil {
				*p.err = fault.Newf(fault.Unsupported, "NotImplemented", "The property %s%s of %s is not supported", p.path, name, p.typ)
			}
			continue
		}
		p.fail("Encountered unsupported property %s", name)
	}
	return *p.err
}

// decode returns recorded properties.
func decode(raw json.RawMessage) map[string]any {
	m := map[string]any{}
	if len(raw) == 0 {
		return m
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		panic("stack: recorded properties are not JSON: " + err.Error())
	}
	return m
}

// differences returns the names of the properties that differ, sorted.
func differences(a, b map[string]any) []string {
	var out []string
	for k, v := range a {
		w, ok := b[k]
		if !ok || !bytes.Equal(template.JSON(v), template.JSON(w)) {
			out = append(out, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
