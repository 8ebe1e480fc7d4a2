package stack

import (
	"cmp"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/template"
)

// Export is the value of an output that a stack exports to the other stacks of
// its account.
type Export struct {
	StackID string // ARN of the exporting stack
	Name    string
	Value   string
}

// Exports returns what the stacks of an account export, sorted by name.
func (e *Engine) Exports(account string) ([]Export, error) {
	stacks, err := e.Stacks(account)
	var all []Export
	for _, s := range stacks {
		for _, o := range s.Outputs {
			if o.Export != "" {
				all = append(all, Export{s.ID, o.Export, o.Value})
			}
		}
	}
	slices.SortFunc(all, func(a, b Export) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// Importers returns the names of the stacks of an account that import an
// export, sorted. ValidationError if there are none.
func (e *Engine) Importers(account, export string) ([]string, error) {
	names, err := e.importers(account, export)
	if err == nil && len(names) == 0 {
		err = invalid("Export '%s' is not imported by any stack.", export)
	}
	return names, err
}

func (e *Engine) importers(account, export string) ([]string, error) {
	stacks, err := e.Stacks(account)
	var names []string
	for _, s := range stacks {
		if s.Status != DeleteComplete && (slices.Contains(s.Imports, export) || s.Op != nil && slices.Contains(s.Op.Imports, export)) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names, err
}

// lookUp returns what another stack of s's account exports under a name.
func (e *Engine) lookUp(s *Stack, name string) (string, error) {
	all, err := e.Exports(s.Account)
	if err != nil {
		return "", err
	}
	for _, x := range all {
		if x.Name == name && x.StackID != s.ID {
			return x.Value, nil
		}
	}
	return "", fault.Newf(fault.Invalid, "ValidationError", "No export named %s found.", name).
		WithHint("give an output of another stack of account %s an Export with this Name first", s.Account)
}

// Import is template.Lookup.
func (r *work) Import(name string) (string, error) {
	v, err := r.lookUp(r.s, name)
	if op := r.s.Op; err == nil && !slices.Contains(op.Imports, name) {
		op.Imports = append(op.Imports, name)
	}
	return v, err
}

// Import is template.Lookup.
func (f *forecast) Import(name string) (string, error) { return f.engine.lookUp(f.s, name) }

// checkExports refuses outputs that export a name that is taken, and those
// that no longer export what other stacks import.
func (r *work) checkExports(outputs []template.OutputValue) error {
	all, err := r.Exports(r.s.Account)
	if err != nil {
		return err
	}
	next := map[string]string{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		taken := slices.IndexFunc(all, func(x Export) bool { return x.Name == o.Export && x.StackID != r.s.ID })
		if _, twice := next[o.Export]; twice || taken >= 0 {
			owner := r.s.Name
			if taken >= 0 {
				owner = nameOf(all[taken].StackID)
			}
			return invalid("Export with name %s is already exported by stack %s.", o.Export, owner)
		}
		next[o.Export] = o.Value
	}
	for _, o := range r.s.Outputs {
		v, still := next[o.Export]
		if o.Export == "" || still && v == o.Value {
			continue
		}
		what := "deleted"
		if still {
			what = "updated"
		}
		by, err := r.importers(r.s.Account, o.Export)
		if err != nil {
			return err
		}
		if len(by) > 0 {
			return invalid("Export %s cannot be %s as it is in use by %s", o.Export, what, strings.Join(by, ", "))
		}
	}
	return nil
}

// checkImported refuses to delete a stack whose exports are in use.
func (e *Engine) checkImported(s *Stack) error {
	for _, o := range s.Outputs {
		if o.Export == "" {
			continue
		}
		by, err := e.importers(s.Account, o.Export)
		if err != nil {
			return err
		}
		if len(by) > 0 {
			return invalid("Delete canceled. Cannot delete export %s as it is in use by %s.", o.Export, strings.Join(by, ", ")).
				WithHint("delete those stacks first, or update them so that they no longer import it")
		}
	}
	return nil
}

// nameOf returns the name of a stack by its ARN.
func nameOf(id string) string {
	parts := strings.Split(id, "/")
	return parts[len(parts)-2]
}
