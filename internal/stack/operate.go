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
		if isNotFound(err) {
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

// hold finds a stack and claims it. If it is being worked on, the claim is nil.
func (e *Engine) hold(ctx context.Context, account, name string) (*Stack, uint64, *claim, error) {
	for {
		s, _, err := e.find(account, name)
		if err != nil {
			return nil, 0, nil, err
		}
		claimed := s.claimName()
		c, err := e.claim(ctx, claimed)
		if err != nil {
			return nil, 0, nil, err
		}
		s, revision, err := e.find(account, name)
		if err != nil {
			if c != nil {
				e.release(c, claimed)
			}
			return nil, 0, nil, err
		}
		switch {
		case c == nil && s.Op == nil: // its end is recorded and nothing more is to come
			if _, err := e.Wait(ctx, account, s.ID); err != nil {
				return nil, 0, nil, err
			}
			continue
		case c != nil && s.Op != nil:
			e.launch(c, claimed, s.key()) // work was broken off
			c = nil
		}
		return s, revision, c, nil
	}
}

// maxTokens is how many of the last requests of a stack are remembered.
const maxTokens = 20

// begin records that an operation begins and launches it.
func (e *Engine) begin(ctx context.Context, c *claim, s *Stack, revision uint64, status Status) error {
	if t := s.Op.Token; t != "" {
		s.Tokens = append(s.Tokens[max(0, len(s.Tokens)-maxTokens+1):], t)
	}
	r := &work{Engine: e, s: s, revision: revision}
	if err := r.tell(ctx, status, userInitiated); err != nil {
		e.release(c, s.claimName())
		return err
	}
	e.launch(c, s.claimName(), s.key())
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
	held, have, err := e.holdNew(ctx, c.Account, in.Name)
	switch {
	case err != nil:
		return "", err
	case have != nil:
		if held != nil {
			e.release(held, have.claimName())
		}
		if have.took(in.Token) {
			return have.ID, nil
		}
		return "", alreadyThere(in.Name)
	}
	s := e.newStack(c, in.Name)
	if err := e.prepare(c, s, &in); err != nil {
		e.release(held, s.claimName())
		return "", err
	}
	return s.ID, e.begin(ctx, held, s, 0, CreateInProgress)
}

// prepare makes of a stack what the input says, ready to begin.
func (e *Engine) prepare(c *iam.Caller, s *Stack, in *Input) error {
	d, err := want(in, s)
	if err != nil {
		return err
	}
	if _, _, err := plan(s, d); err != nil {
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

// holdNew claims the name of a new stack. If a stack has the name it is
// returned, with a claim unless it is being worked on.
func (e *Engine) holdNew(ctx context.Context, account, name string) (*claim, *Stack, error) {
	claimed := account + "/" + name
	for {
		held, err := e.claim(ctx, claimed)
		if err != nil {
			return nil, nil, err
		}
		have, err := e.Stack(account, name)
		switch {
		case err == nil:
			return held, have, nil
		case held != nil && isNotFound(err):
			return held, nil, nil
		case held != nil:
			e.release(held, claimed)
			return nil, nil, err
		case !isNotFound(err):
			return nil, nil, err
		}
		// The stack that had the name has just been deleted.
		if err := e.settled(ctx, claimed); err != nil {
			return nil, nil, err
		}
	}
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
	s, revision, held, err := e.hold(ctx, c.Account, in.Name)
	if err != nil {
		return "", err
	}
	keep := false
	defer func() {
		if held != nil && !keep {
			e.release(held, s.claimName())
		}
	}()
	switch {
	case s.took(in.Token):
		return s.ID, nil
	case held == nil || !s.canUpdate():
		return "", s.wrongState("updated")
	}
	d, err := want(&in, s)
	if err != nil {
		return "", err
	}
	_, same, err := plan(s, d)
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
	keep = true
	return s.ID, e.startUpdate(ctx, held, s, revision, &Operation{Next: d.spec, Actor: who, Token: in.Token})
}

// startUpdate begins the update that op describes.
func (e *Engine) startUpdate(ctx context.Context, held *claim, s *Stack, revision uint64, op *Operation) error {
	if err := e.dropChangeSets(ctx, s, s.ChangeSet); err != nil {
		e.release(held, s.claimName())
		return err
	}
	op.Phase, op.Update = forward, true
	s.Op, s.Updated = op, e.Now().UTC()
	return e.begin(ctx, held, s, revision, UpdateInProgress)
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
		s, revision, held, err := e.hold(ctx, c.Account, in.Name)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if held == nil {
			if s.took(in.Token) || s.Op.Phase == deleting {
				return nil
			}
			// What is being done is done in a moment.
			if _, err := e.Wait(ctx, c.Account, s.ID); err != nil {
				return err
			}
			continue
		}
		if s.Status == DeleteComplete || s.took(in.Token) {
			e.release(held, s.claimName())
			return nil
		}
		return e.startDelete(ctx, c, held, s, revision, &in)
	}
}

// startDelete begins the deletion of a held stack.
func (e *Engine) startDelete(ctx context.Context, c *iam.Caller, held *claim, s *Stack, revision uint64, in *Deletion) error {
	err := s.checkDelete(in)
	role := in.RoleARN
	if role == "" {
		role = s.Role
	}
	var who actor
	if err == nil {
		who, err = e.actor(c, s, role)
	}
	if err == nil {
		err = e.dropChangeSets(ctx, s, "")
	}
	if err != nil {
		e.release(held, s.claimName())
		return err
	}
	s.Op = &Operation{Phase: deleting, Actor: who, Token: in.Token, Retain: in.Retain, Next: s.Spec}
	return e.begin(ctx, held, s, revision, DeleteInProgress)
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
	s, revision, held, err := e.hold(ctx, account, name)
	if err != nil {
		return "", err
	}
	if held == nil {
		return "", s.wrongState("updated")
	}
	defer e.release(held, s.claimName())
	s.Protected = on
	_, err = e.stacks.Put(ctx, s.key(), *s, revision)
	return s.ID, err
}
