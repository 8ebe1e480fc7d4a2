package batch

import (
	"context"
	"errors"
	"time"

	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/rule"
)

// Plan returns what a job would do: it is prepared, and nothing of it is kept.
func (e *Engine) Plan(ctx context.Context, account, region string, spec *job.Spec) (*job.Plan, error) {
	select {
	case e.plans <- struct{}{}:
		defer func() { <-e.plans }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := &record{Job: job.Job{ID: newID(), Account: account, Region: region, Spec: *spec}}
	d := &driver{e: e, name: name(account, r.ID)}
	c := d.e.chunker(r)
	c.unkept = true
	_, err := d.manifest(ctx, r, c)
	if err == nil && spec.Report.Enabled {
		_, err = d.reportTo(r)
	}
	if no := refusalOf(err); no != nil {
		c.plan.Failures, err = no.failures(), nil
	}
	if err != nil {
		return nil, err
	}
	return e.planned(c)
}

// planned returns the plan that a manifest has come to.
func (e *Engine) planned(c *chunker) (*job.Plan, error) {
	rate, jobs, err := e.pace(c.r)
	if err != nil {
		return nil, err
	}
	c.plan.Made = e.Now().UTC()
	if c.plan.Seen.Versions == 0 { // a manifest that was brought along excludes nothing
		c.plan.Seen = job.Amount{Versions: c.plan.Tasks, Bytes: c.plan.Objects.Bytes}
	}
	c.plan.Finish(rate, jobs)
	if o := &c.plan.Foreseen; o.OverThreshold() {
		c.plan.Failures = append(c.plan.Failures, tooMany(o).failures()...)
	}
	return &c.plan, nil
}

// measured is how many jobs of an account, the latest, are asked for their pace;
// long is how long they have to have been Active, for it to say something.
const (
	measured = 20
	long     = 100 * time.Millisecond
)

// pace returns how many tasks a second the latest jobs of an account worked on
// that do the same as a job, and how many jobs these are.
func (e *Engine) pace(of *record) (rate float64, jobs int, err error) {
	latest, _, _, err := e.jobs.page(of.Account, nil, "", measured)
	if err != nil {
		return 0, 0, err
	}
	var tasks int64
	var active time.Duration
	for _, name := range latest {
		r, _, err := e.jobs.Get(name)
		if errors.Is(err, fault.NotFound) {
			continue // forgotten this moment
		}
		if err != nil {
			return 0, 0, err
		}
		if r.Active >= long && r.Progress.Run() > 0 && r.Spec.Operation == of.Spec.Operation {
			jobs++
			tasks += r.Progress.Run()
			active += r.Active
		}
	}
	if active == 0 {
		return 0, 0, nil
	}
	return float64(tasks) / active.Seconds(), jobs, nil
}

// What the roles may do is asked for the first askedAll tasks, and of those that
// follow for one in askedOf, for asking takes as long as replicating; but for each
// once a task is known to fail.
const (
	askedAll = 1000
	askedOf  = 100
)

// foresee adds to the plan what is to become of the entries.
func (c *chunker) foresee(ctx context.Context, entries []manifest.Entry) error {
	c.plan.Tasks += int64(len(entries))
	c.plan.Source = entries[0].Bucket // all name the same
	if err := c.e.Replicate.Yield(ctx); err != nil {
		return err
	}
	if !c.r.replicates() {
		return c.lookUp(ctx, entries)
	}
	_, outcome, err := c.e.replicate(ctx, c.r, entries, c)
	if err != nil {
		return err
	}
	c.plan.Foreseen.Add(outcome)
	return nil
}

// ask reports whether it is to be asked what the next task needs.
func (c *chunker) ask() bool {
	c.looked++
	if c.looked > askedAll && c.looked%askedOf != 0 && c.plan.Foreseen.Failed == 0 {
		return false
	}
	c.plan.Asked++
	return true
}

// exclusion names the filter that keeps a version of a bucket out of a
// manifest, and says why; "" if none does.
func exclusion(f *job.Filter, set *rule.Set, v *object.Version) (filter, why string) {
	if no, instead := f.Refuses(v); no != "" {
		return no, instead
	}
	if f == nil || f.EligibleForReplication == nil || !*f.EligibleForReplication || set != nil && len(set.SelectExisting(v)) > 0 {
		return "", ""
	}
	if set == nil {
		return "EligibleForReplication", "the bucket has no replication configuration"
	}
	no := set.Obstacle(v)
	if no.Cause == rule.OtherPrefix && len(set.Rules) > 1 {
		return "EligibleForReplication", "the key begins with no rule's prefix"
	}
	return "EligibleForReplication", "rule " + no.Rule.ID + ": " + no.String()
}

// tooMany is the refusal of a job that fails for its tasks: how many failed with
// which code.
func tooMany(o *job.Outcome) *refusal {
	no := &refusal{code: "FailureThresholdExceeded", reason: "More than 50 percent of the job's tasks failed."}
	o.Sort()
	for i := range o.Failures[:min(len(o.Failures), mostTold)] {
		no.more = append(no.more, o.Failures[i].Of(o.Succeeded+o.Failed))
	}
	return no
}
