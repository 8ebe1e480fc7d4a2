package batch

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

// S3 does what a request asks for a caller who is known; *s3api.Door does. What
// is made for something once names is made once.
type S3 interface {
	Do(r *http.Request, caller *iam.Caller, once string) error
}

// replicates reports whether a job is one of Batch Replication.
func (r *record) replicates() bool { return r.Spec.Operation == job.ReplicateObject }

// generating are the actions on the source bucket that generating a manifest
// needs.
func generating(r *record) []string {
	if r.replicates() {
		return []string{"s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"}
	}
	return []string{"s3:PutInventoryConfiguration"}
}

// passes says why a generated manifest passes a version over: replication is
// about all, other operations about the objects there are.
func (r *record) passes(v *store.Listed) string {
	switch {
	case r.replicates():
	case !v.Latest:
		return "they are not the current versions"
	case v.Marker:
		return "they are delete markers"
	}
	return ""
}

// lookUp adds to a plan the account's objects that an operation is about, and
// which of them are not there. What else there is against a task S3 says when it is asked.
func (c *chunker) lookUp(ctx context.Context, entries []manifest.Entry) error {
	// What another account has is not told beforehand.
	if b, err := c.e.Store.Bucket(entries[0].Bucket); err != nil || b.Owner != c.r.Account {
		return nil
	}
	for i := range entries {
		entry := &entries[i]
		o, err := c.e.Store.Head(ctx, entry.Bucket, entry.Key, entry.VersionID)
		switch {
		case entry.Problem != nil:
			err = entry.Problem
		case err == nil:
			c.plan.Target(&o.Version)
		case !errors.Is(err, fault.NotFound):
			return err
		}
		c.plan.Foreseen.Task(job.Cause{Code: fault.CodeOf(err), Key: entry.Key, VersionID: entry.VersionID, Reason: fault.MessageOf(err)})
	}
	return nil
}

// atATime is how many tasks of a chunk are under way together: they share the
// journal's syncs.
const atATime = 128

// tasks works on the entries of a chunk and returns a report line for each, in
// their order, and what became of them together.
func (e *Engine) tasks(ctx context.Context, r *record, chunk int, entries []manifest.Entry) ([]report.Row, *job.Outcome, error) {
	if r.replicates() {
		return e.replicate(ctx, r, entries, nil)
	}
	rows, err := e.operate(ctx, r, chunk, entries)
	if err != nil {
		return nil, nil, err
	}
	outcome := new(job.Outcome)
	count(outcome, rows)
	return rows, outcome, nil
}

// operate asks S3 for the job's operation on each entry, as the job's role: a
// task does, needs and answers what the request of a client would. The error is
// one of the machine, after which the chunk is run again; what its tasks did
// stands, and they do the same again, but for copies, which are made once.
func (e *Engine) operate(ctx context.Context, r *record, chunk int, entries []manifest.Entry) ([]report.Row, error) {
	if err := e.Replicate.Yield(ctx); err != nil {
		return nil, err
	}
	role := e.session(r)
	ask := requestOf(&r.Spec)
	rows := make([]report.Row, len(entries))
	var g errgroup.Group
	g.SetLimit(atATime)
	for i := range entries {
		entry, row := &entries[i], &rows[i]
		*row = report.Row{Bucket: entry.Bucket, Key: entry.Key, VersionID: entry.VersionID, Succeeded: true, HTTPStatus: http.StatusOK, Message: "Successful"}
		switch {
		case entry.Problem != nil:
			failed(row, entry.Problem)
			continue
		case role.err != nil:
			failed(row, &fault.Error{Kind: fault.Denied, Code: "AccessDenied", Message: fault.MessageOf(role.err), Hint: fault.HintOf(role.err)})
			continue
		}
		g.Go(func() error {
			once := fmt.Sprintf("job/%s/%d/%d", r.ID, chunk, i)
			err := e.task(ctx, ask, role.caller, entry, once)
			if errors.Is(err, fault.Denied) && e.IAM.Revision() != role.revision {
				// Identities change, and the session may have been revoked.
				if anew := e.session(r); anew.err == nil {
					err = e.task(ctx, ask, anew.caller, entry, once)
				}
			}
			if err == nil {
				return nil
			}
			if ofTheMachine(ctx, err) {
				return err
			}
			failed(row, err)
			return nil
		})
	}
	return rows, g.Wait()
}

// task asks for one entry, unless what it makes is there from a chunk that was
// cut short.
func (e *Engine) task(ctx context.Context, ask *request, caller *iam.Caller, entry *manifest.Entry, once string) error {
	if ask.target != "" {
		if made, err := e.Store.Made(ctx, ask.target, ask.copy.Key(entry.Key), once); made != nil || err != nil {
			return err
		}
	}
	b, err := e.Store.Bucket(entry.Bucket)
	if err != nil {
		return err
	}
	id := entry.VersionID
	if b.Versioning == bucket.Unversioned && id == object.NullID {
		id = "" // generated manifests and inventories name what a client would not, without a right to versions
	}
	return e.S3.Do(ask.of(ctx, entry, id), caller, once)
}

// ofTheMachine reports whether an error says nothing about the task: it may
// well succeed later.
func ofTheMachine(ctx context.Context, err error) bool {
	switch fault.KindOf(err) {
	case fault.Busy, fault.NoSpace, fault.Closed:
		return true
	case fault.Other:
		return fault.CodeOf(err) == ""
	}
	return ctx.Err() != nil
}

// failed makes a report line one of a failed task, as S3 would answer it.
func failed(row *report.Row, err error) {
	row.Succeeded = false
	why := &fault.Error{Code: fault.CodeOf(err), Message: fault.MessageOf(err), Hint: fault.HintOf(err)}
	if why.Code == "" {
		why.Code = "InternalError"
	}
	fail(row, wire.Status(err), why)
}
