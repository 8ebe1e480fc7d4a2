package stack

import (
	"context"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
)

// The statuses of change sets, and whether they can be executed.
const (
	SetComplete = "CREATE_COMPLETE"
	SetFailed   = "FAILED"

	Available   = "AVAILABLE"
	Unavailable = "UNAVAILABLE"
	Executed    = "EXECUTE_COMPLETE"
)

// noChange is AWS's text for a change set that changes nothing.
const noChange = "The submitted information didn't contain changes. Submit different information to create a change set."

// ChangeSet is what an update would do, worked out before it is done.
type ChangeSet struct {
	ID          string `json:"id"` // ARN
	Name        string `json:"name"`
	StackID     string `json:"stackId"`
	StackName   string `json:"stackName"`
	Description string `json:"description,omitempty"`
	Type        string `json:"type"` // "CREATE" or "UPDATE"
	Spec
	Status          string    `json:"status"`
	Reason          string    `json:"reason,omitempty"`
	Execution       string    `json:"execution"` // Available, Unavailable or Executed
	Created         time.Time `json:"created"`
	Changes         []Change  `json:"changes,omitempty"`
	Token           string    `json:"token,omitempty"`
	OnFailure       string    `json:"onFailure,omitempty"` // OnStackFailure: "ROLLBACK", "DELETE", "DO_NOTHING" or ""
	DisableRollback bool      `json:"disableRollback,omitempty"`
}

// SetInput is what a caller wants of a change set.
type SetInput struct {
	Input
	ChangeSet   string // its name
	Type        string // "CREATE", "UPDATE" or "", which means UPDATE
	Description string
}

// CreateChangeSet works out what an update would do, or the creation of a
// stack, and records it. That is done when it returns: the set's status says
// whether it can be executed. Errors: AlreadyExistsException,
// InsufficientCapabilitiesException, ValidationError.
func (e *Engine) CreateChangeSet(ctx context.Context, c *iam.Caller, in SetInput) (*ChangeSet, error) {
	if err := checkName("changeSetName", in.ChangeSet); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	var h *holding
	var err error
	switch in.Type {
	case "CREATE":
		h, err = e.review(ctx, c, &in)
	case "", "UPDATE":
		in.Type = "UPDATE"
		h, err = e.hold(ctx, c.Account, in.Name)
		if isNotFound(err) {
			return nil, invalid("Stack [%s] does not exist", in.Name).On(in.Name)
		}
	case "IMPORT":
		return nil, fault.New(fault.Unsupported, "NotImplemented", "Change sets of type IMPORT are not supported")
	default:
		return nil, invalid("1 validation error detected: Value '%s' at 'changeSetType' failed to satisfy constraint: Member must satisfy enum value set: [CREATE, UPDATE, IMPORT]", in.Type)
	}
	if err != nil {
		return nil, err
	}
	defer h.done()
	if h.claim == nil || in.Type == "UPDATE" && !h.s.canUpdate() {
		return nil, h.s.wrongState("updated")
	}
	return e.workOut(ctx, h.s, &in)
}

// review claims a stack that is to be created: a new one, or one that has
// change sets and nothing more.
func (e *Engine) review(ctx context.Context, c *iam.Caller, in *SetInput) (*holding, error) {
	if err := checkName("stackName", in.Name); err != nil {
		return nil, err
	}
	h, err := e.holdNew(ctx, c.Account, in.Name)
	switch {
	case err != nil:
		return nil, err
	case h.s == nil:
		h.s = e.newStack(c, in.Name)
	case h.claim == nil || h.s.Status != ReviewInProgress:
		h.done()
		return nil, fault.Newf(fault.Exists, "AlreadyExistsException", "Stack [%s] already exists and cannot be created again with the changeSet [%s].", in.Name, in.ChangeSet).On(in.Name)
	}
	return h, nil
}

// workOut makes the change set for a claimed stack.
func (e *Engine) workOut(ctx context.Context, s *Stack, in *SetInput) (*ChangeSet, error) {
	key := s.Account + "/" + s.uuid() + "/" + in.ChangeSet
	// One that was executed, or cannot be, gives way: clients name their
	// change sets by the second, and several fit into one here.
	if old, _, err := e.sets.Get(key); err == nil && old.Execution == Available {
		if in.Token != "" && old.Token == in.Token {
			return &old, nil
		}
		return nil, fault.Newf(fault.Exists, "AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attribute ChangeSetName", in.ChangeSet).
			WithHint("the stack has a change set of that name: delete it, or choose another name")
	} else if err != nil && !isNotFound(err) {
		return nil, err
	}
	d, err := want(&in.Input, s)
	if err != nil {
		return nil, err
	}
	changes, same, err := e.plan(s, d)
	if err != nil {
		return nil, err
	}
	set := &ChangeSet{
		ID: arn.ARN{
			Partition: "aws", Service: "cloudformation", Region: e.Region, Account: s.Account,
			Resource: "changeSet/" + in.ChangeSet + "/" + e.uuid(),
		}.String(),
		Name: in.ChangeSet, StackID: s.ID, StackName: s.Name, Description: in.Description, Type: in.Type, Spec: d.spec,
		Status: SetComplete, Execution: Available, Created: e.Now().UTC(), Changes: changes, Token: in.Token,
		OnFailure: in.OnFailure, DisableRollback: in.DisableRollback != nil && *in.DisableRollback,
	}
	if same && in.Type == "UPDATE" {
		set.Status, set.Reason, set.Execution = SetFailed, noChange, Unavailable
	}
	if s.Status == "" { // a new stack, which waits for its change set
		s.Description = d.template.Description
		r := &work{Engine: e, s: s}
		if err := r.tell(ctx, ReviewInProgress, userInitiated); err != nil {
			return nil, err
		}
	}
	_, err = e.sets.Put(ctx, key, *set, catalog.Any)
	return set, err
}

// ChangeSet returns a change set by its name and its stack's, or by its ARN
// alone. Errors: ChangeSetNotFound, ValidationError for the stack.
func (e *Engine) ChangeSet(account, stack, name string) (*ChangeSet, error) {
	set, _, _, err := e.findSet(account, stack, name)
	return set, err
}

func noSet(name string) error {
	return fault.Newf(fault.NotFound, "ChangeSetNotFound", "ChangeSet [%s] does not exist", name).On(name)
}

// findSet is ChangeSet with the record's key and revision.
func (e *Engine) findSet(account, stack, name string) (set *ChangeSet, key string, revision uint64, err error) {
	prefix := account + "/"
	if stack != "" {
		s, err := e.Stack(account, stack)
		if err != nil {
			return nil, "", 0, err
		}
		prefix += s.uuid() + "/"
	} else if !strings.HasPrefix(name, "arn:") {
		return nil, "", 0, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	err = each(e.sets, prefix, func(r catalog.Record[ChangeSet]) bool {
		if r.Value.ID != name && (stack == "" || r.Value.Name != name) {
			return true
		}
		set, key, revision = &r.Value, r.Name, r.Revision
		return false
	})
	if err == nil && set == nil {
		err = noSet(name)
	}
	return set, key, revision, err
}

// ChangeSets returns the change sets of a stack, oldest first.
func (e *Engine) ChangeSets(account, stack string) ([]*ChangeSet, error) {
	s, err := e.Stack(account, stack)
	if err != nil {
		return nil, err
	}
	var all []*ChangeSet
	err = each(e.sets, account+"/"+s.uuid()+"/", func(r catalog.Record[ChangeSet]) bool {
		all = append(all, &r.Value)
		return true
	})
	slices.SortStableFunc(all, func(a, b *ChangeSet) int { return a.Created.Compare(b.Created) })
	return all, err
}

// DeleteChangeSet deletes a change set; one that is gone is no error.
func (e *Engine) DeleteChangeSet(ctx context.Context, account, stack, name string) error {
	_, key, revision, err := e.findSet(account, stack, name)
	if isNotFound(err) && fault.CodeOf(err) == "ChangeSetNotFound" {
		return nil
	}
	if err != nil {
		return err
	}
	return e.sets.Delete(ctx, key, revision)
}

// dropChangeSets deletes a stack's change sets but the one with the ARN keep.
func (e *Engine) dropChangeSets(ctx context.Context, s *Stack, keep string) error {
	sets, err := e.ChangeSets(s.Account, s.ID)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if set.ID == keep {
			continue
		}
		if err := e.sets.Delete(ctx, s.Account+"/"+s.uuid()+"/"+set.Name, catalog.Any); err != nil {
			return err
		}
	}
	return nil
}

// Execution says which change set to execute, and how.
type Execution struct {
	Stack, ChangeSet string
	DisableRollback  *bool
	Token            string
}

// Execute does what a change set says; the work goes on after it returns.
// Errors: ChangeSetNotFound, InvalidChangeSetStatus, ValidationError.
func (e *Engine) Execute(ctx context.Context, c *iam.Caller, in Execution) error {
	set, key, _, err := e.findSet(c.Account, in.Stack, in.ChangeSet)
	if err != nil {
		return err
	}
	h, err := e.hold(ctx, c.Account, set.StackID)
	if err != nil {
		return err
	}
	defer h.done()
	switch {
	case h.s.took(in.Token):
		return nil
	case h.claim == nil:
		return h.s.wrongState("updated")
	}
	// Another call may have executed or deleted it before this one held the stack.
	now, revision, err := e.sets.Get(key)
	if isNotFound(err) {
		return noSet(in.ChangeSet)
	}
	if err != nil {
		return err
	}
	if err := now.canExecute(h.s); err != nil {
		return err
	}
	now.Execution = Executed
	if _, err := e.sets.Put(ctx, key, now, revision); err != nil {
		return err
	}
	return h.execute(ctx, c, &now, &in)
}

// canExecute reports whether the change set of a stack can be executed now.
func (set *ChangeSet) canExecute(s *Stack) error {
	status := set.Status
	if status == SetComplete {
		status = set.Execution
	}
	switch {
	case status != Available:
		return fault.Newf(fault.Conflict, "InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", set.ID, status).
			WithHint("%s", set.Reason)
	case set.Type == "UPDATE" && !s.canUpdate(), set.Type == "CREATE" && s.Status != ReviewInProgress:
		return s.wrongState("updated")
	}
	return nil
}

// execute begins the work of a change set that can be executed.
func (h *holding) execute(ctx context.Context, c *iam.Caller, set *ChangeSet, in *Execution) error {
	s := h.s
	s.ChangeSet, s.DisableRollback = set.ID, set.DisableRollback
	if in.DisableRollback != nil {
		s.DisableRollback = *in.DisableRollback
	}
	who, err := h.e.actor(c, s, set.Role)
	if err != nil {
		return err
	}
	op := &Operation{Next: set.Spec, Actor: who, Token: in.Token, OnFailure: set.OnFailure}
	if set.Type == "UPDATE" {
		return h.startUpdate(ctx, op)
	}
	if err := h.e.dropChangeSets(ctx, s, set.ID); err != nil {
		return err
	}
	op.Phase = forward
	s.Spec, s.Op = set.Spec, op
	return h.begin(ctx, CreateInProgress)
}
