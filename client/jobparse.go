package client

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/job"
)

// ParseOperation sets the operation of a spec, as the JSON document says that
// aws s3control create-job --operation takes: {"S3PutObjectTagging": {"TagSet":
// [{"Key": "a", "Value": "b"}]}}. What is not known is an error: Invalid.
func ParseOperation(document []byte, s *job.Spec) error {
	wrong := func(format string, args ...any) error {
		return fault.Newf(fault.Invalid, "", format, args...).
			WithHint(`an operation is written as for aws s3control create-job --operation, such as {"S3ReplicateObject":{}}`)
	}
	var tree map[string]any
	in := json.NewDecoder(bytes.NewReader(document))
	in.UseNumber()
	if err := in.Decode(&tree); err != nil {
		return wrong("the operation is no JSON document: %v", err)
	}
	if len(tree) != 1 || in.More() {
		return wrong("exactly one operation has to be there")
	}
	var text bytes.Buffer
	text.WriteString("<Operation>")
	if err := writeTree(&text, tree); err != nil {
		return wrong("%v", err)
	}
	text.WriteString("</Operation>")
	var o jobOperation
	if err := xml.Unmarshal(text.Bytes(), &o); err != nil {
		return wrong("the operation cannot be read: %v", err)
	}
	o.into(s)
	back, err := xml.Marshal(operationOf(s))
	if err != nil {
		return fault.Wrap("client.operation", s.Operation, err)
	}
	known := elements(back)
	for _, path := range slices.Sorted(maps.Keys(elements(text.Bytes()))) {
		if !known[path] {
			return wrong("%s is not known, or empty", strings.TrimSuffix(path, value))
		}
	}
	return nil
}

// elementName is what names of the API's elements are made of: no other can be
// written as XML as it stands.
var elementName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// writeTree writes JSON as the XML of S3 Control: a list's items are members,
// and user metadata, the one map there is, has entries. A name that no element
// can have is an error.
func writeTree(w *bytes.Buffer, node any) error {
	switch node := node.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(node)) {
			if !elementName.MatchString(name) {
				return fmt.Errorf("%q is not known", name)
			}
			child := node[name]
			if user, ok := child.(map[string]any); ok && name == "UserMetadata" {
				child = entriesOf(user)
			}
			w.WriteString("<" + name + ">")
			if err := writeTree(w, child); err != nil {
				return err
			}
			w.WriteString("</" + name + ">")
		}
	case entries:
		for _, entry := range node {
			if err := writeTree(w, map[string]any{"entry": entry}); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range node {
			if err := writeTree(w, map[string]any{"member": item}); err != nil {
				return err
			}
		}
	case nil:
	default:
		return xml.EscapeText(w, []byte(fmt.Sprint(node)))
	}
	return nil
}

// entries are those of a map, in the order of their keys.
type entries []map[string]any

func entriesOf(m map[string]any) entries {
	var out entries
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, map[string]any{"key": key, "value": m[key]})
	}
	return out
}

// value marks the path of an element that holds a value, and not only others.
const value = "="

// elements returns the paths of a document's elements below its root.
func elements(document []byte) map[string]bool {
	paths := make(map[string]bool)
	var path []string
	for in := xml.NewDecoder(bytes.NewReader(document)); ; {
		token, err := in.Token()
		if err != nil { // the end: it was read before
			return paths
		}
		switch t := token.(type) {
		case xml.StartElement:
			if path = append(path, t.Name.Local); len(path) > 1 {
				paths[strings.Join(path[1:], "/")] = true
			}
		case xml.CharData:
			paths[strings.Join(path[1:], "/")+value] = true
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}
