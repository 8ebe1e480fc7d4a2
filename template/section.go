package template

import (
	"regexp"
	"slices"
	"strings"
)

// FormatVersion is the one version templates have.
const FormatVersion = "2010-09-09"

var alphanumeric = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// sections reads the sections of a template.
func sections(root *node) (*Template, error) {
	if root.kind != objectNode {
		return nil, formatError("unsupported structure.")
	}
	t := &Template{
		Mappings: map[string]map[string]map[string]any{}, Conditions: map[string]any{},
		byName: map[string]*Resource{}, parameters: map[string]*Parameter{},
	}
	read := map[string]func(*node) error{
		"AWSTemplateFormatVersion": readVersion,
		"Description":              t.readDescription,
		"Metadata":                 t.readMetadata,
		"Parameters":               t.readParameters,
		"Mappings":                 t.readMappings,
		"Conditions":               t.readConditions,
		"Resources":                t.readResources,
		"Outputs":                  t.readOutputs,
	}
	var strange []string
	for _, name := range root.keys {
		switch {
		case name == "Transform":
			return nil, unsupported("Transforms are not supported: section Transform (line %d)", root.fields[name].line).
				WithHint("write the template out before it is deployed, for example with sam or cdk")
		case name == "Rules" || name == "Hooks":
			return nil, unsupported("The template section %s is not supported (line %d)", name, root.fields[name].line)
		case read[name] == nil:
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		return nil, invalid("Invalid template property or properties [%s]", strings.Join(strange, ", "))
	}
	if r := root.fields["Resources"]; r == nil || r.kind == objectNode && len(r.keys) == 0 {
		return nil, formatError("At least one Resources member must be defined.")
	}
	for _, name := range root.keys {
		n := root.fields[name]
		if err := n.noNulls("/" + name); err != nil {
			return nil, err
		}
		if err := read[name](n); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func readVersion(n *node) error {
	if n.kind != textNode || n.text != FormatVersion {
		return formatError("Unsupported AWSTemplateFormatVersion: %s. (line %d, column %d)", n.text, n.line, n.col).
			WithHint("the only version is %q", FormatVersion)
	}
	return nil
}

func (t *Template) readDescription(n *node) error {
	if n.kind != textNode {
		return formatError("Template Description must be a string. (line %d)", n.line)
	}
	if len(n.text) > 1024 {
		return formatError("Template Description must not be longer than 1024 characters.")
	}
	t.Description = n.text
	return nil
}

func (t *Template) readMetadata(n *node) error {
	if n.kind != objectNode {
		return formatError("Metadata must be an object. (line %d)", n.line)
	}
	t.Metadata = n.object()
	return nil
}

// members checks that a section is an object of objects with sound names.
func members(n *node, section, one string, most int) error {
	if n.kind != objectNode {
		return formatError("[/%s] %s must be an object. (line %d)", section, section, n.line)
	}
	if len(n.keys) > most {
		return formatError("Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(section), len(n.keys), most)
	}
	for _, name := range n.keys {
		v := n.fields[name]
		if !alphanumeric.MatchString(name) {
			return formatError("%s name %s is non alphanumeric.", one, name).WithHint("line %d: use letters and digits only", v.line)
		}
		if v.kind != objectNode {
			return formatError("[/%s/%s] Any %s member must be an object. (line %d)", section, name, section, v.line)
		}
	}
	return nil
}

func (t *Template) readMappings(n *node) error {
	if err := members(n, "Mappings", "Mapping", MaxMappings); err != nil {
		return err
	}
	for _, name := range n.keys {
		top := map[string]map[string]any{}
		for _, k1 := range n.fields[name].keys {
			second := n.fields[name].fields[k1]
			if second.kind != objectNode {
				return formatError("Every Mappings attribute must be a String or a List. (line %d)", second.line)
			}
			for _, k2 := range second.keys {
				if second.fields[k2].kind == objectNode {
					return formatError("Every Mappings attribute must be a String or a List. (line %d)", second.fields[k2].line)
				}
			}
			top[k1] = second.object()
		}
		t.Mappings[name] = top
	}
	return nil
}

func (t *Template) readConditions(n *node) error {
	if n.kind != objectNode {
		return formatError("[/Conditions] Conditions must be an object. (line %d)", n.line)
	}
	for _, name := range n.keys {
		if n.fields[name].kind != objectNode {
			return formatError("Every Conditions member must be an object. (line %d)", n.fields[name].line)
		}
		t.Conditions[name] = n.fields[name].value()
		t.conditionNames = append(t.conditionNames, name)
	}
	return nil
}

func (t *Template) readResources(n *node) error {
	if err := members(n, "Resources", "Resource", MaxResources); err != nil {
		return err
	}
	for _, name := range n.keys {
		r, err := readResource(name, n.fields[name])
		if err != nil {
			return err
		}
		t.Resources = append(t.Resources, r)
		t.byName[name] = r
	}
	return nil
}

func readResource(name string, n *node) (*Resource, error) {
	r := &Resource{Name: name, Line: n.line}
	path := "/Resources/" + name
	for _, k := range n.keys {
		v := n.fields[k]
		var err error
		switch k {
		case "Type":
			r.Type, err = v.str(path, k)
		case "Condition":
			r.Condition, err = v.str(path, k)
		case "DeletionPolicy":
			r.DeletionPolicy, err = readPolicy(r, v, k)
		case "UpdateReplacePolicy":
			r.UpdateReplacePolicy, err = readPolicy(r, v, k)
		case "DependsOn":
			r.DependsOn, err = readDepends(v, path)
		case "Properties", "Metadata":
			if v.kind != objectNode {
				return nil, formatError("[%s/%s] Every %s member must be an object. (line %d)", path, k, k, v.line)
			}
			if k == "Metadata" {
				r.Metadata = v.object()
			} else {
				r.Properties = v.object()
			}
		case "CreationPolicy", "UpdatePolicy":
			err = unsupported("The resource attribute %s is not supported (resource %s, line %d)", k, name, v.line)
		default:
			err = invalid("Invalid template resource property '%s'", k).
				WithHint("resource %s, line %d: what belongs to the resource itself goes under Properties", name, v.line)
		}
		if err != nil {
			return nil, err
		}
	}
	if r.Type == "" {
		return nil, formatError("[%s] Every Resources object must contain a Type member.", path).WithHint("line %d", n.line)
	}
	return r, nil
}

// str returns a node that must be a string.
func (n *node) str(path, name string) (string, error) {
	if n.kind != textNode {
		return "", formatError("[%s/%s] Every %s member must be a string. (line %d)", path, name, name, n.line)
	}
	return n.text, nil
}

// readPolicy reads a DeletionPolicy or an UpdateReplacePolicy.
func readPolicy(r *Resource, n *node, name string) (string, error) {
	ok := []string{"Delete", "Retain"}
	if name == "DeletionPolicy" {
		ok = append(ok, "RetainExceptOnCreate")
	}
	if n.kind == textNode && slices.Contains(ok, n.text) {
		return n.text, nil
	}
	if n.kind == textNode && n.text == "Snapshot" {
		return "", templateError("resource %s does not support %s Snapshot", r.Name, name)
	}
	return "", formatError("Unrecognized %s %s for resource %s. (line %d)", name, n.text, r.Name, n.line).
		WithHint("it is one of %s", strings.Join(ok, ", "))
}

func readDepends(n *node, path string) ([]string, error) {
	if n.kind == textNode {
		return []string{n.text}, nil
	}
	var names []string
	for _, item := range n.items {
		if item.kind != textNode {
			return nil, formatError("[%s/DependsOn] Every DependsOn value must be a string. (line %d)", path, item.line)
		}
		names = append(names, item.text)
	}
	if n.kind != listNode {
		return nil, formatError("[%s/DependsOn] DependsOn must be a string or list of strings. (line %d)", path, n.line)
	}
	return names, nil
}

func (t *Template) readOutputs(n *node) error {
	if err := members(n, "Outputs", "Output", MaxOutputs); err != nil {
		return err
	}
	for _, name := range n.keys {
		o := &Output{Name: name}
		path := "/Outputs/" + name
		fields := n.fields[name]
		for _, k := range fields.keys {
			v := fields.fields[k]
			var err error
			switch k {
			case "Value":
				o.Value = v.value()
			case "Description":
				o.Description, err = v.str(path, k)
			case "Condition":
				o.Condition, err = v.str(path, k)
			case "Export":
				if v.kind != objectNode || len(v.keys) != 1 || v.fields["Name"] == nil {
					return formatError("Output %s is malformed. The Export field of every Outputs member must contain a Name. (line %d)", name, v.line)
				}
				o.Export = v.fields["Name"].value()
			default:
				err = invalid("Invalid template output property '%s'", k).WithHint("output %s, line %d", name, v.line)
			}
			if err != nil {
				return err
			}
		}
		if o.Value == nil {
			return formatError("Output %s is malformed. Every Outputs member must contain a Value object", name).WithHint("line %d", fields.line)
		}
		t.Outputs = append(t.Outputs, o)
	}
	return nil
}
