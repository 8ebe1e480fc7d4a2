package template

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parameter is one parameter of a template.
type Parameter struct {
	Name        string
	Type        string // "String", "Number", "CommaDelimitedList", "List<Number>", "AWS::..."
	Description string
	Default     *string // nil if the caller must give a value
	NoEcho      bool    // its value is not shown

	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	MinLength, MaxLength  *int
	MinValue, MaxValue    string // numbers as written; "" means no bound

	pattern *regexp.Regexp
}

// maxValueLength is the longest value of a parameter, in bytes.
const maxValueLength = 4096

// List reports whether the parameter's value is a list.
func (p *Parameter) List() bool {
	return p.Type == "CommaDelimitedList" || strings.HasPrefix(p.Type, "List<")
}

// number reports whether the value, or each value of the list, is a number.
func (p *Parameter) number() bool { return p.Type == "Number" || p.Type == "List<Number>" }

func (t *Template) readParameters(n *node) error {
	if err := members(n, "Parameters", "Parameter", MaxParameters); err != nil {
		return err
	}
	for _, name := range n.keys {
		p := &Parameter{Name: name}
		fields := n.fields[name]
		for _, k := range fields.keys {
			if err := p.read(k, fields.fields[k]); err != nil {
				return err
			}
		}
		if err := p.checkType(); err != nil {
			return err
		}
		t.Parameters = append(t.Parameters, p)
		t.parameters[name] = p
	}
	return nil
}

// read sets one field of a parameter.
func (p *Parameter) read(field string, n *node) error {
	if field == "AllowedValues" {
		if n.kind != listNode {
			return formatError("Every AllowedValues member must be a list. (line %d)", n.line)
		}
		for _, item := range n.items {
			if !item.scalar() {
				return formatError("Every AllowedValues value must be a string. (line %d)", item.line)
			}
			p.AllowedValues = append(p.AllowedValues, item.text)
		}
		return nil
	}
	if !n.scalar() {
		return formatError("Every %s member must be a string.", field).WithHint("parameter %s, line %d", p.Name, n.line)
	}
	var err error
	switch field {
	case "Type":
		p.Type = n.text
	case "Description":
		p.Description = n.text
	case "ConstraintDescription":
		p.ConstraintDescription = n.text
	case "Default":
		p.Default = &n.text
	case "NoEcho":
		p.NoEcho, err = strconv.ParseBool(strings.ToLower(n.text))
	case "AllowedPattern":
		p.AllowedPattern = n.text
		if p.pattern, err = regexp.Compile(`^(?:` + n.text + `)$`); err != nil {
			return unsupported("The AllowedPattern of parameter %s is not supported: %s (line %d)", p.Name, n.text, n.line).
				WithHint("patterns are RE2's, without look-around and back-references: %v", err)
		}
	case "MinLength":
		p.MinLength, err = length(n.text)
	case "MaxLength":
		p.MaxLength, err = length(n.text)
	case "MinValue", "MaxValue":
		if _, ok := number(n.text); !ok {
			err = strconv.ErrSyntax
		}
		if field == "MinValue" {
			p.MinValue = n.text
		} else {
			p.MaxValue = n.text
		}
	default:
		return invalid("Invalid template parameter property '%s'", field).WithHint("parameter %s, line %d", p.Name, n.line)
	}
	if err != nil {
		return formatError("Invalid %s %s of parameter %s. (line %d)", field, n.text, p.Name, n.line)
	}
	return nil
}

func length(s string) (*int, error) {
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return &n, err
}

// checkType reports what is wrong with the parameter's type.
func (p *Parameter) checkType() error {
	inner := strings.TrimSuffix(strings.TrimPrefix(p.Type, "List<"), ">")
	switch {
	case p.Type == "":
		return formatError("Every Parameters object must contain a Type member.").WithHint("parameter %s", p.Name)
	case strings.HasPrefix(inner, "AWS::SSM::"):
		return unsupported("The parameter type %s is not supported (parameter %s)", p.Type, p.Name).
			WithHint("there is no Systems Manager here: give the value itself, with type String")
	case p.Type == "String", p.Type == "CommaDelimitedList", inner == "Number":
		return nil
	case strings.HasPrefix(inner, "AWS::") && strings.Count(inner, "::") == 3:
		return nil
	}
	return formatError("Unrecognized parameter type: %s", p.Type).WithHint("parameter %s", p.Name)
}

// Check reports what is wrong with value as the parameter's value.
func (p *Parameter) Check(value string) error {
	if len(value) > maxValueLength {
		return invalid("Parameter '%s' must contain at most %d characters", p.Name, maxValueLength)
	}
	items := []string{value}
	if p.List() {
		items = splitList(value)
	}
	for _, item := range items {
		if reason := p.problem(item); reason != "" {
			if p.ConstraintDescription != "" {
				return invalid("Parameter '%s' failed to satisfy constraint: %s", p.Name, p.ConstraintDescription).
					WithHint("it %s", reason)
			}
			return invalid("Parameter '%s' %s", p.Name, reason)
		}
	}
	return nil
}

// problem returns the constraint that one value breaks, or "".
func (p *Parameter) problem(value string) string {
	if p.number() {
		v, ok := number(value)
		if !ok {
			return "must be a number."
		}
		if m, set := number(p.MinValue); set && v.Cmp(m) < 0 {
			return "must be a number not less than " + p.MinValue
		}
		if m, set := number(p.MaxValue); set && v.Cmp(m) > 0 {
			return "must be a number not greater than " + p.MaxValue
		}
	}
	n := utf8.RuneCountInString(value)
	switch {
	case p.AllowedValues != nil && !slices.Contains(p.AllowedValues, value):
		return "must be one of AllowedValues"
	case p.pattern != nil && !p.pattern.MatchString(value):
		return "must match pattern " + p.AllowedPattern
	case p.MinLength != nil && n < *p.MinLength:
		return "must contain at least " + strconv.Itoa(*p.MinLength) + " characters"
	case p.MaxLength != nil && n > *p.MaxLength:
		return "must contain at most " + strconv.Itoa(*p.MaxLength) + " characters"
	}
	return ""
}

// number reads a decimal number exactly.
func number(s string) (*big.Rat, bool) {
	if !jsonNumber.MatchString(strings.TrimSpace(s)) || len(s) > 40 {
		return nil, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 4 {
		return nil, false
	}
	return new(big.Rat).SetString(strings.TrimSpace(s))
}

// splitList splits the value of a list parameter.
func splitList(value string) []string {
	if value == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
