package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// rollback goes back to what was before the operation.
func (r *work) rollback(ctx context.Context) error {
	if !r.s.Op.Update {
		return r.unmake(ctx)
	}
	var failed []string
	for _, res := range slices.Backward(r.s.Resources) {
		if err := stopped(ctx); err != nil {
			return err
		}
		ok, err := r.restore(ctx, res)
		if err != nil {
			return err
		}
		if !ok {
			failed = append(failed, res.Name)
		}
	}
	if len(failed) > 0 {
		r.settleFailed()
		return r.finish(ctx, UpdateRollbackFailed, fmt.Sprintf("The following resource(s) failed to update: [%s].", strings.Join(failed, ", ")))
	}
	op := r.s.Op
	for _, res := range slices.Backward(r.s.Resources) {
		switch {
		case res.Step == created || res.Status == CreateFailed:
			op.Doomed = append(op.Doomed, doomed{Name: res.Name, Type: res.Type, Applied: res.Applied})
		case res.Step == restored:
			op.Doomed = append(op.Doomed, doomed{Name: res.Name, Type: res.Type, Applied: *res.Old})
		}
	}
	op.Phase, op.Failed = cleanup, true
	r.settleFailed()
	return r.tell(ctx, UpdateRollbackCompleteCleanup, "")
}

// restore brings one resource back to what it was; ok is false if it cannot.
func (r *work) restore(ctx context.Context, res *Resource) (ok bool, err error) {
	switch res.Step {
	case replaced:
		// The old one is still there; the new one goes in cleanup.
		made := res.Applied
		res.Applied, res.Old, res.Step = *res.Old, &made, restored
		return true, r.mark(ctx, res, UpdateComplete, "")
	case updated:
	default:
		if res.Status == UpdateFailed {
			return true, r.mark(ctx, res, UpdateComplete, "")
		}
		return true, nil
	}
	if err := r.mark(ctx, res, UpdateInProgress, ""); err != nil {
		return false, err
	}
	a := r.action(res.Name, res.Type, &res.Applied)
	a.old, a.oldTags, a.props, a.tags = a.props, a.tags, decode(res.Old.Properties), res.Old.Tags
	k, _ := kindOf(res.Type)
	if _, err := k.update(ctx, a); err != nil {
		return false, r.failed(ctx, res, UpdateFailed, err)
	}
	res.Applied, res.Old, res.Step = *res.Old, nil, ""
	return true, r.mark(ctx, res, UpdateComplete, "")
}

// cleanup deletes what an update no longer needs. What cannot be deleted is
// left, as on AWS, and the update succeeds all the same.
func (r *work) cleanup(ctx context.Context) error {
	op := r.s.Op
	left := false
	for len(op.Doomed) > 0 {
		if err := stopped(ctx); err != nil {
			return err
		}
		d := op.Doomed[0]
		res := &Resource{Name: d.Name, Type: d.Type, Applied: d.Applied}
		// A resource that is wholly gone is shown until it is deleted; of one
		// that was replaced only the old physical resource is.
		if own := r.s.Resource(d.Name); own != nil && (own.Physical == d.Physical || own.Status == CreateFailed) {
			res = own
		}
		deleted, err := r.destroy(ctx, res, d.Retain)
		if err != nil {
			return err
		}
		left = left || !deleted
		op.Doomed = op.Doomed[1:]
		if slices.Contains(r.s.Resources, res) {
			r.s.remove(d.Name)
		}
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	reason := ""
	if left {
		reason = "One or more resources could not be deleted."
	}
	if op.Failed {
		return r.finish(ctx, UpdateRollbackComplete, reason)
	}
	return r.finish(ctx, UpdateComplete, reason)
}

// destroy deletes a physical resource, or leaves it if retain says so; deleted
// is false if it cannot be deleted.
func (r *work) destroy(ctx context.Context, res *Resource, retain bool) (deleted bool, err error) {
	if retain {
		return true, r.mark(ctx, res, DeleteSkipped, "")
	}
	if res.Status != DeleteInProgress {
		if err := r.mark(ctx, res, DeleteInProgress, ""); err != nil {
			return false, err
		}
	}
	if res.Physical != "" {
		k, _ := kindOf(res.Type)
		if err := k.delete(ctx, r.action(res.Name, res.Type, &res.Applied)); err != nil {
			return false, r.failed(ctx, res, DeleteFailed, err)
		}
	}
	return true, r.mark(ctx, res, DeleteComplete, "")
}

// unmake deletes what a failed creation made.
func (r *work) unmake(ctx context.Context) error {
	failed, err := r.destroyAll(ctx, func(res *Resource) bool { return res.DeletionPolicy == "Retain" })
	if err != nil {
		return err
	}
	r.s.Outputs = nil
	r.settleFailed()
	if len(failed) > 0 {
		return r.finish(ctx, RollbackFailed, fmt.Sprintf("The following resource(s) failed to delete: [%s].", strings.Join(failed, ", ")))
	}
	return r.finish(ctx, RollbackComplete, "")
}

// deleting deletes the whole stack.
func (r *work) deleting(ctx context.Context) error {
	op := r.s.Op
	failed, err := r.destroyAll(ctx, func(res *Resource) bool {
		return strings.HasPrefix(res.DeletionPolicy, "Retain") || slices.Contains(op.Retain, res.Name)
	})
	if err != nil {
		return err
	}
	r.settleFailed()
	if len(failed) > 0 {
		return r.finish(ctx, DeleteFailed, fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(failed, ", ")))
	}
	r.s.Outputs, r.s.Imports = nil, nil
	return r.finish(ctx, DeleteComplete, "")
}

// destroyAll deletes the resources in reverse, each before those it depends
// on. What something left over depends on is left, too.
func (r *work) destroyAll(ctx context.Context, retain func(*Resource) bool) (failed []string, err error) {
	needed := map[string]bool{}
	for _, res := range slices.Backward(slices.Clone(r.s.Resources)) {
		if err := stopped(ctx); err != nil {
			return nil, err
		}
		if res.Status == DeleteComplete || res.Status == DeleteSkipped {
			continue
		}
		gone := false
		if !needed[res.Name] {
			if gone, err = r.destroy(ctx, res, retain(res)); err != nil {
				return nil, err
			}
			if !gone {
				failed = append(failed, res.Name)
			}
		}
		if !gone {
			for _, n := range res.Needs {
				needed[n] = true
			}
		}
	}
	return failed, nil
}
