package rule

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxDepth is how deep elements may nest; the schema needs six.
const maxDepth = 12

// element is one XML element. Its text is all the text directly inside it.
type element struct {
	name string
	text []byte
	kids []*element
}

// blank reports whether the element's own text is white space only.
func (e *element) blank() bool { return len(bytes.TrimSpace(e.text)) == 0 }

// parseElement reads a document into its root element. Namespaces, comments
// and white space between elements are ignored.
func parseElement(data []byte) (*element, error) {
	if len(data) > MaxSize {
		return nil, malformed("a configuration has at most 2 MB; this one has %d bytes", len(data))
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	var root *element
	var open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, malformed("the document is not XML: %v", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local}
			if len(open) == 0 && root != nil || len(open) == maxDepth {
				return nil, malformed("there is an element %s where none can be", e.name)
			}
			if len(open) == 0 {
				root = e
			} else {
				parent := open[len(open)-1]
				parent.kids = append(parent.kids, e)
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				e := open[len(open)-1]
				e.text = append(e.text, t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, malformed("there is text outside the root element")
			}
		case xml.Directive:
			return nil, malformed("a document type declaration is not allowed")
		}
	}
	if root == nil {
		return nil, malformed("the document is empty")
	}
	return root, nil
}

// reader hands out the children of one element by name. It keeps the first
// error; after it, every call returns nothing.
type reader struct {
	of   *element
	kids map[string][]*element
	err  *error
}

// read begins reading e, whose children must have the given names; a name
// with a trailing "+" may come several times.
func (r *reader) read(e *element, names ...string) *reader {
	sub := &reader{of: e, kids: map[string][]*element{}, err: r.err}
	if e == nil || *r.err != nil {
		return sub
	}
	if !e.blank() {
		sub.fail("%s holds elements and no text", e.name)
	}
	for _, kid := range e.kids {
		sub.kids[kid.name] = append(sub.kids[kid.name], kid)
	}
	known := 0
	for _, name := range names {
		single, many := strings.CutSuffix(name, "+")
		n := len(sub.kids[single])
		if n > 1 && !many {
			sub.fail("%s holds more than one %s", e.name, single)
		}
		known += n
	}
	if known != len(e.kids) {
		sub.fail("%s may hold only %s", e.name, strings.ReplaceAll(strings.Join(names, ", "), "+", ""))
	}
	return sub
}

func (r *reader) fail(hint string, args ...any) {
	if *r.err == nil {
		*r.err = malformed(hint, args...)
	}
}

// child returns the child of that name, or nil.
func (r *reader) child(name string) *element {
	if *r.err != nil || len(r.kids[name]) == 0 {
		return nil
	}
	return r.kids[name][0]
}

// need is child for a child that must be there.
func (r *reader) need(name string) *element {
	e := r.child(name)
	if e == nil {
		r.fail("%s lacks %s", r.of.nameOr("the document"), name)
	}
	return e
}

// raw returns the text of the child of that name as it stands, and nil if
// there is no such child.
func (r *reader) raw(name string) *string {
	e := r.child(name)
	if e == nil {
		return nil
	}
	if len(e.kids) > 0 {
		r.fail("%s holds text and no elements", name)
	}
	text := string(e.text)
	return &text
}

// word returns the child's text without the white space around it; "" if
// there is no such child.
func (r *reader) word(name string) string {
	if p := r.raw(name); p != nil {
		return strings.TrimSpace(*p)
	}
	return ""
}

func (e *element) nameOr(other string) string {
	if e == nil {
		return other
	}
	return e.name
}
