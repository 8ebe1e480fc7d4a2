package template

import (
	"maps"
	"slices"
	"strings"
)

// check checks names, functions and references of a whole template.
func (t *Template) check() error {
	if err := t.checkNames(); err != nil {
		return err
	}
	if err := t.checkConditions(); err != nil {
		return err
	}
	for _, r := range t.Resources {
		if r.Condition != "" && !t.hasCondition(r.Condition) {
			return unresolvedCondition(r.Condition, "Resources")
		}
	}
	err := t.checkUses("Resources", func(found func(use)) error {
		for _, r := range t.Resources {
			for _, d := range r.DependsOn {
				found(use{useRef, "=" + d})
			}
			for _, v := range []any{r.Properties, r.Metadata} {
				if err := walk(v, nil, found); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, o := range t.Outputs {
		if o.Condition != "" && !t.hasCondition(o.Condition) {
			return unresolvedCondition(o.Condition, "Outputs")
		}
	}
	err = t.checkUses("Outputs", func(found func(use)) error {
		for _, o := range t.Outputs {
			for _, v := range []any{o.Value, o.Export} {
				if err := walk(v, nil, found); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil || len(t.Conditions) > 0 {
		return err // with conditions, Bind knows which references count
	}
	_, err = t.order(t.Resources, nil)
	return err
}

// checkNames refuses a resource that has a parameter's name.
func (t *Template) checkNames() error {
	for _, r := range t.Resources {
		if t.parameters[r.Name] != nil {
			return formatError("Duplicate name %s: a parameter and a resource must not have the same name.", r.Name).WithHint("line %d", r.Line)
		}
	}
	return nil
}

func (t *Template) hasCondition(name string) bool { _, ok := t.Conditions[name]; return ok }

func unresolvedCondition(name, block string) error {
	return formatError("Unresolved condition dependency %s in the %s block of the template", name, block)
}

// checkUses checks the names that one block uses. A leading "=" marks the
// name of a resource where parameters do not count.
func (t *Template) checkUses(block string, each func(found func(use)) error) error {
	var missing []string
	var first error
	fail := func(err error) {
		if first == nil {
			first = err
		}
	}
	err := each(func(u use) {
		name, onlyResource := strings.CutPrefix(u.name, "=")
		switch u.kind {
		case useRef:
			known := t.byName[name] != nil || !onlyResource && (t.parameters[name] != nil || slices.Contains(pseudo, name))
			if !known {
				missing = note(missing, name)
			}
		case useAttribute:
			if t.byName[name] == nil {
				fail(templateError("instance of Fn::GetAtt references undefined resource %s", name))
			}
		case useCondition:
			if !t.hasCondition(name) {
				fail(unresolvedCondition(name, block))
			}
		case useMap:
			if _, ok := t.Mappings[name]; !ok {
				fail(templateError("Mapping named '%s' is not present in the 'Mappings' section of template.", name))
			}
		}
	})
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return formatError("Unresolved resource dependencies [%s] in the %s block of the template", strings.Join(missing, ", "), block)
	}
	return first
}

// note adds a name to those that a message lists, once; the first hundred will do.
func note(names []string, name string) []string {
	if len(names) == 100 || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// checkConditions checks the Conditions block: forms, references, cycles.
func (t *Template) checkConditions() error {
	var missing []string
	for _, name := range t.conditionNames {
		err := walkCondition(t.Conditions[name], func(u use) error {
			switch u.kind {
			case useCondition:
				if !t.hasCondition(u.name) {
					return unresolvedCondition(u.name, "Conditions")
				}
			case useMap:
				if _, ok := t.Mappings[u.name]; !ok {
					return templateError("Mapping named '%s' is not present in the 'Mappings' section of template.", u.name)
				}
			default:
				if t.parameters[u.name] == nil && !slices.Contains(pseudo, u.name) {
					missing = note(missing, u.name)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return formatError("Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", strings.Join(missing, ", "))
	}
	state := map[string]int{}
	for _, name := range t.conditionNames {
		if err := t.conditionCycle(name, state); err != nil {
			return err
		}
	}
	return nil
}

// conditionCycle follows a condition's conditions; state is 1 while a
// condition is being followed and 2 once it is known to be sound.
func (t *Template) conditionCycle(name string, state map[string]int) error {
	switch state[name] {
	case 1:
		return formatError("Circular dependency between conditions: [%s]", name)
	case 2:
		return nil
	}
	state[name] = 1
	err := walkCondition(t.Conditions[name], func(u use) error {
		if u.kind == useCondition {
			return t.conditionCycle(u.name, state)
		}
		return nil
	})
	state[name] = 2
	return err
}

// walkCondition reports the uses in a condition function.
func walkCondition(v any, found func(use) error) error {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return conditionForm()
	}
	for name, arg := range m {
		list, _ := arg.([]any)
		switch name {
		case "Condition":
			s, ok := arg.(string)
			if !ok {
				return formatError("Every Condition member must be a string.")
			}
			return found(use{useCondition, s})
		case "Fn::Equals":
			if len(list) != 2 {
				return templateError("every Fn::Equals object requires a list of 2 string parameters.")
			}
			var inner error
			err := walk(arg, nil, func(u use) {
				if inner == nil {
					inner = found(u)
				}
			})
			if err != nil {
				return err
			}
			return inner
		case "Fn::Not":
			if len(list) != 1 {
				return templateError("every Fn::Not object requires one boolean parameter.")
			}
		case "Fn::And", "Fn::Or":
			if len(list) < 2 || len(list) > 10 {
				return templateError("every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
			}
		default:
			return conditionForm()
		}
		for _, item := range list {
			if err := walkCondition(item, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func conditionForm() error {
	return formatError("Conditions can only be boolean operations on parameters and other conditions")
}

// order returns resources so that each comes after what it depends on, and
// otherwise in the template's order. branches is as walk has it.
func (t *Template) order(resources []*Resource, branches map[string]bool) ([]*Resource, error) {
	needs := map[string]map[string]bool{}
	for _, r := range resources {
		needs[r.Name] = map[string]bool{}
	}
	for _, r := range resources {
		found := func(u use) {
			if _, in := needs[u.name]; in && (u.kind == useRef || u.kind == useAttribute) {
				needs[r.Name][u.name] = true
			}
		}
		for _, d := range r.DependsOn {
			found(use{useRef, d})
		}
		for _, v := range []any{r.Properties, r.Metadata} {
			if err := walk(v, branches, found); err != nil {
				return nil, err
			}
		}
	}
	var done []*Resource
	rest := slices.Clone(resources)
	for len(rest) > 0 {
		i := slices.IndexFunc(rest, func(r *Resource) bool { return len(needs[r.Name]) == 0 })
		if i < 0 {
			return nil, circular(needs)
		}
		r := rest[i]
		rest = slices.Delete(rest, i, i+1)
		done = append(done, r)
		delete(needs, r.Name)
		for _, n := range needs {
			delete(n, r.Name)
		}
	}
	return done, nil
}

// circular names the resources of a cycle: those left over that something
// else left over needs.
func circular(needs map[string]map[string]bool) error {
	for {
		needed := map[string]bool{}
		for _, n := range needs {
			maps.Copy(needed, n)
		}
		if len(needed) == len(needs) {
			break
		}
		maps.DeleteFunc(needs, func(name string, _ map[string]bool) bool { return !needed[name] })
	}
	return invalid("Circular dependency between resources: [%s]", strings.Join(slices.Sorted(maps.Keys(needs)), ", ")).
		WithHint("write a name instead of a Ref, or take the policy out of the role as a resource of type AWS::IAM::Policy of its own")
}
