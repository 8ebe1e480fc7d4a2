package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDepth bounds the nesting of a document; the deepest valid one has six
// levels.
const maxDepth = 16

// node is a JSON value. Unlike encoding/json's maps it keeps the order of
// members and does not accept one name twice.
type node struct {
	kind  nodeKind
	text  string   // of a string, number or boolean, as written
	names []string // of an object's members
	items []node   // an array's items or an object's values
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	stringNode
	numberNode
	boolNode
	arrayNode
	objectNode
)

// readJSON reads exactly one JSON value.
func readJSON(data []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	n, err := readNode(dec, 0)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return node{}, errors.New("the document ends too early")
	}
	if err != nil {
		return node{}, fmt.Errorf("at byte %d: %w", dec.InputOffset(), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return node{}, fmt.Errorf("at byte %d: text after the end of the document", dec.InputOffset())
	}
	return n, nil
}

func readNode(dec *json.Decoder, depth int) (node, error) {
	if depth > maxDepth {
		return node{}, errors.New("nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return node{}, err
	}
	switch t := token.(type) {
	case string:
		return node{kind: stringNode, text: t}, nil
	case json.Number:
		return node{kind: numberNode, text: t.String()}, nil
	case bool:
		return node{kind: boolNode, text: fmt.Sprint(t)}, nil
	case json.Delim:
		if t == '[' {
			return readArray(dec, depth)
		}
		return readObject(dec, depth)
	}
	return node{}, nil
}

func readArray(dec *json.Decoder, depth int) (node, error) {
	n := node{kind: arrayNode}
	for dec.More() {
		item, err := readNode(dec, depth+1)
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	_, err := dec.Token()
	return n, err
}

func readObject(dec *json.Decoder, depth int) (node, error) {
	n := node{kind: objectNode}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return node{}, err
		}
		name, _ := token.(string)
		if seen[name] {
			return node{}, fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		value, err := readNode(dec, depth+1)
		if err != nil {
			return node{}, err
		}
		n.names = append(n.names, name)
		n.items = append(n.items, value)
	}
	_, err := dec.Token()
	return n, err
}

// strings returns the text of a string or of a list of strings, and whether n
// is one of these. With scalars, numbers and booleans count as strings.
func (n node) strings(scalars bool) ([]string, bool) {
	ok := func(k nodeKind) bool {
		return k == stringNode || scalars && (k == numberNode || k == boolNode)
	}
	if ok(n.kind) {
		return []string{n.text}, true
	}
	if n.kind != arrayNode {
		return nil, false
	}
	out := make([]string, len(n.items))
	for i, item := range n.items {
		if !ok(item.kind) {
			return nil, false
		}
		out[i] = item.text
	}
	return out, true
}
