package template

import (
	"encoding/json"
	"strconv"
)

// kind is what a node of a template is.
type kind uint8

const (
	textNode kind = iota
	numberNode
	boolNode
	nullNode
	listNode
	objectNode
)

// maxDepth bounds the nesting of a template.
const maxDepth = 100

// node is a value of a template with its place, objects in written order.
type node struct {
	kind      kind
	text      string // of a scalar
	line, col int    // counted from 1
	items     []*node
	keys      []string
	fields    map[string]*node
}

// value returns the node as the values of this package.
func (n *node) value() any {
	switch n.kind {
	case numberNode:
		return json.Number(n.text)
	case boolNode:
		return n.text == "true"
	case listNode:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.value()
		}
		return list
	case objectNode:
		return n.object()
	default:
		return n.text
	}
}

// object returns an object node as a map.
func (n *node) object() map[string]any {
	m := make(map[string]any, len(n.keys))
	for _, k := range n.keys {
		m[k] = n.fields[k].value()
	}
	return m
}

// noNulls reports the first null below n.
func (n *node) noNulls(path string) error {
	switch n.kind {
	case nullNode:
		return invalid("[%s] 'null' values are not allowed in templates", path).
			WithHint("line %d has no value: give one, or leave the line out", n.line)
	case listNode:
		for i, item := range n.items {
			if err := item.noNulls(path + "/" + strconv.Itoa(i)); err != nil {
				return err
			}
		}
	case objectNode:
		for _, k := range n.keys {
			if err := n.fields[k].noNulls(path + "/" + k); err != nil {
				return err
			}
		}
	}
	return nil
}

// scalar reports whether the node is a string, a number or a boolean.
func (n *node) scalar() bool {
	return n.kind == textNode || n.kind == numberNode || n.kind == boolNode
}

// Text returns a scalar value as CloudFormation's functions see it, and
// whether v is a scalar.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
