package stack

import (
	"context"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
)

// Stack returns a stack by name, or by ARN, which also finds one that was
// deleted. ValidationError "Stack with id ... does not exist" if there is none.
func (e *Engine) Stack(account, name string) (*Stack, error) {
	s, _, err := e.find(account, name)
	return s, err
}

// find is Stack with the record's revision.
func (e *Engine) find(account, name string) (*Stack, uint64, error) {
	if strings.HasPrefix(name, "arn:") {
		a, err := arn.Parse(name)
		id, ok := strings.CutPrefix(a.Resource, "stack/")
		if err != nil || !ok || a.Service != "cloudformation" || a.Account != account || a.Region != e.Region {
			return nil, 0, notFound(name)
		}
		s, revision, err := e.stacks.Get(account + "/" + id)
		// The ARN is the very one, or policies that name it would not bear on it.
		if isNotFound(err) || err == nil && s.ID != name {
			return nil, 0, notFound(name)
		}
		return &s, revision, err
	}
	var found *Stack
	var revision uint64
	err := each(e.stacks, account+"/"+name+"/", func(r catalog.Record[Stack]) bool {
		if r.Value.Status == DeleteComplete {
			return true
		}
		found, revision = &r.Value, r.Revision
		return false
	})
	if err == nil && found == nil {
		err = notFound(name)
	}
	return found, revision, err
}

// Stacks returns the stacks of an account, newest first. Deleted ones are
// among them.
func (e *Engine) Stacks(account string) ([]*Stack, error) {
	var all []*Stack
	err := each(e.stacks, account+"/", func(r catalog.Record[Stack]) bool {
		all = append(all, &r.Value)
		return true
	})
	slices.SortStableFunc(all, func(a, b *Stack) int { return b.Created.Compare(a.Created) })
	return all, err
}

// holding is a stack that a call has claimed, or found being worked on.
type holding struct {
	e        *Engine
	s        *Stack // nil: the name is free
	revision uint64 // of the record; 0: there is none
	name     string // what is claimed
	claim    *claim // nil: the stack is being worked on, or work has begun
}

// done gives the claim back, unless work has taken it over.
func (h *holding) done() {
	if h.claim != nil {
		h.e.release(h.claim, h.name)
		h.claim = nil
	}
}

// hold finds a stack and claims it, unless it is being worked on.
func (e *Engine) hold(ctx context.Context, account, name string) (*holding, error) {
	for {
		s, _, err := e.find(account, name)
		if err != nil {
			return nil, err
		}
		h := &holding{e: e, name: s.claimName()}
		if h.claim, err = e.claim(ctx, h.name); err != nil {
			return nil, err
		}
		if h.s, h.revision, err = e.find(account, name); err != nil {
			h.done()
			return nil, err
		}
		if h.claim != nil && h.s.Op != nil { // work was broken off
			e.launch(h.claim, h.name, h.s.key())
			h.claim = nil
		}
		if h.claim != nil || h.s.Op != nil {
			return h, nil
		}
		// The end of the work is recorded and nothing more is to come.
		if err := e.settled(ctx, h.name); err != nil {
			return nil, err
		}
	}
}

// holdNew claims the name of a new stack. If a stack has the name it is in
// what is returned.
func (e *Engine) holdNew(ctx context.Context, account, name string) (*holding, error) {
	h := &holding{e: e, name: account + "/" + name}
	for {
		var err error
		if h.claim, err = e.claim(ctx, h.name); err != nil {
			return nil, err
		}
		h.s, h.revision, err = e.find(account, name)
		if err == nil || h.claim != nil && isNotFound(err) {
			return h, nil
		}
		if !isNotFound(err) {
			h.done()
			return nil, err
		}
		// The stack that had the name has just been deleted.
		if err := e.settled(ctx, h.name); err != nil {
			return nil, err
		}
	}
}

// maxTokens is how many of the last requests of a stack are remembered.
const maxTokens = 20

// begin records that the operation in h.s.Op begins, and launches it.
func (h *holding) begin(ctx context.Context, status Status) error {
	if t := h.s.Op.Token; t != "" {
		h.s.Tokens = append(h.s.Tokens[max(0, len(h.s.Tokens)-maxTokens+1):], t)
	}
	r := &work{Engine: h.e, s: h.s, revision: h.revision}
	if err := r.tell(ctx, status, userInitiated); err != nil {
		return err
	}
	h.e.launch(h.claim, h.name, h.s.key())
	h.claim = nil
	return nil
}

// took reports whether the stack has taken this request before.
func (s *Stack) took(token string) bool { return token != "" && slices.Contains(s.Tokens, token) }

// Create makes a new stack and returns its ARN; the work goes on after that.
// Errors: AlreadyExistsException, InsufficientCapabilitiesException,
// ValidationError.
func (e *Engine) Create(ctx context.Context, c *iam.Caller, in Input) (string, error) {
	if err := checkName("stackName", in.Name); err != nil {
		return "", err
	}
	if err := in.check(); err != nil {
		return "", err
	}
	h, err := e.holdNew(ctx, c.Account, in.Name)
	if err != nil {
		return "", err
	}
	defer h.done()
	switch {
	case h.s != nil && h.s.took(in.Token):
		return h.s.ID, nil
	case h.s != nil:
		return "", alreadyThere(in.Name)
	}
	h.s = e.newStack(c, in.Name)
	if err := e.prepare(c, h.s, &in); err != nil {
		return "", err
	}
	return h.s.ID, h.begin(ctx, CreateInProgress)
}

// prepare makes of a new stack what the input says, ready to begin.
func (e *Engine) prepare(c *iam.Caller, s *Stack, in *Input) error {
	d, err := want(in, s)
	if err != nil {
		return err
	}
	if _, _, err := e.plan(s, d); err != nil {
		return err
	}
	s.Spec, s.Description, s.Protected = d.spec, d.template.Description, in.Protected
	s.DisableRollback = in.DisableRollback != nil && *in.DisableRollback
	who, err := e.actor(c, s, d.spec.Role)
	if err != nil {
		return err
	}
	s.Op = &Operation{Phase: forward, Next: d.spec, Actor: who, Token: in.Token, OnFailure: in.OnFailure}
	return nil
}

func alreadyThere(name string) error {
	return fault.Newf(fault.Exists, "AlreadyExistsException", "Stack [%s] already exists", name).On(name).
		WithHint("update it, or delete it first")
}

// updatable are the statuses in which a stack can be updated.
var updatable = []Status{CreateComplete, UpdateComplete, UpdateRollbackComplete, UpdateFailed}

// canUpdate reports whether the stack can be updated now.
func (s *Stack) canUpdate() bool {
	return s.Op == nil && (slices.Contains(updatable, s.Status) || s.Status == CreateFailed && s.DisableRollback)
}

// Update changes a stack and returns its ARN; the work goes on after that.
// Errors: ValidationError, also "No updates are to be performed.", and
// InsufficientCapabilitiesException.
func (e *Engine) Update(ctx context.Context, c *iam.Caller, in Input) (string, error) {
	if err := in.check(); err != nil {
		return "", err
	}
	h, err := e.hold(ctx, c.Account, in.Name)
	if err != nil {
		return "", err
	}
	defer h.done()
	s := h.s
	switch {
	case s.took(in.Token):
		return s.ID, nil
	case h.claim == nil || !s.canUpdate():
		return "", s.wrongState("updated")
	}
	d, err := want(&in, s)
	if err != nil {
		return "", err
	}
	_, same, err := e.plan(s, d)
	if err != nil {
		return "", err
	}
	if same {
		return "", invalid("No updates are to be performed.").On(s.Name)
	}
	if in.DisableRollback != nil {
		s.DisableRollback = *in.DisableRollback
	}
	who, err := e.actor(c, s, d.spec.Role)
	if err != nil {
		return "", err
	}
	return s.ID, h.startUpdate(ctx, &Operation{Next: d.spec, Actor: who, Token: in.Token})
}

// startUpdate begins the update that op describes.
func (h *holding) startUpdate(ctx context.Context, op *Operation) error {
	if err := h.e.dropChangeSets(ctx, h.s, h.s.ChangeSet); err != nil {
		return err
	}
	op.Phase, op.Update = forward, true
	h.s.Op, h.s.Updated = op, h.e.Now().UTC()
	return h.begin(ctx, UpdateInProgress)
}

// Deletion says what to delete.
type Deletion struct {
	Name    string   // of the stack, or its ARN
	Retain  []string // logical ids of resources to leave, of a stack that could not be deleted
	RoleARN string   // as Input has it
	Token   string   // ClientRequestToken
}

// Delete deletes a stack; the work goes on after that. A stack that does not
// exist is deleted already. Errors: ValidationError.
func (e *Engine) Delete(ctx context.Context, c *iam.Caller, in Deletion) error {
	for {
		h, err := e.hold(ctx, c.Account, in.Name)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.claim != nil {
			defer h.done()
			return h.startDelete(ctx, c, &in)
		}
		if h.s.took(in.Token) || h.s.Op.Phase == deleting {
			return nil
		}
		// What is being done is done in a moment.
		s, err := e.Wait(ctx, c.Account, h.s.ID)
		if err != nil {
			return err
		}
		if s.Op != nil {
			return s.wrongState("deleted")
		}
	}
}

// startDelete begins the deletion of a held stack.
func (h *holding) startDelete(ctx context.Context, c *iam.Caller, in *Deletion) error {
	s := h.s
	if s.Status == DeleteComplete || s.took(in.Token) {
		return nil
	}
	if err := s.checkDelete(in); err != nil {
		return err
	}
	if err := h.e.checkImported(s); err != nil {
		return err
	}
	role := in.RoleARN
	if role == "" {
		role = s.Role
	}
	who, err := h.e.actor(c, s, role)
	if err != nil {
		return err
	}
	if err := h.e.dropChangeSets(ctx, s, ""); err != nil {
		return err
	}
	s.Op = &Operation{Phase: deleting, Actor: who, Token: in.Token, Retain: in.Retain, Next: s.Spec}
	return h.begin(ctx, DeleteInProgress)
}

func (s *Stack) checkDelete(in *Deletion) error {
	if s.Protected {
		return invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.Name).
			WithHint("aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name %s", s.Name)
	}
	if len(in.Retain) == 0 {
		return nil
	}
	if s.Status != DeleteFailed {
		return invalid("Invalid operation on stack [%s]. Specify ResourcesToRetain on a stack that is in the DELETE_FAILED state only.", s.ID)
	}
	for _, name := range in.Retain {
		if res := s.Resource(name); res == nil || res.Status != DeleteFailed {
			return invalid("The resource %s is not in the DELETE_FAILED state and cannot be retained.", name)
		}
	}
	return nil
}

// Protect sets or takes away a stack's protection against deletion and returns
// the stack's ARN.
func (e *Engine) Protect(ctx context.Context, account, name string, on bool) (string, error) {
	h, err := e.hold(ctx, account, name)
	if err != nil {
		return "", err
	}
	defer h.done()
	if h.claim == nil {
		return "", h.s.wrongState("updated")
	}
	h.s.Protected = on
	_, err = e.stacks.Put(ctx, h.s.key(), *h.s, h.revision)
	return h.s.ID, err
}
