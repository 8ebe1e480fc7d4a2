package client

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
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
	writeTree(&text, tree)
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

// writeTree writes JSON as the XML of S3 Control: a list's items are members,
// and user metadata, the one map there is, has entries.
func writeTree(w *bytes.Buffer, node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(node)) {
			if entries, ok := node[name].(map[string]any); ok && name == "UserMetadata" {
				w.WriteString("<UserMetadata>")
				for _, key := range slices.Sorted(maps.Keys(entries)) {
					writeTree(w, map[string]any{"entry": map[string]any{"key": key, "value": entries[key]}})
				}
				w.WriteString("</UserMetadata>")
				continue
			}
			w.WriteString("<" + name + ">")
			writeTree(w, node[name])
			w.WriteString("</" + name + ">")
		}
	case []any:
		for _, item := range node {
			writeTree(w, map[string]any{"member": item})
		}
	case nil:
	default:
		_ = xml.EscapeText(w, []byte(fmt.Sprint(node))) // into memory
	}
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
