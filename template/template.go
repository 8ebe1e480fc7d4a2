// Package template reads CloudFormation templates, in YAML or JSON: sections,
// parameters, conditions, intrinsic functions and the order of resources.
//
// Parse checks what can be checked without values. Bind gives a template its
// parameters and pseudo parameters; the Scope it returns resolves properties
// and outputs, asking a Lookup for what resources answer to Ref and
// Fn::GetAtt. Errors carry CloudFormation's own words.
//
// Values are what JSON has, without null: string, bool, json.Number, []any and
// map[string]any. A number keeps the text it was written with, so 012 and 1.10
// stay what they are, and so does a date: 2012-10-17 is a string.
package template

import (
	"bytes"
	"fmt"

	"twinbucket/fault"
)

// Limits of CloudFormation ("CloudFormation quotas").
const (
	MaxBody       = 51_200  // bytes of a template given in a request
	MaxSize       = 1 << 20 // bytes of a template, wherever it comes from
	MaxParameters = 200
	MaxResources  = 500
	MaxOutputs    = 200
	MaxMappings   = 200
)

// Template is a parsed template. It is not changed after Parse.
type Template struct {
	Description string
	Metadata    map[string]any
	Parameters  []*Parameter // in the template's order
	Mappings    map[string]map[string]map[string]any
	Conditions  map[string]any // condition functions, unresolved
	Resources   []*Resource    // in the template's order
	Outputs     []*Output      // in the template's order

	conditionNames []string // in the template's order
	byName         map[string]*Resource
	parameters     map[string]*Parameter
}

// Resource is one resource as the template has it, unresolved.
type Resource struct {
	Name                string // logical id
	Type                string // such as "AWS::S3::Bucket"
	Properties          map[string]any
	DependsOn           []string
	Condition           string // name of a condition; "" means always
	DeletionPolicy      string // "Delete", "Retain", "RetainExceptOnCreate" or "", which means Delete
	UpdateReplacePolicy string // "Delete", "Retain" or ""
	Metadata            map[string]any
	Line                int // where the resource begins in the template
}

// Output is one output as the template has it, unresolved.
type Output struct {
	Name        string
	Description string
	Value       any
	Export      any    // the name to export under, or nil
	Condition   string // name of a condition; "" means always
}

// Parse reads a template in YAML or JSON and checks everything that does not
// depend on parameter values. Errors have the code ValidationError, or
// NotImplemented for what CloudFormation knows and this package does not.
func Parse(body []byte) (*Template, error) {
	if len(body) > MaxSize {
		return nil, fault.Newf(fault.TooLarge, "ValidationError", "Template may not exceed %d bytes in size.", MaxSize)
	}
	root, err := read(body)
	if err != nil {
		return nil, err
	}
	t, err := sections(root)
	if err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// Resource returns the resource of that logical id, or nil.
func (t *Template) Resource(name string) *Resource { return t.byName[name] }

// Parameter returns the parameter of that name, or nil.
func (t *Template) Parameter(name string) *Parameter { return t.parameters[name] }

// read parses body as JSON if it looks so, else as YAML.
func read(body []byte) (*node, error) {
	trimmed := bytes.TrimLeft(body, " \t\r\n\ufeff")
	if len(trimmed) == 0 {
		return nil, formatError("unsupported structure.")
	}
	if trimmed[0] != '{' {
		return readYAML(body)
	}
	n, err := readJSON(body)
	if err == nil {
		return n, nil
	}
	// YAML in flow style begins with a brace, too.
	if y, yerr := readYAML(body); yerr == nil {
		return y, nil
	}
	return nil, err
}

// invalid returns an error in CloudFormation's words.
func invalid(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Invalid, "ValidationError", format, args...)
}

// formatError returns an error about the template's form.
func formatError(format string, args ...any) *fault.Error {
	return invalid("Template format error: %s", fmt.Sprintf(format, args...))
}

// templateError returns an error about a function or reference.
func templateError(format string, args ...any) *fault.Error {
	return invalid("Template error: %s", fmt.Sprintf(format, args...))
}

// unsupported returns an error about something CloudFormation has and this
// package has not.
func unsupported(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Unsupported, "NotImplemented", format, args...)
}
