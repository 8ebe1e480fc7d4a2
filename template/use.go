package template

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// useKind is how a value uses a name.
type useKind uint8

const (
	useRef useKind = iota
	useAttribute
	useCondition
	useMap
)

// use is one name that a value uses.
type use struct {
	kind useKind
	name string
}

// pseudo are the names that Ref and Fn::Sub know without a template.
var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// function returns the function that an object calls and its argument. An
// object calls a function if its only key is Ref or begins with Fn::.
func function(m map[string]any) (name string, arg any, ok bool, err error) {
	for k, v := range m {
		if k != "Ref" && !strings.HasPrefix(k, "Fn::") {
			continue
		}
		if len(m) == 1 {
			return k, v, true, nil
		}
		if k != "Ref" {
			others := slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(o string) bool { return o == k })
			return "", nil, false, templateError("%s must be the only member of its object, which also has [%s]", k, strings.Join(others, ", "))
		}
	}
	return "", nil, false, nil
}

// walk reports every use in v, and calls of functions with a wrong form.
// branches, if not nil, says which branch of an Fn::If is taken: then the
// other one is left out.
func walk(v any, branches map[string]bool, found func(use)) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := walk(item, branches, found); err != nil {
				return err
			}
		}
	case map[string]any:
		name, arg, ok, err := function(v)
		if err != nil {
			return err
		}
		if ok {
			return walkCall(name, arg, branches, found)
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := walk(v[k], branches, found); err != nil {
				return err
			}
		}
	case string:
		return checkText(v)
	}
	return nil
}

// checkText refuses dynamic references, which are not offered here.
func checkText(s string) error {
	if strings.Contains(s, "{{resolve:") {
		return unsupported("Dynamic references are not supported: %s", s).
			WithHint("give the value as a parameter instead")
	}
	return nil
}

func walkCall(name string, arg any, branches map[string]bool, found func(use)) error {
	if err := checkCall(name, arg); err != nil {
		return err
	}
	list, _ := arg.([]any)
	switch name {
	case "Ref":
		found(use{useRef, arg.(string)})
		return nil
	case "Fn::GetAtt":
		resource, attribute := attributeOf(arg)
		found(use{useAttribute, resource})
		return walk(attribute, branches, found)
	case "Fn::Sub":
		return walkSub(arg, branches, found)
	case "Fn::If":
		cond := list[0].(string)
		found(use{useCondition, cond})
		if taken, ok := branches[cond]; ok {
			if taken {
				return walk(list[1], branches, found)
			}
			return walk(list[2], branches, found)
		}
		return walk(list[1:], branches, found)
	case "Fn::FindInMap":
		if m, ok := list[0].(string); ok {
			found(use{useMap, m})
		}
	}
	return walk(arg, branches, found)
}

// attributeOf splits the checked argument of Fn::GetAtt.
func attributeOf(arg any) (resource string, attribute any) {
	switch arg := arg.(type) {
	case string:
		r, a, _ := strings.Cut(arg, ".")
		return r, a
	case []any:
		return arg[0].(string), arg[1]
	}
	return "", nil
}

func walkSub(arg any, branches map[string]bool, found func(use)) error {
	text, vars := subParts(arg)
	err := eachVariable(text, func(name string) error {
		if _, own := vars[name]; own {
			return nil
		}
		if r, _, dotted := strings.Cut(name, "."); dotted {
			found(use{useAttribute, r})
			return nil
		}
		found(use{useRef, name})
		return nil
	}, func(string) {})
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(vars)) {
		if err := walk(vars[k], branches, found); err != nil {
			return err
		}
	}
	return checkText(text)
}

// subParts splits the checked argument of Fn::Sub.
func subParts(arg any) (text string, vars map[string]any) {
	if list, ok := arg.([]any); ok {
		text, _ = list[0].(string)
		vars, _ = list[1].(map[string]any)
		return text, vars
	}
	text, _ = arg.(string)
	return text, nil
}

var subName = regexp.MustCompile(`^[a-zA-Z0-9_.:]+$`)

// eachVariable calls variable for each ${Name} in text and literal for the
// text between, ${!Name} included as ${Name}.
func eachVariable(text string, variable func(name string) error, literal func(string)) error {
	for {
		before, rest, ok := strings.Cut(text, "${")
		literal(before)
		if !ok {
			return nil
		}
		name, after, ok := strings.Cut(rest, "}")
		switch {
		case !ok:
			literal("${" + rest)
			return nil
		case strings.HasPrefix(name, "!"):
			literal("${" + name[1:] + "}")
		default:
			name = strings.TrimSpace(name)
			if !subName.MatchString(name) {
				return templateError("variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons").
					WithHint("write ${!%s} for the text ${%s} itself", name, name)
			}
			if err := variable(name); err != nil {
				return err
			}
		}
		text = after
	}
}

// checkCall checks the form of a function's argument.
func checkCall(name string, arg any) error {
	list, _ := arg.([]any)
	_, isText := arg.(string)
	switch name {
	case "Ref":
		if !isText {
			return templateError("every Ref object must have a single String value.")
		}
	case "Fn::GetAtt":
		return checkGetAtt(arg)
	case "Fn::Sub":
		return checkSub(arg)
	case "Fn::Join":
		if len(list) != 2 || !isString(list[0]) || !isListOrCall(list[1]) {
			return templateError("every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")
		}
	case "Fn::Split":
		if len(list) != 2 || !isString(list[0]) {
			return templateError("every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.")
		}
	case "Fn::Select":
		if len(list) != 2 {
			return templateError("Fn::Select requires a list argument with two elements: an integer index and a list")
		}
	case "Fn::If":
		if len(list) != 3 || !isString(list[0]) {
			return templateError("Fn::If requires a list argument with three parameters").
				WithHint("the name of a condition, a value and another value; yes, no, on and off are names only in quotes")
		}
	case "Fn::FindInMap":
		if len(list) != 3 {
			return templateError("every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
		}
	case "Fn::Base64":
		if _, scalar := Text(arg); !scalar && !isCall(arg) {
			return templateError("every Fn::Base64 object must have a String-typed value.")
		}
	case "Fn::ImportValue":
		if _, scalar := Text(arg); !scalar && !isCall(arg) {
			return templateError("the attribute in Fn::ImportValue must be a string or a function that returns a string")
		}
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		return templateError("%s is only allowed in the Conditions block of the template", name).
			WithHint("name the condition under Conditions and use it with Fn::If")
	default:
		return unknownFunction(name)
	}
	return nil
}

// unknownFunction tells functions CloudFormation has from names that nothing has.
func unknownFunction(name string) error {
	short, _, _ := strings.Cut(strings.TrimPrefix(name, "Fn::"), "::")
	if shortTags[short] {
		return unsupported("The intrinsic function %s is not supported", name)
	}
	return templateError("%s is not a valid intrinsic function", name)
}

func checkGetAtt(arg any) error {
	bad := templateError("every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
	switch arg := arg.(type) {
	case string:
		if r, a, ok := strings.Cut(arg, "."); ok && r != "" && a != "" {
			return nil
		}
	case []any:
		if len(arg) != 2 || arg[1] == "" {
			return bad
		}
		if r, ok := arg[0].(string); ok && r != "" && (isString(arg[1]) || isCall(arg[1])) {
			return nil
		}
	}
	return bad
}

func checkSub(arg any) error {
	list, ok := arg.([]any)
	if !ok && isString(arg) {
		return nil
	}
	if len(list) == 2 && isString(list[0]) {
		if _, ok := list[1].(map[string]any); ok {
			return nil
		}
	}
	return templateError("One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string")
}

func isString(v any) bool { _, ok := v.(string); return ok }

// isCall reports whether v calls a function.
func isCall(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	_, _, ok, err := function(m)
	return ok && err == nil
}

func isListOrCall(v any) bool {
	_, ok := v.([]any)
	return ok || isCall(v)
}

// JSON returns v as compact JSON with sorted keys, which is how property
// values are compared and stored.
func JSON(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil // not reached: every value of this package can be encoded
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
