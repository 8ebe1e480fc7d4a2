package stack

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (e *env) set(name string, in SetInput) *ChangeSet {
	e.t.Helper()
	in.ChangeSet, in.Capabilities = name, all
	set, err := e.CreateChangeSet(e.t.Context(), root(source), in)
	if err != nil {
		e.t.Fatalf("change set %s: %v", name, err)
	}
	return set
}

func (e *env) execute(stack, name string) *Stack {
	e.t.Helper()
	if err := e.Execute(e.t.Context(), root(source), Execution{Stack: stack, ChangeSet: name}); err != nil {
		e.t.Fatalf("execute %s: %v", name, err)
	}
	return e.end(source, stack)
}

func TestChangeSets(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	set := e.set("first", SetInput{Input: Input{Name: "s", Template: twoRoles}, Type: "CREATE"})
	if set.Status != SetComplete || set.Execution != Available {
		t.Errorf("%+v", set)
	}
	want := []Change{{Action: "Add", Name: "R", Type: "AWS::IAM::Role"}, {Action: "Add", Name: "P", Type: "AWS::IAM::Policy"}}
	if d := cmp.Diff(want, set.Changes); d != "" {
		t.Error(d)
	}
	s, err := e.Stack(source, "s")
	if err != nil || s.Status != ReviewInProgress {
		t.Fatalf("stack %+v, %v", s, err)
	}
	_, err = e.Update(ctx, root(source), Input{Name: "s", Template: twoRoles, Capabilities: all})
	code(t, err, "ValidationError", "Stack:"+s.ID+" is in REVIEW_IN_PROGRESS state and can not be updated.")
	e.set("second", SetInput{Input: Input{Name: "s", Template: oneBucket}, Type: "CREATE"})
	e.want(e.execute("s", "first"), CreateComplete, "")
	// The other change sets are gone, and this one cannot be executed again.
	if sets, err := e.ChangeSets(source, "s"); err != nil || len(sets) != 1 {
		t.Errorf("%d change sets, %v", len(sets), err)
	}
	code(t, e.Execute(ctx, root(source), Execution{Stack: "s", ChangeSet: "second"}), "ChangeSetNotFound", "ChangeSet [second] does not exist")
	code(t, e.Execute(ctx, root(source), Execution{Stack: "s", ChangeSet: "first"}), "InvalidChangeSetStatus", "ChangeSet ["+set.ID+"] cannot be executed in its current status of [EXECUTE_COMPLETE]")
	_, err = e.CreateChangeSet(ctx, root(source), SetInput{Input: Input{Name: "s", Template: oneBucket}, ChangeSet: "again", Type: "CREATE"})
	code(t, err, "AlreadyExistsException", "Stack [s] already exists and cannot be created again with the changeSet [again].")

	// Nothing to do.
	empty := e.set("empty", SetInput{Input: Input{Name: "s", Template: twoRoles}})
	if empty.Status != SetFailed || !strings.Contains(empty.Reason, "The submitted information didn't contain changes.") || empty.Execution != Unavailable {
		t.Errorf("%+v", empty)
	}
	code(t, e.Execute(ctx, root(source), Execution{ChangeSet: empty.ID}), "InvalidChangeSetStatus", "ChangeSet ["+empty.ID+"] cannot be executed in its current status of [FAILED]")
	// Such a set gives way to another of its name; one that can be executed does not.
	e.set("empty", SetInput{Input: Input{Name: "s", Template: twoRoles}})
	e.set("full", SetInput{Input: Input{Name: "s", Template: oneBucket}})
	_, err = e.CreateChangeSet(ctx, root(source), SetInput{Input: Input{Name: "s", Template: oneBucket}, ChangeSet: "full"})
	code(t, err, "AlreadyExistsException", "ChangeSet full cannot be created due to a mismatch with existing attribute ChangeSetName")
	if err := e.DeleteChangeSet(ctx, source, "s", "empty"); err != nil {
		t.Error(err)
	}
	if err := e.DeleteChangeSet(ctx, source, "s", "empty"); err != nil {
		t.Error(err)
	}
	_, err = e.ChangeSet(source, "s", "empty")
	code(t, err, "ChangeSetNotFound", "ChangeSet [empty] does not exist")
	_, err = e.CreateChangeSet(ctx, root(source), SetInput{Input: Input{Name: "none", Template: oneBucket}, ChangeSet: "x"})
	code(t, err, "ValidationError", "Stack [none] does not exist")
}

func TestChangeSetDetails(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", twoRoles)
	set := e.set("c", SetInput{Input: Input{
		Name: "s", Template: strings.Replace(twoRoles, "s3:*", "s3:Get*", 1),
		Parameters: []Parameter{{Key: "Suffix", Value: "b"}}, Tags: []Tag{{"a", "b"}},
	}})
	p := s.Resource("P").Physical
	want := []Change{
		{
			Action: "Modify", Name: "R", Physical: "role-a", Type: "AWS::IAM::Role", Replacement: "True", Scope: []string{"Properties", "Tags"},
			Details: []Detail{{Attribute: "Properties", Name: "RoleName", Recreation: "Always"}, {Attribute: "Tags", Recreation: "Never"}},
		},
		{
			Action: "Modify", Name: "P", Physical: p, Type: "AWS::IAM::Policy", Replacement: "False", Scope: []string{"Properties"},
			Details: []Detail{
				{Attribute: "Properties", Name: "PolicyDocument", Recreation: "Never"},
				{Attribute: "Properties", Name: "Roles", Recreation: "Never", Dynamic: true},
			},
		},
	}
	if d := cmp.Diff(want, set.Changes); d != "" {
		t.Error(d)
	}
	set = e.set("d", SetInput{Input: Input{Name: "s", Template: twoRoles[:strings.Index(twoRoles, "  P:")]}})
	if d := cmp.Diff([]Change{{Action: "Remove", Name: "P", Physical: p, Type: "AWS::IAM::Policy"}}, set.Changes); d != "" {
		t.Error(d)
	}
	// An update makes change sets worthless.
	e.want(e.execute("s", "d"), UpdateComplete, "")
	if sets, err := e.ChangeSets(source, "s"); err != nil || len(sets) != 1 || sets[0].Execution != Executed {
		t.Errorf("%v, %v", sets, err)
	}
}

func TestReviewIsDeleted(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.set("c", SetInput{Input: Input{Name: "s", Template: oneBucket}, Type: "CREATE"})
	s := e.remove(source, "s")
	e.want(s, DeleteComplete, "")
	if sets, err := e.ChangeSets(source, s.ID); err != nil || len(sets) != 0 {
		t.Errorf("%v, %v", sets, err)
	}
	e.want(e.create(source, "s", oneBucket), CreateComplete, "")
}
