package template

import (
	"slices"
	"strings"
)

// Environment gives the pseudo parameters their values.
type Environment struct {
	Account          string // 12 digits
	Region           string
	StackName        string
	StackID          string
	NotificationARNs []string
}

// Lookup answers for resources, and for what other stacks export.
type Lookup interface {
	// Ref returns what Ref of a resource gives.
	Ref(resource string) (string, error)
	// Attribute returns what Fn::GetAtt of a resource gives.
	Attribute(resource, name string) (any, error)
	// Import returns what Fn::ImportValue of an export's name gives.
	Import(name string) (string, error)
}

// Scope is a template with its parameters bound.
type Scope struct {
	t          *Template
	env        Environment
	parameters map[string]string // every one, defaults included
	conditions map[string]bool
	order      []*Resource
}

// OutputValue is an output with its value.
type OutputValue struct {
	Name, Value, Description string
	Export                   string // the name it is exported under, or ""
}

// Bind gives the parameters of a template their values, checks them against
// their constraints, and evaluates the conditions.
func (t *Template) Bind(values map[string]string, env Environment) (*Scope, error) {
	s := &Scope{t: t, env: env, parameters: map[string]string{}, conditions: map[string]bool{}}
	var strange, missing []string
	for name := range values {
		if t.parameters[name] == nil {
			strange = append(strange, name)
		}
	}
	for _, p := range t.Parameters {
		v, ok := values[p.Name]
		switch {
		case ok:
			s.parameters[p.Name] = v
		case p.Default != nil:
			s.parameters[p.Name] = *p.Default
		default:
			missing = append(missing, p.Name)
		}
	}
	if len(strange) > 0 {
		slices.Sort(strange)
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(strange, ", "))
	}
	if len(missing) > 0 {
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	for _, p := range t.Parameters {
		if err := p.Check(s.parameters[p.Name]); err != nil {
			return nil, err
		}
	}
	for _, name := range t.conditionNames {
		if _, err := s.condition(name); err != nil {
			return nil, err
		}
	}
	return s, s.arrange()
}

// arrange finds the resources whose conditions hold, in order.
func (s *Scope) arrange() error {
	var active []*Resource
	for _, r := range s.t.Resources {
		if r.Condition == "" || s.conditions[r.Condition] {
			active = append(active, r)
		}
	}
	order, err := s.t.order(active, s.conditions)
	if err != nil {
		return err
	}
	s.order = order
	if err := s.checkReferences("Resources", func(found func(use)) error {
		for _, r := range active {
			for _, v := range []any{r.Properties, r.Metadata} {
				if err := walk(v, s.conditions, found); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return s.checkReferences("Outputs", func(found func(use)) error {
		for _, o := range s.t.Outputs {
			if o.Condition != "" && !s.conditions[o.Condition] {
				continue
			}
			for _, v := range []any{o.Value, o.Export} {
				if err := walk(v, s.conditions, found); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// checkReferences refuses references to resources whose condition is false.
func (s *Scope) checkReferences(block string, each func(found func(use)) error) error {
	var missing []string
	err := each(func(u use) {
		if u.kind != useRef && u.kind != useAttribute {
			return
		}
		if r := s.t.byName[u.name]; r != nil && !slices.Contains(s.order, r) && !slices.Contains(missing, u.name) {
			missing = append(missing, u.name)
		}
	})
	if err == nil && len(missing) > 0 {
		return formatError("Unresolved resource dependencies [%s] in the %s block of the template", strings.Join(missing, ", "), block).
			WithHint("the condition of the resource is false: guard the reference with Fn::If")
	}
	return err
}

// Template returns the template that was bound.
func (s *Scope) Template() *Template { return s.t }

// Resources returns the resources whose conditions hold, each after those it
// depends on. It must not be modified.
func (s *Scope) Resources() []*Resource { return s.order }

// Parameters returns the value of every parameter. It must not be modified.
func (s *Scope) Parameters() map[string]string { return s.parameters }

// Properties resolves a resource's properties.
func (s *Scope) Properties(r *Resource, l Lookup) (map[string]any, error) {
	return s.object(r.Properties, l)
}

// Metadata resolves a resource's metadata.
func (s *Scope) Metadata(r *Resource, l Lookup) (map[string]any, error) {
	return s.object(r.Metadata, l)
}

func (s *Scope) object(m map[string]any, l Lookup) (map[string]any, error) {
	if m == nil {
		return map[string]any{}, nil
	}
	v, err := (&evaluation{Scope: s, lookup: l}).value(m)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, formatError("Every Properties member must be an object.")
	}
	// Parameters and mappings may have brought in what the template's own
	// text was checked for.
	return o, walk(o, nil, func(use) {})
}

// Outputs resolves the outputs whose conditions hold, in the template's order.
func (s *Scope) Outputs(l Lookup) ([]OutputValue, error) {
	e := &evaluation{Scope: s, lookup: l}
	var out []OutputValue
	for _, o := range s.t.Outputs {
		if o.Condition != "" && !s.conditions[o.Condition] {
			continue
		}
		v := OutputValue{Name: o.Name, Description: o.Description}
		var err error
		if v.Value, err = e.text(o.Value); err != nil {
			return nil, err
		}
		if o.Export != nil {
			if v.Export, err = e.text(o.Export); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// text evaluates a value of an output.
func (e *evaluation) text(v any) (string, error) {
	v, err := e.value(v)
	if err != nil {
		return "", err
	}
	s, ok := Text(v)
	if !ok {
		return "", formatError("The Value field of every Outputs member must evaluate to a String.")
	}
	return s, nil
}

// condition evaluates a condition by name, once.
func (s *Scope) condition(name string) (bool, error) {
	if v, ok := s.conditions[name]; ok {
		return v, nil
	}
	v, err := s.boolean(s.t.Conditions[name])
	if err == nil {
		s.conditions[name] = v
	}
	return v, err
}

// boolean evaluates a checked condition function.
func (s *Scope) boolean(v any) (bool, error) {
	m, _ := v.(map[string]any)
	for name, arg := range m {
		list, _ := arg.([]any)
		switch name {
		case "Condition":
			c, _ := arg.(string)
			return s.condition(c)
		case "Fn::Equals":
			return s.equals(list)
		case "Fn::Not":
			b, err := s.boolean(list[0])
			return !b, err
		}
		for _, item := range list { // Fn::And, Fn::Or
			b, err := s.boolean(item)
			if err != nil || b == (name == "Fn::Or") {
				return b, err
			}
		}
		return name == "Fn::And", nil
	}
	return false, conditionForm()
}

func (s *Scope) equals(list []any) (bool, error) {
	e := &evaluation{Scope: s}
	var sides [2]string
	for i := range sides {
		v, err := e.value(list[i])
		if err != nil {
			return false, err
		}
		text, ok := Text(v)
		if !ok {
			text = "\x00" + string(JSON(v)) // lists: equal if written equally
		}
		sides[i] = text
	}
	return sides[0] == sides[1], nil
}
