package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// jsonReader reads JSON into nodes.
type jsonReader struct {
	d    *json.Decoder
	body []byte
	// at and line remember how far lines were counted.
	at, line, lineStart int
}

// readJSON reads one JSON value.
func readJSON(body []byte) (*node, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	r := &jsonReader{d: json.NewDecoder(bytes.NewReader(body)), body: body, line: 1}
	r.d.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return nil, r.fail()
	}
	return n, nil
}

// place returns line and column of the next token.
func (r *jsonReader) place() (line, col int) {
	to := min(int(r.d.InputOffset()), len(r.body))
	for to < len(r.body) && bytes.IndexByte([]byte(" \t\r\n,:"), r.body[to]) >= 0 {
		to++
	}
	for ; r.at < to; r.at++ {
		if r.body[r.at] == '\n' {
			r.line++
			r.lineStart = r.at + 1
		}
	}
	return r.line, to - r.lineStart + 1
}

func (r *jsonReader) fail() error {
	line, col := r.place()
	return formatError("JSON not well-formed. (line %d, column %d)", line, col)
}

func (r *jsonReader) value(depth int) (*node, error) {
	n := &node{}
	n.line, n.col = r.place()
	t, err := r.d.Token()
	if err != nil || depth > maxDepth {
		return nil, r.fail()
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return n, r.object(n, depth)
		}
		n.kind = listNode
		for r.d.More() {
			item, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		if _, err := r.d.Token(); err != nil {
			return nil, r.fail()
		}
	case string:
		n.text = t
	case json.Number:
		n.kind, n.text = numberNode, t.String()
	case bool:
		n.kind, n.text = boolNode, strconv.FormatBool(t)
	default:
		n.kind = nullNode
	}
	return n, nil
}

func (r *jsonReader) object(n *node, depth int) error {
	n.kind, n.fields = objectNode, map[string]*node{}
	for r.d.More() {
		line, col := r.place()
		k, err := r.d.Token()
		key, ok := k.(string)
		if err != nil || !ok {
			return r.fail()
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if !n.add(key, v) {
			return formatError("Duplicate key %s. (line %d, column %d)", key, line, col)
		}
	}
	if _, err := r.d.Token(); err != nil {
		return r.fail()
	}
	return nil
}
