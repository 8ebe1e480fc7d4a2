package template

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// absent is what Ref of AWS::NoValue gives: it removes what holds it.
type absent struct{}

// maxExpanded bounds, in bytes, what the functions of one resource or of all
// outputs make together: with few words they could ask for all there is.
const maxExpanded = 1 << 20

// evaluation resolves values. Lookup is nil where resources cannot be named.
type evaluation struct {
	*Scope
	lookup Lookup
	made   int // bytes that functions have made
}

// value resolves every function in v.
func (e *evaluation) value(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := make([]any, 0, len(v))
		for _, item := range v {
			r, err := e.value(item)
			if err != nil {
				return nil, err
			}
			if _, gone := r.(absent); !gone {
				list = append(list, r)
			}
		}
		return list, nil
	case map[string]any:
		name, arg, ok, err := function(v)
		if err != nil {
			return nil, err
		}
		if ok {
			if err := checkCall(name, arg); err != nil {
				return nil, err
			}
			made, err := e.call(name, arg)
			if e.made += size(made); err == nil && e.made > maxExpanded {
				err = templateError("what functions make of the template is too long").
					WithHint("%s and others make more than %d bytes", name, maxExpanded)
			}
			return made, err
		}
		m := make(map[string]any, len(v))
		for k, item := range v {
			r, err := e.value(item)
			if err != nil {
				return nil, err
			}
			if _, gone := r.(absent); !gone {
				m[k] = r
			}
		}
		return m, nil
	}
	return v, nil
}

// size returns about how many bytes a value takes.
func size(v any) int {
	const item = 16
	n := item
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		for _, x := range v {
			n += item + size(x)
		}
	case map[string]any:
		for k, x := range v {
			n += item + len(k) + size(x)
		}
	}
	return n
}

// call calls a function whose argument has been checked.
func (e *evaluation) call(name string, arg any) (any, error) {
	list, _ := arg.([]any)
	switch name {
	case "Ref":
		return e.ref(arg.(string))
	case "Fn::GetAtt":
		resource, attribute := attributeOf(arg)
		a, err := e.value(attribute)
		if err != nil {
			return nil, err
		}
		text, ok := Text(a)
		if !ok {
			return nil, checkGetAtt(nil)
		}
		return e.attribute(resource, text)
	case "Fn::Sub":
		return e.sub(arg)
	case "Fn::If":
		taken, err := e.condition(list[0].(string))
		if err != nil {
			return nil, err
		}
		if taken {
			return e.value(list[1])
		}
		return e.value(list[2])
	case "Fn::Base64":
		v, err := e.value(arg)
		if err != nil {
			return nil, err
		}
		text, ok := Text(v)
		if !ok {
			return nil, checkCall(name, nil)
		}
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	case "Fn::ImportValue":
		return e.imported(arg)
	}
	args := make([]any, len(list))
	for i, item := range list {
		v, err := e.value(item)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return e.apply(name, args)
}

// imported returns what another stack exports under a name, which may depend
// on parameters and conditions only.
func (e *evaluation) imported(arg any) (any, error) {
	if e.lookup == nil {
		return nil, templateError("Cannot use Fn::ImportValue in Conditions.")
	}
	if err := walk(arg, e.conditions, func(u use) {
		if e.t.byName[u.name] != nil && (u.kind == useRef || u.kind == useAttribute) {
			arg = nil
		}
	}); err != nil {
		return nil, err
	}
	if arg == nil {
		return nil, templateError("the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs")
	}
	v, err := e.value(arg)
	if err != nil {
		return nil, err
	}
	name, ok := Text(v)
	if !ok {
		return nil, checkCall("Fn::ImportValue", nil)
	}
	return e.lookup.Import(name)
}

// apply calls a function of a list of resolved arguments.
func (e *evaluation) apply(name string, args []any) (any, error) {
	switch name {
	case "Fn::Join":
		return join(args)
	case "Fn::Split":
		delimiter, _ := args[0].(string)
		text, ok := Text(args[1])
		if !ok || delimiter == "" {
			return nil, checkCall(name, nil)
		}
		var parts []any
		for _, p := range strings.Split(text, delimiter) {
			parts = append(parts, p)
		}
		return parts, nil
	case "Fn::Select":
		return selectFrom(args)
	default: // Fn::FindInMap
		return e.find(args)
	}
}

func join(args []any) (any, error) {
	delimiter, _ := args[0].(string)
	list, ok := args[1].([]any)
	if !ok {
		return nil, checkCall("Fn::Join", nil)
	}
	var parts []string
	size := 0
	for _, item := range list {
		text, ok := Text(item)
		if !ok {
			return nil, checkCall("Fn::Join", nil)
		}
		if size += len(text) + len(delimiter); size > maxExpanded {
			return nil, templateError("the text made by Fn::Join is too long")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, delimiter), nil
}

func selectFrom(args []any) (any, error) {
	text, _ := Text(args[0])
	i, err := strconv.Atoi(text)
	list, ok := args[1].([]any)
	if err != nil || !ok {
		return nil, checkCall("Fn::Select", nil)
	}
	if i < 0 || i >= len(list) {
		return nil, templateError("Fn::Select cannot select nonexistent value at index %d", i)
	}
	return list[i], nil
}

func (e *evaluation) find(args []any) (any, error) {
	var k [3]string
	for i, a := range args {
		text, ok := Text(a)
		if !ok {
			return nil, checkCall("Fn::FindInMap", nil)
		}
		k[i] = text
	}
	v, ok := e.t.Mappings[k[0]][k[1]][k[2]]
	if !ok {
		return nil, templateError("Unable to get mapping for %s::%s::%s", k[0], k[1], k[2])
	}
	return v, nil
}

// ref returns what Ref of a name gives.
func (e *evaluation) ref(name string) (any, error) {
	if p := e.t.parameters[name]; p != nil {
		if !p.List() {
			return e.parameters[name], nil
		}
		list := []any{}
		for _, item := range splitList(e.parameters[name]) {
			list = append(list, item)
		}
		return list, nil
	}
	switch name {
	case "AWS::AccountId":
		return e.env.Account, nil
	case "AWS::Region":
		return e.env.Region, nil
	case "AWS::StackName":
		return e.env.StackName, nil
	case "AWS::StackId":
		return e.env.StackID, nil
	case "AWS::Partition":
		return "aws", nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::NoValue":
		return absent{}, nil
	case "AWS::NotificationARNs":
		list := []any{}
		for _, a := range e.env.NotificationARNs {
			list = append(list, a)
		}
		return list, nil
	}
	if e.lookup == nil || e.t.byName[name] == nil {
		return nil, formatError("Unresolved resource dependencies [%s] in the Resources block of the template", name)
	}
	return e.lookup.Ref(name)
}

func (e *evaluation) attribute(resource, name string) (any, error) {
	if e.lookup == nil || e.t.byName[resource] == nil {
		return nil, templateError("instance of Fn::GetAtt references undefined resource %s", resource)
	}
	return e.lookup.Attribute(resource, name)
}

// sub resolves Fn::Sub.
func (e *evaluation) sub(arg any) (any, error) {
	text, vars := subParts(arg)
	// Each is resolved once: else the work would double with every level of
	// functions in functions.
	known := make(map[string]any, len(vars))
	var b strings.Builder
	err := eachVariable(text, func(name string) error {
		var err error
		own, isOwn := vars[name]
		v, isKnown := known[name]
		resource, attribute, dotted := strings.Cut(name, ".")
		switch {
		case isKnown:
		case isOwn:
			v, err = e.value(own)
			known[name] = v
		case dotted:
			v, err = e.attribute(resource, attribute)
		default:
			v, err = e.ref(name)
		}
		if err != nil {
			return err
		}
		s, ok := Text(v)
		if !ok {
			return templateError("variable %s in Fn::Sub expression does not resolve to a string", name)
		}
		if b.Len()+len(s) > maxExpanded {
			return templateError("the text made by Fn::Sub is too long")
		}
		b.WriteString(s)
		return nil
	}, func(s string) { b.WriteString(s) })
	if err != nil {
		return nil, err
	}
	return b.String(), nil
}
