package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/template"
)

// customNamed is AWS's text for a replacement that would need the same name.
const customNamed = "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again."

const newPhysical = "Requested update requires the creation of a new physical resource; hence creating one."

// forward makes what the new template says, resource by resource.
func (r *work) forward(ctx context.Context) error {
	op := r.s.Op
	if err := r.bind(&op.Next); err != nil {
		return r.turnBack(ctx, nil, r.reason(stackType, err))
	}
	for _, tr := range r.scope.Resources() {
		if err := stopped(ctx); err != nil {
			return err
		}
		res, err := r.make(ctx, tr)
		if err != nil {
			return err
		}
		if res.Status == CreateFailed || res.Status == UpdateFailed {
			return r.turnBack(ctx, res, "")
		}
	}
	outputs, err := r.scope.Outputs(r)
	if err == nil {
		err = r.checkExports(outputs)
	}
	if err != nil {
		return r.turnBack(ctx, nil, r.reason(stackType, err))
	}
	r.s.Spec, r.s.Outputs, r.s.Imports = op.Next, outputs, op.Imports
	r.s.Description = r.scope.Template().Description
	if !op.Update {
		r.settle()
		return r.finish(ctx, CreateComplete, "")
	}
	r.doomLeft()
	r.settle()
	op.Phase = cleanup
	return r.tell(ctx, UpdateCompleteCleanup, "")
}

// finish ends the operation.
func (r *work) finish(ctx context.Context, status Status, reason string) error {
	op := r.s.Op
	r.s.Op = nil
	r.s.Status, r.s.Reason = status, reason
	ev := Event{ID: r.uuid(), Name: r.s.Name, Physical: r.s.ID, Type: stackType, Status: status, Reason: reason, Token: op.Token}
	if status == DeleteComplete {
		r.s.Deleted = r.Now().UTC()
	}
	return r.note(ctx, ev)
}

// settle forgets how far the operation was with each resource, and takes over
// what the template says beside properties.
func (r *work) settle() {
	for _, res := range r.s.Resources {
		res.Step, res.Old = "", nil
	}
	if r.scope == nil {
		return
	}
	var order []*Resource
	for _, tr := range r.scope.Resources() {
		res := r.s.Resource(tr.Name)
		if res == nil {
			continue
		}
		res.DeletionPolicy, res.UpdateReplacePolicy = tr.DeletionPolicy, tr.UpdateReplacePolicy
		res.Needs = r.scope.Needs(tr)
		res.Metadata = r.metadata(tr)
		order = append(order, res)
	}
	for _, res := range r.s.Resources {
		if !slices.Contains(order, res) {
			order = append(order, res)
		}
	}
	r.s.Resources = order
}

// metadata returns a resource's metadata as recorded, nil if there is none.
func (r *work) metadata(tr *template.Resource) []byte {
	if len(tr.Metadata) == 0 {
		return nil
	}
	m, err := r.scope.Metadata(tr, r)
	if err != nil {
		return template.JSON(tr.Metadata)
	}
	return template.JSON(m)
}

// make brings one resource to what the template says of it. The resource's
// status tells whether that failed.
func (r *work) make(ctx context.Context, tr *template.Resource) (*Resource, error) {
	res := r.s.Resource(tr.Name)
	if res == nil {
		r.s.remove(tr.Name) // one deleted earlier
		res = &Resource{Name: tr.Name, Type: tr.Type, DeletionPolicy: tr.DeletionPolicy, UpdateReplacePolicy: tr.UpdateReplacePolicy, Needs: r.scope.Needs(tr)}
		r.s.Resources = append(r.s.Resources, res)
	}
	switch res.Step {
	case created, updated, replaced, unchanged:
		return res, nil
	}
	if res.Physical == "" {
		res.Status = "" // an earlier operation failed to make it
	}
	fresh := res.Status == "" || res.Step == creating
	props, err := r.scope.Properties(tr, r)
	if err != nil {
		status := UpdateFailed
		if fresh {
			status = CreateFailed
		}
		return res, r.failed(ctx, res, status, err)
	}
	k, _ := kindOf(tr.Type)
	if fresh || res.Step == replacing {
		return res, r.create(ctx, k, res, props)
	}
	was := decode(res.Properties)
	changed := differences(was, props)
	tagged := k.tagged && !slices.Equal(res.Tags, r.s.Op.Next.Tags)
	switch {
	case len(changed) == 0 && !tagged:
		res.Step = unchanged
		return res, nil
	case slices.ContainsFunc(changed, func(p string) bool { return slices.Contains(k.replace, p) }):
		return res, r.create(ctx, k, res, props)
	}
	return res, r.change(ctx, k, res, props)
}

// create makes the physical resource of a new resource, or another one for a
// resource that has to be replaced.
func (r *work) create(ctx context.Context, k kind, res *Resource, props map[string]any) error {
	progress, complete, failed, why := CreateInProgress, CreateComplete, CreateFailed, ""
	resumed := res.Step == creating || res.Step == replacing
	if res.Status != "" && res.Step != creating {
		progress, complete, failed, why = UpdateInProgress, UpdateComplete, UpdateFailed, newPhysical
	}
	a := r.action(res.Name, res.Type, &res.Applied)
	a.props, a.tags, a.resumed, a.since = props, r.s.Op.Next.Tags, resumed, res.Updated
	if !resumed {
		name, err := k.name(a)
		if err == nil && name == res.Physical && progress == UpdateInProgress {
			err = fault.Newf(fault.Conflict, "ValidationError", customNamed, name)
		}
		if err != nil {
			if err := r.mark(ctx, res, progress, why); err != nil {
				return err
			}
			return r.failed(ctx, res, failed, err)
		}
		next := Applied{Physical: name, Properties: template.JSON(props), Tags: a.tags}
		res.Step = creating
		if progress == UpdateInProgress {
			old := res.Applied
			res.Step, res.Old = replacing, &old
		}
		res.Applied = next
		if err := r.mark(ctx, res, progress, why); err != nil {
			return err
		}
		a.since = res.Updated
	}
	a.physical = res.Physical
	attributes, err := k.create(ctx, a)
	if err != nil {
		if ctx.Err() == nil {
			// Nothing was made: what is under that name, if anything, is not
			// ours to delete. The old one is still what the resource is.
			was := Applied{Properties: res.Properties}
			if res.Old != nil {
				was = *res.Old
			}
			res.Applied, res.Old, res.Step = was, nil, ""
		}
		return r.failed(ctx, res, failed, err)
	}
	res.Attributes = attributes
	if res.Step = created; res.Old != nil {
		res.Step = replaced
	}
	return r.mark(ctx, res, complete, "")
}

// change updates the physical resource of a resource.
func (r *work) change(ctx context.Context, k kind, res *Resource, props map[string]any) error {
	if res.Step != updating {
		old := res.Applied
		res.Step, res.Old = updating, &old
		if err := r.mark(ctx, res, UpdateInProgress, ""); err != nil {
			return err
		}
	}
	a := r.action(res.Name, res.Type, &res.Applied)
	a.old, a.oldTags, a.props, a.tags = a.props, a.tags, props, r.s.Op.Next.Tags
	attributes, err := k.update(ctx, a)
	if err != nil {
		if ctx.Err() == nil {
			res.Step, res.Old = "", nil // nothing was changed
		}
		return r.failed(ctx, res, UpdateFailed, err)
	}
	res.Applied = Applied{Physical: res.Physical, Properties: template.JSON(props), Attributes: attributes, Tags: a.tags}
	res.Step = updated
	return r.mark(ctx, res, UpdateComplete, "")
}

// turnBack ends the way forward after a failure: of res, or for the reason why.
func (r *work) turnBack(ctx context.Context, res *Resource, why string) error {
	op := r.s.Op
	if res != nil {
		verb := "update"
		if res.Status == CreateFailed {
			verb = "create"
		}
		why = fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", verb, res.Name)
	}
	if r.s.DisableRollback || op.OnFailure == onFailureNothing {
		why = strings.TrimSpace(why)
		for _, res := range r.s.Resources {
			if res.Step == replaced {
				r.s.Leftover = append(r.s.Leftover, doomed{res.Name, res.Type, res.UpdateReplacePolicy == "Retain", *res.Old})
			}
		}
		r.settleFailed()
		if op.Update {
			return r.finish(ctx, UpdateFailed, why)
		}
		return r.finish(ctx, CreateFailed, why)
	}
	op.Phase = rollback
	switch {
	case op.Update:
		return r.tell(ctx, UpdateRollbackInProgress, why)
	case op.OnFailure == onFailureDelete:
		op.Phase = deleting
		return r.tell(ctx, DeleteInProgress, strings.TrimSuffix(why, " ")+" Delete requested by user.")
	}
	return r.tell(ctx, RollbackInProgress, strings.TrimSuffix(why, " ")+" Rollback requested by user.")
}

// settleFailed leaves the resources as they are.
func (r *work) settleFailed() {
	for _, res := range r.s.Resources {
		res.Step, res.Old = "", nil
	}
}

// doomLeft dooms what the new template no longer has: resources it does not
// name, and the old physical resources of those that were replaced.
func (r *work) doomLeft() {
	op := r.s.Op
	op.Doomed, r.s.Leftover = r.s.Leftover, nil
	keep := map[string]bool{}
	for _, tr := range r.scope.Resources() {
		keep[tr.Name] = true
	}
	for _, res := range slices.Backward(r.s.Resources) {
		if !keep[res.Name] {
			op.Doomed = append(op.Doomed, doomed{res.Name, res.Type, res.DeletionPolicy == "Retain" || res.DeletionPolicy == "RetainExceptOnCreate", res.Applied})
		} else if res.Step == replaced {
			op.Doomed = append(op.Doomed, doomed{res.Name, res.Type, res.UpdateReplacePolicy == "Retain", *res.Old})
		}
	}
}
