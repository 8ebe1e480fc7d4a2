package batch

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/report"
)

// maxBroken is after how many chunks that cannot be run a step ends.
const maxBroken = 10

// work runs the chunks that have no result yet, and moves the job on when all
// have one, or when too many tasks have failed.
func (d *driver) work(ctx context.Context, r *record) error {
	done, progress, err := d.e.done(ctx, r)
	if err != nil {
		return err
	}
	start := d.e.Now()
	d.count(progress, start)
	var mu sync.Mutex // guards progress, over and broken
	over, broken := progress.OverThreshold(), 0
	var g errgroup.Group
	g.SetLimit(d.e.Workers)
	for n := range r.Chunks {
		mu.Lock()
		stop := over || broken >= maxBroken
		mu.Unlock()
		if stop || ctx.Err() != nil {
			break
		}
		if done[n] {
			continue
		}
		g.Go(func() error {
			s, f, err := d.e.runChunk(ctx, r, n)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				broken++ // which holds nobody else up
				return err
			}
			progress.Succeeded += s
			progress.Failed += f
			over = over || progress.OverThreshold()
			d.count(progress, start)
			return nil
		})
	}
	err = g.Wait()
	progress.ActiveSeconds += int64(d.e.Now().Sub(start).Seconds())
	defer d.settled()
	switch {
	case ctx.Err() != nil || err != nil:
		// The user cancelled, or the process ends, or a chunk failed: what is done is kept.
		return errors.Join(err, ctx.Err(), d.keepProgress(context.WithoutCancel(ctx), progress))
	case over:
		return d.move(ctx, job.Fail, func(r *record) {
			r.Progress = progress
			r.Failures = append(r.Failures, job.Failure{
				Code:   "FailureThresholdExceeded",
				Reason: "More than 50 percent of the job's tasks failed.",
			})
		})
	}
	return d.move(ctx, job.Finish, func(r *record) { r.Progress = progress })
}

// settled ends the count of the step: the record has it now.
func (d *driver) settled() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress = nil
}

func (d *driver) keepProgress(ctx context.Context, p job.Progress) error {
	return d.e.jobs.Update(ctx, d.name, func(r *record) error {
		r.Progress = p
		return nil
	})
}

// runChunk works on one chunk and stores its result.
func (e *Engine) runChunk(ctx context.Context, r *record, n int) (succeeded, failed int64, err error) {
	entries, err := e.chunk(ctx, r, n)
	if err != nil {
		return 0, 0, err
	}
	rows, err := e.replicate(ctx, r, entries)
	if err != nil {
		return 0, 0, err
	}
	return e.keepResult(ctx, r.ID, n, rows)
}

// replicate settles entries and returns a report line for each, in their order.
func (e *Engine) replicate(ctx context.Context, r *record, entries []manifest.Entry) ([]report.Row, error) {
	rows := make([]report.Row, len(entries))
	var objects []*store.Object
	var of []int // index in entries of each object
	var src *bucket.Bucket
	caller, assumed := e.assume(r)
	for i := range entries {
		entry := &entries[i]
		rows[i] = report.Row{Bucket: entry.Bucket, Key: entry.Key, VersionID: entry.VersionID}
		b, err := e.Store.Bucket(entry.Bucket)
		if err == nil && b.Owner != r.Account {
			err = fault.New(fault.NotFound, "SrcBucketNotFound", "the bucket belongs to another account than the job").
				WithHint("create the job in account %s", b.Owner)
		}
		switch {
		case entry.Problem != nil:
			fail(&rows[i], 400, entry.Problem)
		case err != nil:
			fail(&rows[i], 404, &fault.Error{Code: "SrcBucketNotFound", Message: fault.MessageOf(err), Hint: fault.HintOf(err)})
		case assumed != nil:
			fail(&rows[i], 403, &fault.Error{Code: "AssumeRoleNotPermitted", Message: fault.MessageOf(assumed), Hint: fault.HintOf(assumed)})
		default:
			src = b
			if err := e.allowed(caller, "s3:InitiateReplication", arn.Object(b.Name, entry.Key), b); err != nil {
				fail(&rows[i], 403, &fault.Error{Code: "InitiateReplicationNotPermitted", Message: fault.MessageOf(err), Hint: fault.HintOf(err)})
				continue
			}
			o, err := e.Store.Head(ctx, entry.Bucket, entry.Key, entry.VersionID)
			if errors.Is(err, fault.NotFound) {
				fail(&rows[i], 404, e.absent(ctx, entry))
				continue
			}
			if err != nil {
				return nil, err
			}
			objects, of = append(objects, o), append(of, i)
		}
	}
	if len(objects) == 0 {
		return rows, nil
	}
	outcomes, err := e.Replicate.Replicate(ctx, src, objects)
	if err != nil {
		return nil, err
	}
	for k, out := range outcomes {
		row := &rows[of[k]]
		row.VersionID = objects[k].ID
		row.Succeeded, row.HTTPStatus, row.Code, row.Message = out.Code == "", out.Status, out.Code, out.Message
	}
	return rows, nil
}

// absent says what an entry names that is not there: the key, or one version
// of it.
func (e *Engine) absent(ctx context.Context, entry *manifest.Entry) *fault.Error {
	const hint = "it was deleted since the manifest was made, or is written in another way there: keys in CSV manifests are percent-encoded"
	if _, err := e.Store.Head(ctx, entry.Bucket, entry.Key, ""); err != nil {
		return &fault.Error{Code: "SrcKeyNotFound", Message: "the key does not exist in " + entry.Bucket, Hint: hint}
	}
	return &fault.Error{Code: "SrcObjectNotFound", Message: "the version does not exist in " + entry.Bucket, Hint: hint}
}

// fail makes a report line one of a failed task.
func fail(row *report.Row, status int, why *fault.Error) {
	row.HTTPStatus, row.Code, row.Message = status, why.Code, why.Message
	if why.Hint != "" {
		row.Message += "; " + why.Hint
	}
}
