package stack

import (
	"bytes"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"

	"twinbucket/markup"
)

// tree is an S3 document as properties say it. A template nests and names
// things in another way than the S3 API, so each object in it is turned into a
// tree in the form of the API: elements by their names, lists of elements that
// come several times, and texts. Their order is that of their names: who reads
// the document brings them into AWS's.
type tree = map[string]any

// document writes a tree.
func document(root string, t tree) []byte {
	var b bytes.Buffer
	b.WriteString("<" + root + ` xmlns="` + markup.Namespace + `">`)
	writeKids(&b, t)
	b.WriteString("</" + root + ">")
	return b.Bytes()
}

func writeKids(b *bytes.Buffer, t tree) {
	for _, kid := range slices.Sorted(maps.Keys(t)) {
		writeTree(b, kid, t[kid])
	}
}

func writeTree(b *bytes.Buffer, name string, v any) {
	if list, ok := v.([]any); ok {
		for _, item := range list {
			writeTree(b, name, item)
		}
		return
	}
	b.WriteString("<" + name + ">")
	switch v := v.(type) {
	case string:
		// A bytes.Buffer never fails, so neither does EscapeText.
		_ = xml.EscapeText(b, []byte(v))
	case tree:
		writeKids(b, v)
	}
	b.WriteString("</" + name + ">")
}

// take returns the properties of the given names that are there, texts and
// lists of them. A name can be PROPERTY=ELEMENT.
func (p *properties) take(names ...string) tree {
	t := tree{}
	for _, name := range names {
		property, element, renamed := strings.Cut(name, "=")
		if !renamed {
			element = property
		}
		v, ok := p.get(property)
		if !ok {
			continue
		}
		if _, many := v.([]any); !many {
			t[element] = p.text(property)
			continue
		}
		list := []any{}
		for _, s := range p.texts(property) {
			list = append(list, s)
		}
		t[element] = list
	}
	return t
}

// truths adds to t the properties of the given names that are there, which are
// booleans.
func (p *properties) truths(t tree, names ...string) tree {
	for _, name := range names {
		if _, ok := p.m[name]; ok {
			t[name] = strconv.FormatBool(p.truth(name))
		}
	}
	return t
}

// trees returns what of makes of each item of a property that is a list of
// objects.
func (p *properties) trees(name string, of func(*properties) tree) []any {
	list := []any{}
	for _, o := range p.objects(name) {
		list = append(list, of(o))
		_ = o.done() // the error is kept
	}
	return list
}

// within sets t's element to what of makes of a property that is an object.
func (p *properties) within(t tree, property, element string, of func(*properties) tree) {
	if o := p.object(property); o != nil {
		t[element] = of(o)
		_ = o.done() // the error is kept
	}
}

// filtered adds to t the filter that TagFilters and the properties of some
// names make.
func (p *properties) filtered(t tree, names ...string) tree {
	f := p.take(names...)
	n := len(f)
	if tags := p.trees("TagFilters", keyAndValue); len(tags) > 0 {
		f["Tag"] = tags
		n += len(tags)
	}
	switch {
	case n > 1:
		t["Filter"] = tree{"And": f}
	case n == 1:
		t["Filter"] = f
	}
	return t
}

func keyAndValue(o *properties) tree { return o.take("Key", "Value") }
