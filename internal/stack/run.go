package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/template"
)

// run works on the stack under key until nothing is left to do. An error means
// that it could not be told how far it came; then it stands where its record
// says.
func (e *Engine) run(ctx context.Context, key string) error {
	s, revision, err := e.stacks.Get(key)
	if err != nil || s.Op == nil {
		return err
	}
	r := &work{Engine: e, s: &s, revision: revision, caller: s.Op.Actor.caller()}
	r.secrets = append(s.secrets(), s.Op.Next.secrets()...)
	for r.s.Op != nil {
		if err := r.phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

// work is a stack being worked on. Nobody else changes its record meanwhile.
type work struct {
	*Engine
	s        *Stack
	revision uint64
	caller   *iam.Caller
	scope    *template.Scope // of the template that the phase makes true
	secrets  [][]byte        // values of NoEcho parameters as JSON text, not to be shown in events
}

// phase does one phase of the operation.
func (r *work) phase(ctx context.Context) error {
	switch r.s.Op.Phase {
	case forward:
		return r.forward(ctx)
	case cleanup:
		return r.cleanup(ctx)
	case rollback:
		return r.rollback(ctx)
	default:
		return r.deleting(ctx)
	}
}

// stopped returns the error to leave with when work is interrupted, nil if it
// is not.
func stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	return nil
}

// save records the stack as it is.
func (r *work) save(ctx context.Context) error {
	revision, err := r.stacks.Put(ctx, r.s.key(), *r.s, r.revision)
	if err == nil {
		r.revision = revision
	}
	return err
}

// tell sets the status of the stack itself, with an event, and records both.
func (r *work) tell(ctx context.Context, status Status, reason string) error {
	r.s.Status, r.s.Reason = status, reason
	return r.note(ctx, Event{
		ID: r.uuid(), Name: r.s.Name, Physical: r.s.ID, Type: stackType, Status: status, Reason: reason,
	})
}

// mark sets the status of a resource, with an event, and records both.
func (r *work) mark(ctx context.Context, res *Resource, status Status, reason string) error {
	now := r.Now().UTC()
	res.Status, res.Reason, res.Updated = status, reason, now
	return r.note(ctx, Event{
		ID:   fmt.Sprintf("%s-%s-%s", res.Name, status, now.Format("2006-01-02T15:04:05.000Z")),
		Name: res.Name, Physical: res.Physical, Type: res.Type, Status: status, Reason: reason, Properties: r.masked(res.Properties),
	})
}

// masked returns recorded properties without secrets.
func (r *work) masked(properties []byte) []byte {
	for _, s := range r.secrets {
		properties = bytes.ReplaceAll(properties, s, []byte(hidden))
	}
	return properties
}

// note records an event and the stack with it.
func (r *work) note(ctx context.Context, ev Event) error {
	ev.StackID, ev.StackName, ev.Time = r.s.ID, r.s.Name, r.Now().UTC()
	if r.s.Op != nil {
		ev.Token = r.s.Op.Token
	}
	if err := r.putEvent(ctx, r.s, ev); err != nil {
		return err
	}
	return r.save(ctx)
}

// bind makes the scope of what the stack is to become.
func (r *work) bind(spec *Spec) error {
	t, err := template.Parse([]byte(spec.Template))
	if err != nil {
		return err
	}
	r.scope, err = t.Bind(spec.Parameters, environment(r.s))
	return err
}

// environment gives a stack's pseudo parameters their values.
func environment(s *Stack) template.Environment {
	return template.Environment{Account: s.Account, Region: s.Region, StackName: s.Name, StackID: s.ID}
}

// Ref is template.Lookup.
func (r *work) Ref(name string) (string, error) {
	if res := r.s.Resource(name); res != nil && res.Physical != "" {
		return res.Physical, nil
	}
	return "", fault.Newf(fault.Invalid, "ValidationError", "Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name)
}

// Attribute is template.Lookup.
func (r *work) Attribute(name, attribute string) (any, error) {
	res := r.s.Resource(name)
	if res == nil {
		return nil, fault.Newf(fault.Invalid, "ValidationError", "Template error: instance of Fn::GetAtt references undefined resource %s", name)
	}
	if v, ok := res.Attributes[attribute]; ok {
		return v, nil
	}
	return nil, noAttribute(name, attribute)
}

func noAttribute(name, attribute string) error {
	return fault.Newf(fault.Invalid, "ValidationError", "Template error: resource %s does not support attribute type %s in Fn::GetAtt", name, attribute)
}

// action returns an action on a resource with what it has now.
func (r *work) action(name, typ string, now *Applied) *action {
	return &action{
		Engine: r.Engine, caller: r.caller, stack: r.s, name: name, typ: typ,
		physical: now.Physical, props: decode(now.Properties), tags: now.Tags,
	}
}

// reason says why something failed, as AWS does, and what to do about it.
func (r *work) reason(typ string, err error) string {
	message := fault.MessageOf(err)
	if message == "" {
		message = err.Error()
	}
	kind := fault.KindOf(err)
	code := fault.CodeOf(err)
	if code != "ValidationError" && code != "NotImplemented" {
		message = fmt.Sprintf("%s (Service: %s, Status Code: %d, Error Code: %s, Request ID: %s)",
			strings.TrimSuffix(message, "."), service(typ), statusCode(kind), code, r.suffix(16, true))
	}
	if hint := fault.HintOf(err); hint != "" {
		message += " (" + hint + ")"
	}
	return message
}

// statusCode is the HTTP status that AWS's services answer with.
func statusCode(k fault.Kind) int {
	switch k {
	case fault.NotFound:
		return 404
	case fault.Exists, fault.Conflict:
		return 409
	case fault.Denied, fault.Unknown:
		return 403
	case fault.Precondition:
		return 412
	case fault.Unsupported:
		return 405
	case fault.Busy, fault.Closed:
		return 503
	case fault.Other, fault.Damaged, fault.NoSpace:
		return 500
	}
	return 400
}

// failed ends the phase of a resource that failed, unless the failure is that
// work was interrupted.
func (r *work) failed(ctx context.Context, res *Resource, status Status, err error) error {
	if ctx.Err() != nil || errors.Is(err, fault.Closed) {
		return errors.Join(err, stopped(ctx))
	}
	return r.mark(ctx, res, status, r.reason(res.Type, err))
}
