package demo

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/progress"
	"twinbucket/internal/verify"
	"twinbucket/job"
	"twinbucket/report"
)

// spec asks for a job over the objects that were never replicated, to be run
// in the given role.
func spec(roleName string) *job.Spec {
	eligible := true
	return &job.Spec{
		Token: fmt.Sprintf("%s-%d", roleName, time.Now().UnixNano()), Operation: job.ReplicateObject, Priority: 10,
		ConfirmationRequired: true, Description: "objects older than the rule",
		RoleARN: arn.Role(sourceAccount, "/", roleName),
		Report:  job.Report{Enabled: true, Bucket: arn.Bucket(reportBucket), Format: report.Format, Prefix: "jobs", Scope: job.AllTasks},
		Generator: &job.Generator{
			SourceBucket: arn.Bucket(sourceBucket), ExpectedBucketOwner: sourceAccount,
			Filter: &job.Filter{EligibleForReplication: &eligible, ObjectReplicationStatuses: []string{job.StatusNone, "FAILED"}},
		},
	}
}

// wrongRole makes the mistake that most people make first, and shows the answer.
func (d *demo) wrongRole(ctx context.Context) error {
	if d.resumed {
		return nil
	}
	d.step(5, "source", "A replication job for the existing objects")
	d.say("     first, on purpose, in the replication role in place of the batch role:")
	id, err := d.src.CreateJob(ctx, sourceAccount, spec(replicationRole))
	if err != nil {
		return err
	}
	j, err := d.watch(ctx, id, func(j *job.Job) bool { return j.State.Terminal() })
	if err != nil {
		return err
	}
	if j.State != job.Failed {
		return fault.Newf(fault.Other, "", "the job in the wrong role ended %s", j.State)
	}
	for i, f := range j.Failures {
		if i == 0 {
			d.say("     %s: %s", j.State, f.Reason)
		} else {
			d.say("             %s", f.Reason)
		}
	}
	return nil
}

// watch describes a job again and again until it is as wanted.
func (d *demo) watch(ctx context.Context, id string, until func(*job.Job) bool) (*job.Job, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		j, err := d.src.DescribeJob(ctx, sourceAccount, id)
		if err != nil {
			return nil, err
		}
		if until(j) {
			return j, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// job returns the id of the job to run: one of a former run that has not
// failed, or a new one.
func (d *demo) job(ctx context.Context) (string, error) {
	if d.resumed {
		jobs, err := d.src.ListJobs(ctx, sourceAccount)
		if err != nil {
			return "", err
		}
		for _, j := range jobs {
			if j.State != job.Failed && j.State != job.Cancelled {
				d.step(5, "source", "The replication job of the former run: "+j.ID+", "+string(j.State))
				return j.ID, nil
			}
		}
	}
	return d.src.CreateJob(ctx, sourceAccount, spec(batchRole))
}

// runJob runs the job in the batch role, confirms it, and puts new objects
// meanwhile.
func (d *demo) runJob(ctx context.Context) error {
	id, err := d.job(ctx)
	if err != nil {
		return err
	}
	d.say("     now in the batch role: job %s", id)
	j, err := d.watch(ctx, id, func(j *job.Job) bool { return j.State == job.Suspended || j.State.Terminal() || j.Progress.Run() > 0 })
	if err != nil {
		return err
	}
	if j.State == job.Suspended {
		d.say("     %s (awaiting your confirmation to run): %d versions in the manifest", j.State, j.Progress.Total)
		if _, err := d.src.UpdateJobStatus(ctx, sourceAccount, id, job.Ready, "confirmed by the demo"); err != nil {
			return err
		}
		d.say("     confirmed; new objects are put while it runs")
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return d.putWhileRunning(running) })
	ended := j.State.Terminal() // a former run's job has no progress to show
	bar := progress.New(d.Out, d.Terminal, "replicated", "objects", j.Progress.Total)
	j, err = d.watch(running, id, func(j *job.Job) bool {
		bar.Set(j.Progress.Run())
		return j.State.Terminal()
	})
	if putErr := g.Wait(); putErr != nil {
		return putErr
	}
	if err != nil {
		return err
	}
	if !ended {
		bar.Finish()
	}
	if j.State != job.Complete || j.Progress.Failed > 0 {
		return &fault.Error{Op: "demo.job", Thing: id, Message: fmt.Sprintf("the job ended %s with %d failed tasks: %+v", j.State, j.Progress.Failed, j.Failures)}
	}
	d.say("     %s: %d succeeded, %d failed; report: s3://%s/%s", j.State, j.Progress.Succeeded, j.Progress.Failed, reportBucket, report.SummaryKey("jobs", id))
	return nil
}

// settle waits until all new versions have arrived. If one does not, the
// comparison tells which.
func (d *demo) settle(ctx context.Context) error {
	late, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		want, err := verify.Count(ctx, verify.Side{Client: d.src, Bucket: sourceBucket}, "live/")
		if err != nil {
			return err
		}
		have, err := verify.Count(ctx, verify.Side{Client: d.dst, Bucket: destinationBucket}, "live/")
		if err != nil || have == want {
			return err
		}
		select {
		case <-tick.C:
		case <-late.Done():
			return ctx.Err()
		}
	}
}
