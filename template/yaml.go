package template

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"twinbucket/fault"
)

var (
	yamlLine   = regexp.MustCompile(`line (\d+)`)
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$`)
	yaml11Bool = map[string]string{
		"yes": "true", "Yes": "true", "YES": "true", "on": "true", "On": "true", "ON": "true",
		"no": "false", "No": "false", "NO": "false", "off": "false", "Off": "false", "OFF": "false",
	}
)

// readYAML reads one YAML document.
func readYAML(body []byte) (*node, error) {
	d := yaml.NewDecoder(bytes.NewReader(body))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, formatError("unsupported structure.")
		}
		return nil, yamlError(err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, notWellFormed(more.Line, more.Column).WithHint("a template is one YAML document")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, formatError("unsupported structure.")
	}
	return fromYAML(doc.Content[0], 0)
}

// yamlError turns the parser's error into CloudFormation's.
func yamlError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	e := formatError("YAML not well-formed.")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e = formatError("YAML not well-formed. (line %s)", m[1])
	}
	return e.WithHint("%s", text)
}

// notWellFormed is CloudFormation's error for YAML it cannot read.
func notWellFormed(line, col int) *fault.Error {
	return formatError("YAML not well-formed. (line %d, column %d)", line, col)
}

// fromYAML turns a YAML node into a node, short tags into functions.
func fromYAML(y *yaml.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, notWellFormed(y.Line, y.Column).WithHint("a template nests at most %d levels deep", maxDepth)
	}
	if y.Kind == yaml.AliasNode {
		return nil, templateError("YAML aliases are not allowed in CloudFormation templates").
			WithHint("line %d uses *%s; aws cloudformation package writes aliases out", y.Line, y.Value)
	}
	short := ""
	if strings.HasPrefix(y.Tag, "!") && !strings.HasPrefix(y.Tag, "!!") && y.Tag != "!" {
		short = y.Tag[1:]
	}
	n, err := plainYAML(y, depth, short != "")
	if err != nil || short == "" {
		return n, err
	}
	return fromTag(y, short, n)
}

// plainYAML turns a YAML node into a node; tagged says that its tag is a
// function and says nothing about the value's type.
func plainYAML(y *yaml.Node, depth int, tagged bool) (*node, error) {
	n := &node{line: y.Line, col: y.Column}
	if tag := y.ShortTag(); !tagged && y.Kind != yaml.ScalarNode && tag != "!!map" && tag != "!!seq" {
		return nil, notWellFormed(y.Line, y.Column).WithHint("the tag %s is not allowed in CloudFormation templates", tag)
	}
	switch y.Kind {
	case yaml.ScalarNode:
		return n, n.setScalar(y, tagged)
	case yaml.SequenceNode:
		n.kind = listNode
		for _, c := range y.Content {
			item, err := fromYAML(c, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		return n, nil
	case yaml.MappingNode:
		n.kind = objectNode
		n.fields = make(map[string]*node, len(y.Content)/2)
		for i := 0; i+1 < len(y.Content); i += 2 {
			k := y.Content[i]
			if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" {
				return nil, notWellFormed(k.Line, k.Column).WithHint("a key is a plain string; merge keys are not allowed in CloudFormation templates")
			}
			v, err := fromYAML(y.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if !n.add(k.Value, v) {
				return nil, formatError("Duplicate key %s. (line %d, column %d)", k.Value, k.Line, k.Column)
			}
		}
		return n, nil
	}
	return nil, notWellFormed(y.Line, y.Column)
}

// add adds a field to an object and reports whether it was new.
func (n *node) add(key string, v *node) bool {
	if _, dup := n.fields[key]; dup {
		return false
	}
	n.keys = append(n.keys, key)
	n.fields[key] = v
	return true
}

// setScalar sets n to the scalar y under the rules of YAML 1.1, but for
// numbers and dates, which keep their text.
func (n *node) setScalar(y *yaml.Node, tagged bool) error {
	n.text = y.Value
	tag := y.ShortTag()
	if tagged {
		tag = "!!str"
	}
	plain := y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch tag {
	case "!!str", "!", "!!timestamp", "!!merge":
		if b, ok := yaml11Bool[y.Value]; ok && plain && !tagged && y.Style&yaml.TaggedStyle == 0 {
			n.kind, n.text = boolNode, b
		}
	case "!!int", "!!float":
		if jsonNumber.MatchString(y.Value) {
			n.kind = numberNode
		}
	case "!!bool":
		n.kind, n.text = boolNode, strconv.FormatBool(strings.EqualFold(y.Value, "true"))
		if b, ok := yaml11Bool[y.Value]; ok {
			n.text = b
		}
	case "!!null":
		n.kind = nullNode
	default:
		return notWellFormed(y.Line, y.Column).WithHint("the tag %s is not allowed in CloudFormation templates", tag)
	}
	return nil
}

// shortTags are the functions that have a short form.
var shortTags = map[string]bool{
	"And": true, "Base64": true, "Cidr": true, "Equals": true, "FindInMap": true, "ForEach": true,
	"GetAtt": true, "GetAZs": true, "If": true, "ImportValue": true, "Join": true, "Length": true,
	"Not": true, "Or": true, "Select": true, "Split": true, "Sub": true, "ToJsonString": true, "Transform": true,
}

// fromTag turns a tagged value into the long form of its function.
func fromTag(y *yaml.Node, tag string, v *node) (*node, error) {
	name := tag
	switch {
	case tag == "Ref" || tag == "Condition":
	case shortTags[tag]:
		name = "Fn::" + tag
	default:
		return nil, notWellFormed(y.Line, y.Column).WithHint("there is no function !%s", tag)
	}
	if tag == "GetAtt" && v.kind == textNode {
		res, attr, ok := strings.Cut(v.text, ".")
		list := &node{kind: listNode, line: v.line, col: v.col, items: []*node{{text: res, line: v.line, col: v.col}}}
		if ok {
			list.items = append(list.items, &node{text: attr, line: v.line, col: v.col})
		}
		v = list
	}
	n := &node{kind: objectNode, line: y.Line, col: y.Column, fields: map[string]*node{}}
	n.add(name, v)
	return n, nil
}
