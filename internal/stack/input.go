package stack

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/template"
)

// Parameter is a value for a parameter of a template.
type Parameter struct {
	Key         string
	Value       string
	UsePrevious bool // take the value that the stack has
}

// Input is what a caller wants a stack to be.
type Input struct {
	Name         string // of the stack; where it exists also its ARN
	Template     string
	UsePrevious  bool // take the template that the stack has
	Parameters   []Parameter
	Capabilities []string
	Tags         []Tag // nil: those the stack has
	// RoleARN is the role in which resources are made; "": the role that was
	// given last, or else the caller makes them.
	RoleARN string

	DisableRollback *bool  // nil: roll back; on update also: as the stack has it
	OnFailure       string // of a new stack: "ROLLBACK", "DELETE", "DO_NOTHING" or ""
	Protected       bool   // of a new stack: EnableTerminationProtection
	Token           string // ClientRequestToken
}

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)

// invalid returns CloudFormation's ValidationError.
func invalid(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Invalid, "ValidationError", format, args...)
}

// checkName checks the name of a new stack or change set.
func checkName(field, name string) error {
	switch {
	case !stackName.MatchString(name):
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name, field).
			WithHint("a name begins with a letter and has letters, digits and hyphens")
	case len(name) > 128:
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must have length less than or equal to 128", name, field)
	}
	return nil
}

// check checks what can be checked without the stack.
func (in *Input) check() error {
	switch {
	case in.Template != "" && in.UsePrevious:
		return invalid("Either Template URL or Template Body must be specified, not UsePreviousTemplate together with them.")
	case in.DisableRollback != nil && in.OnFailure != "":
		return invalid("You can specify either DisableRollback or OnFailure, but not both.")
	case !slices.Contains([]string{"", "ROLLBACK", onFailureDelete, onFailureNothing}, in.OnFailure):
		return invalid("1 validation error detected: Value '%s' at 'onFailure' failed to satisfy constraint: Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]", in.OnFailure)
	}
	for _, c := range in.Capabilities {
		if c != template.CapabilityIAM && c != template.CapabilityNamedIAM && c != "CAPABILITY_AUTO_EXPAND" {
			return invalid("1 validation error detected: Value '[%s]' at 'capabilities' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_AUTO_EXPAND, CAPABILITY_NAMED_IAM, CAPABILITY_IAM]]", strings.Join(in.Capabilities, ", "))
		}
	}
	return in.checkTags()
}

func (in *Input) checkTags() error {
	if len(in.Tags) > 50 {
		return invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	seen := map[string]bool{}
	for _, t := range in.Tags {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return invalid("Tag keys have 1 to 128 characters and values at most 256: %s", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return invalid("aws: prefixed tag key names are not allowed for external use.")
		case seen[t.Key]:
			return invalid("Duplicate tag keys found: %s", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

// desired is what a stack is to become, checked.
type desired struct {
	spec     Spec
	template *template.Template
	scope    *template.Scope
}

// want checks an input against the stack it is for.
func want(in *Input, s *Stack) (*desired, error) {
	body := in.Template
	if in.UsePrevious {
		body = s.Template
	}
	if body == "" {
		return nil, invalid("Either Template URL or Template Body must be specified.")
	}
	t, err := Validate(body)
	if err != nil {
		return nil, err
	}
	values, err := in.values(t, s)
	if err != nil {
		return nil, err
	}
	if err := t.Acknowledged(in.Capabilities); err != nil {
		return nil, err
	}
	d := &desired{template: t, spec: Spec{
		Template: body, Capabilities: in.Capabilities, Tags: slices.Clone(in.Tags), Role: in.RoleARN,
	}}
	if in.Tags == nil {
		d.spec.Tags = s.Tags
	}
	if in.RoleARN == "" {
		d.spec.Role = s.Role
	}
	slices.SortFunc(d.spec.Tags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	if d.scope, err = t.Bind(values, environment(s)); err != nil {
		return nil, err
	}
	d.spec.Parameters = maps.Clone(d.scope.Parameters())
	for _, tr := range d.scope.Resources() {
		if res := s.Resource(tr.Name); res != nil && res.Type != tr.Type {
			return nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", tr.Name).
				WithHint("give the new resource another logical id")
		}
	}
	return d, nil
}

// values returns the parameters that the input gives.
func (in *Input) values(t *template.Template, s *Stack) (map[string]string, error) {
	values := map[string]string{}
	for _, p := range in.Parameters {
		if _, twice := values[p.Key]; twice {
			return nil, invalid("Invalid input for parameter key %s. Parameter keys must be unique.", p.Key)
		}
		values[p.Key] = p.Value
		if !p.UsePrevious {
			continue
		}
		if p.Value != "" {
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true and non empty value for a parameter", p.Key)
		}
		old, ok := s.Parameters[p.Key]
		if !ok {
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", p.Key)
		}
		values[p.Key] = old
		if t.Parameter(p.Key) == nil {
			delete(values, p.Key) // the new template has dropped it
		}
	}
	return values, nil
}

// Validate parses a template and checks that it has known types only.
func Validate(body string) (*template.Template, error) {
	t, err := template.Parse([]byte(body))
	if err != nil {
		return nil, err
	}
	return t, checkTypes(t)
}

// newStack returns a stack that does not exist yet.
func (e *Engine) newStack(c *iam.Caller, name string) *Stack {
	return &Stack{
		ID: stackID(e.Region, c.Account, name, e.uuid()), Name: name, Account: c.Account, Region: e.Region,
		Created: e.Now().UTC(),
	}
}

// notFound is the error for a stack that does not exist.
func notFound(name string) error {
	return fault.Newf(fault.NotFound, "ValidationError", "Stack with id %s does not exist", name).On(name)
}

// wrongState is the error for a stack whose status forbids something.
func (s *Stack) wrongState(what string) error {
	return fault.New(fault.Conflict, "ValidationError", fmt.Sprintf("Stack:%s is in %s state and can not be %s.", s.ID, s.Status, what)).
		WithHint("%s", stateHint(s.Status))
}

func stateHint(s Status) string {
	switch s {
	case RollbackComplete, RollbackFailed, CreateFailed, DeleteFailed:
		return "delete the stack and create it again"
	case ReviewInProgress:
		return "execute its change set, or delete the stack"
	}
	return "wait until the operation under way has ended"
}
