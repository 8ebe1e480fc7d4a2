// Package markup reads and writes XML documents of settings, as nouns keep
// them: read strictly, so that nothing in a document is passed over, and
// written plainly.
package markup

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"twinbucket/fault"
)

// maxDepth is how deep elements may nest; S3's schemas need six.
const maxDepth = 12

// Element is one XML element. Its text is all the text directly inside it.
type Element struct {
	Name string
	Type string // of the attribute xsi:type, by which S3 tells grantees apart
	Text []byte
	Kids []*Element
}

// Malformed returns AWS's error for a document of the wrong form.
func Malformed(hint string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema").
		WithHint(hint, args...)
}

// blank reports whether the element's own text is white space only.
func (e *Element) blank() bool { return len(bytes.TrimSpace(e.Text)) == 0 }

// Parse reads a document into its root element, which must have the given
// name. Namespaces, attributes but xsi:type, comments and white space between
// elements are ignored. A document has at most limit bytes.
func Parse(data []byte, root string, limit int) (*Element, error) {
	if len(data) > limit {
		return nil, Malformed("a configuration has at most %d bytes; this one has %d", limit, len(data))
	}
	e, err := parse(data)
	if err != nil {
		return nil, err
	}
	if e.Name != root {
		return nil, Malformed("the root element is %s and not %s", root, e.Name)
	}
	return e, nil
}

var byteOrderMark = []byte("\ufeff")

func parse(data []byte) (*Element, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, byteOrderMark)))
	var root *Element
	var open []*Element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, Malformed("the document is not XML: %v", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := begin(t)
			if len(open) == 0 && root != nil || len(open) == maxDepth {
				return nil, Malformed("there is an element %s where none can be", e.Name)
			}
			if len(open) == 0 {
				root = e
			} else {
				parent := open[len(open)-1]
				parent.Kids = append(parent.Kids, e)
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				e := open[len(open)-1]
				e.Text = append(e.Text, t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, Malformed("there is text outside the root element")
			}
		case xml.Directive:
			return nil, Malformed("a document type declaration is not allowed")
		}
	}
	if root == nil {
		return nil, Malformed("the document is empty")
	}
	return root, nil
}

func begin(t xml.StartElement) *Element {
	e := &Element{Name: t.Name.Local}
	for _, a := range t.Attr {
		if a.Name.Local == "type" && a.Name.Space != "" {
			e.Type = a.Value
		}
	}
	return e
}

// Reader hands out the children of one element by name. It keeps the first
// error; after it, every call returns nothing.
type Reader struct {
	of   *Element
	kids map[string][]*Element
	err  *error
}

// NewReader returns a reader that keeps the first error in err; Read begins.
func NewReader(err *error) *Reader { return &Reader{err: err} }

// Err returns the first error.
func (r *Reader) Err() error { return *r.err }

// Refuse keeps err as the error, if it is the first.
func (r *Reader) Refuse(err error) {
	if *r.err == nil {
		*r.err = err
	}
}

// Read begins reading e, whose children must have the given names; a name
// with a trailing "+" may come several times.
func (r *Reader) Read(e *Element, names ...string) *Reader {
	sub := &Reader{of: e, kids: map[string][]*Element{}, err: r.err}
	if e == nil || *r.err != nil {
		return sub
	}
	if !e.blank() {
		sub.Fail("%s holds elements and no text", e.Name)
	}
	for _, kid := range e.Kids {
		sub.kids[kid.Name] = append(sub.kids[kid.Name], kid)
	}
	known := 0
	for _, name := range names {
		single, many := strings.CutSuffix(name, "+")
		n := len(sub.kids[single])
		if n > 1 && !many {
			sub.Fail("%s holds more than one %s", e.Name, single)
		}
		known += n
	}
	if known != len(e.Kids) {
		sub.Fail("%s may hold only %s", e.Name, strings.ReplaceAll(strings.Join(names, ", "), "+", ""))
	}
	return sub
}

// Fail is Refuse of a Malformed error.
func (r *Reader) Fail(hint string, args ...any) { r.Refuse(Malformed(hint, args...)) }

// All returns the children of that name.
func (r *Reader) All(name string) []*Element {
	if *r.err != nil {
		return nil
	}
	return r.kids[name]
}

// Child returns the child of that name, or nil.
func (r *Reader) Child(name string) *Element {
	if *r.err != nil || len(r.kids[name]) == 0 {
		return nil
	}
	return r.kids[name][0]
}

// Need is Child for a child that must be there.
func (r *Reader) Need(name string) *Element {
	e := r.Child(name)
	if e == nil {
		r.Fail("%s lacks %s", r.of.nameOr("the document"), name)
	}
	return e
}

// Raw returns the text of the child of that name as it stands, and nil if
// there is no such child.
func (r *Reader) Raw(name string) *string {
	e := r.Child(name)
	if e == nil {
		return nil
	}
	if len(e.Kids) > 0 {
		r.Fail("%s holds text and no elements", name)
	}
	text := string(e.Text)
	return &text
}

// Word returns the child's text without the white space around it; "" if
// there is no such child.
func (r *Reader) Word(name string) string {
	if p := r.Raw(name); p != nil {
		return strings.TrimSpace(*p)
	}
	return ""
}

func (e *Element) nameOr(other string) string {
	if e == nil {
		return other
	}
	return e.Name
}

// Int returns the child's number, which has 32 bits, and whether there is such
// a child.
func (r *Reader) Int(name string) (int, bool) {
	n, ok := r.Int64(name)
	if n != int64(int32(n)) {
		r.Fail("%s is too large a number: %d", name, n)
	}
	return int(n), ok
}

// Int64 is Int for numbers of 64 bits.
func (r *Reader) Int64(name string) (int64, bool) {
	if r.Child(name) == nil {
		return 0, false
	}
	text := r.Word(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.Fail("%s is a whole number and not %q", name, text)
	}
	return n, true
}

// Bool returns the child's truth, which XML writes as true, false, 1 or 0, and
// whether there is such a child.
func (r *Reader) Bool(name string) (is, ok bool) {
	if r.Child(name) == nil {
		return false, false
	}
	switch word := r.Word(name); word {
	case "true", "1":
		is = true
	case "false", "0":
	default:
		r.Fail("%s is true or false and not %q", name, word)
	}
	return is, true
}
