package check

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// mapping returns a mapping of keys, strings, and values, nodes, in turn.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		if s, ok := p.(string); ok {
			n.Content = append(n.Content, text(s))
		} else {
			n.Content = append(n.Content, p.(*yaml.Node))
		}
	}
	return n
}

// fromJSON is JSON as YAML for people: each value on its line.
func fromJSON(data []byte) *yaml.Node {
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil || len(n.Content) != 1 {
		return text(string(data))
	}
	plain(&n)
	return n.Content[0]
}

func plain(n *yaml.Node) {
	n.Style, n.Line, n.Column = 0, 0, 0
	for _, c := range n.Content {
		plain(c)
	}
}

func render(n *yaml.Node) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		panic("check: " + err.Error()) // it is made of plain strings
	}
	return b.String()
}

// clone returns a copy that shares no node with n.
func clone(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out.Content[i] = clone(c)
	}
	return &out
}

// isList reports whether a node is a list, and no function.
func isList(n *yaml.Node) bool {
	return n.Kind == yaml.SequenceNode && (n.Tag == "" || n.Tag == "!!seq")
}

// isPlain reports whether a node is a mapping, and no function.
func isPlain(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && (n.Tag == "" || n.Tag == "!!map") && (len(n.Content) == 0 || !strings.HasPrefix(n.Content[0].Value, "Fn::"))
}

// child returns the value under a key, a new mapping if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if at(n, key) == nil {
		n.Content = append(n.Content, text(key), mapping())
	}
	return at(n, key)
}

// at returns the value under a path of keys; nil if there is none.
func at(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		i := 0
		for i < len(n.Content) && n.Content[i].Value != key {
			i += 2
		}
		if i >= len(n.Content) {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

// items returns the items of a list; nil if it is none.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// put sets a key of a mapping.
func put(n *yaml.Node, key string, value *yaml.Node) {
	if old := at(n, key); old != nil {
		*old = *value
		return
	}
	n.Content = append(n.Content, text(key), value)
}
