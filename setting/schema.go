package setting

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"twinbucket/markup"
)

// element is what a schema says of one element.
type element struct {
	name  string
	need  bool              // it must be there
	many  bool              // it may come several times
	typed bool              // it has an xsi:type
	words []string          // what its text can be; nil: anything
	form  func(string) bool // what else its text has to be
	kids  []element         // in AWS's order; nil: it holds text
}

// text is an element that holds any text.
func text(name string) element { return element{name: name} }

// word is an element whose text is one of several words.
func word(name string, words ...string) element { return element{name: name, words: words} }

// formed is an element whose text, without the white space around it, has a
// form.
func formed(name string, form func(string) bool) element { return element{name: name, form: form} }

// group is an element that holds elements, or nothing at all.
func group(name string, kids ...element) element {
	if kids == nil {
		kids = []element{}
	}
	return element{name: name, kids: kids}
}

// needed returns e as one that must be there.
func needed(e element) element { e.need = true; return e }

// repeated returns e as one that may come several times.
func repeated(e element) element { e.many = true; return e }

// digits reports whether s is a number that is not negative and fits 31 bits.
func digits(s string) bool {
	return s != "" && len(s) <= 10 && strings.Trim(s, "0123456789") == "" && (len(s) < 10 || s <= "2147483647")
}

// integer reports whether s is a number that fits 32 bits. AWS takes negative
// ones where they mean nothing.
func integer(s string) bool {
	_, err := strconv.ParseInt(s, 10, 32)
	return err == nil
}

// node is one element of a document. Its text is what stands directly in it.
type node struct {
	name, typ, text string
	kids            []*node
}

// child returns the first element of a name directly in n, nil if there is none.
func (n *node) child(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// all returns the elements of a name directly in n.
func (n *node) all(name string) []*node {
	var list []*node
	for _, k := range n.kids {
		if k.name == name {
			list = append(list, k)
		}
	}
	return list
}

// at returns what a path of names leads to, nil if it leads nowhere.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n = n.child(name); n == nil {
			return nil
		}
	}
	return n
}

// value returns the text of the first element of a name, "" if there is none.
func (n *node) value(name string) string {
	if k := n.child(name); k != nil {
		return k.text
	}
	return ""
}

// values returns the texts of the elements of a name.
func (n *node) values(name string) []string {
	var list []string
	for _, k := range n.all(name) {
		list = append(list, k.text)
	}
	return list
}

// set gives the first element of a name a text, and adds one if there is none.
func (n *node) set(name, text string) {
	k := n.child(name)
	if k == nil {
		k = &node{name: name}
		n.kids = append(n.kids, k)
	}
	k.text = text
}

// parse reads a document whose root has the given name.
func parse(data []byte, root string, limit int) (*node, error) {
	e, err := markup.Parse(data, root, limit)
	if err != nil {
		return nil, err
	}
	return nodeOf(e), nil
}

func nodeOf(e *markup.Element) *node {
	n := &node{name: e.Name, typ: e.Type, text: string(e.Text)}
	for _, k := range e.Kids {
		n.kids = append(n.kids, nodeOf(k))
	}
	return n
}

// accept holds n against the schema, and frees it of white space that says
// nothing.
func (e *element) accept(n *node) error {
	if e.kids == nil {
		return e.acceptText(n)
	}
	if strings.TrimSpace(n.text) != "" {
		return markup.Malformed("%s holds elements and no text", e.name)
	}
	n.text = ""
	if e.typed && n.typ == "" {
		return markup.Malformed("%s lacks its xsi:type", e.name)
	}
	have := make([]int, len(e.kids))
	for _, k := range n.kids {
		i := slices.IndexFunc(e.kids, func(x element) bool { return x.name == k.name })
		if i < 0 {
			return markup.Malformed("%s cannot hold an element %s", e.name, k.name)
		}
		if have[i]++; have[i] > 1 && !e.kids[i].many {
			return markup.Malformed("%s holds more than one %s", e.name, k.name)
		}
		if err := e.kids[i].accept(k); err != nil {
			return err
		}
	}
	for i := range e.kids {
		if e.kids[i].need && have[i] == 0 {
			return markup.Malformed("%s lacks %s", e.name, e.kids[i].name)
		}
	}
	return nil
}

func (e *element) acceptText(n *node) error {
	if len(n.kids) > 0 {
		return markup.Malformed("%s holds text and no elements", e.name)
	}
	if e.words == nil && e.form == nil {
		return nil
	}
	n.text = strings.TrimSpace(n.text)
	if e.words != nil && !slices.Contains(e.words, n.text) {
		return markup.Malformed("%s is %s", e.name, strings.Join(e.words, " or "))
	}
	if e.form != nil && !e.form(n.text) {
		return markup.Malformed("%s cannot be %q", e.name, n.text)
	}
	return nil
}

// document writes n as a document by itself.
func (e *element) document(n *node) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e.write(&b, n, ` xmlns="`+markup.Namespace+`"`)
	return b.Bytes()
}

// write writes n in the order of the schema; attributes go with its first tag.
func (e *element) write(b *bytes.Buffer, n *node, attributes string) {
	if e.typed {
		attributes += ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="` + n.typ + `"`
	}
	b.WriteString("<" + e.name + attributes + ">")
	if e.kids == nil {
		// A bytes.Buffer never fails, so neither does EscapeText.
		_ = xml.EscapeText(b, []byte(n.text))
	}
	for i := range e.kids {
		for _, k := range n.all(e.kids[i].name) {
			e.kids[i].write(b, k, "")
		}
	}
	b.WriteString("</" + e.name + ">")
}
