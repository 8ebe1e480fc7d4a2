package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/report"
)

// Details returns all that is known of a job at this moment.
func (e *Engine) Details(ctx context.Context, account, id string) (*job.Details, error) {
	r, err := e.record(account, id)
	if err != nil {
		return nil, err
	}
	if !r.State.Terminal() {
		t, err := e.sofar(ctx, r)
		if err != nil {
			return nil, err
		}
		t.into(r)
	}
	out := &job.Details{Job: r.Job, Plan: r.Plan, Outcome: r.Outcome.Clone(), Waits: e.waits(&r.Job), Report: job.DeliveryOf(&r.Job)}
	out.Outcome.Sort()
	if r.State == job.Active {
		out.Pace = job.NewPace(r.Progress)
	}
	if r.Delivery != nil {
		kept := out.Report.KeptUntil
		out.Report = *r.Delivery
		out.Report.KeptUntil = kept
	}
	return out, nil
}

func (e *Engine) record(account, id string) (*record, error) {
	r, _, err := e.jobs.Get(name(account, id))
	if errors.Is(err, fault.NotFound) {
		return nil, job.NoSuchJob(id)
	}
	return &r, err
}

// sofar is what the results of a job add up to: the step under way
// knows, or what is stored does.
func (e *Engine) sofar(ctx context.Context, r *record) (*tally, error) {
	e.mu.Lock()
	d := e.drivers[name(r.Account, r.ID)]
	e.mu.Unlock()
	if d != nil {
		d.mu.Lock()
		now := d.now
		d.mu.Unlock()
		if now != nil {
			t := now()
			return &t, nil
		}
	}
	return e.tally(ctx, r)
}

// waits says what a job waits for; "" if for nothing.
func (e *Engine) waits(j *job.Job) string {
	switch j.State {
	case job.New, job.Preparing:
		return "its manifest is being prepared"
	case job.Suspended:
		return fmt.Sprintf("its user has to confirm it until %s: UpdateJobStatus with the status Ready", j.Suspended.Add(job.ConfirmWithin).Format(time.DateOnly))
	case job.Ready:
		return fmt.Sprintf("all of the %d slots are taken by jobs of priority %d or higher; a higher priority gets it one sooner", e.Slots, j.Spec.Priority)
	case job.Pausing, job.Paused:
		return "a job of higher priority has its slot; it goes on by itself when one is free"
	case job.Completing:
		return "its report is being written"
	}
	return ""
}

// WriteRows writes the report lines of the tasks that have run and have a
// status, all if it is "". It needs neither a report bucket nor the job's end.
func (e *Engine) WriteRows(ctx context.Context, account, id, status string, w io.Writer) error {
	r, err := e.record(account, id)
	if err != nil {
		return err
	}
	return e.copyResults(ctx, r.ID, w, status)
}

// Deliver writes the report of a job that has ended to its bucket once more. A
// refusal is Denied.
func (e *Engine) Deliver(ctx context.Context, account, id string) (*job.Delivery, error) {
	r, err := e.record(account, id)
	if err != nil {
		return nil, err
	}
	switch job.DeliveryOf(&r.Job).State {
	case job.ReportUnasked:
		return nil, fault.New(fault.Invalid, "InvalidRequest", "The job was not asked for a report.").On(id).
			WithHint("its rows can be fetched: GET /_twinbucket/jobs/%s/report", id)
	case job.ReportAwaited:
		return nil, fault.New(fault.Conflict, "JobStatusException", "The job has not ended.").On(id).
			WithHint("its report is written when it has; its rows can be fetched now")
	case job.ReportEmpty:
		return nil, fault.New(fault.Invalid, "InvalidRequest", "No task of the job was run.").On(id).
			WithHint("a report has a line for each task that was run")
	}
	d := &driver{e: e, name: name(account, id)}
	delivery, err := d.deliver(ctx, r)
	if err != nil {
		return nil, err
	}
	refused := delivery.State == job.ReportRefused
	if err := e.jobs.Update(ctx, d.name, func(r *record) error {
		if !refused || r.Delivery == nil || r.Delivery.State != job.ReportDelivered { // an earlier one stays there
			r.Delivery = delivery
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if refused {
		var why []string
		for _, f := range delivery.Reasons[1:] {
			why = append(why, f.Reason)
		}
		return nil, fault.New(fault.Denied, "AccessDenied", noReport).On(r.Spec.Report.Bucket).WithHint("%s", strings.Join(why, " "))
	}
	return delivery, nil
}

// deliver writes the report; what refuses it is in the delivery.
func (d *driver) deliver(ctx context.Context, r *record) (*job.Delivery, error) {
	out := &job.Delivery{State: job.ReportDelivered, Key: report.SummaryKey(r.Spec.Report.Prefix, r.ID), Time: d.e.Now().UTC()}
	out.Bucket, _ = arn.BucketName(r.Spec.Report.Bucket) // Validate has seen to it
	err := d.writeReport(ctx, r)
	if errors.Is(err, fault.Damaged) {
		err = refuse("ReportWriteNotPermitted", noReport, err)
	}
	if no := refusalOf(err); no != nil {
		no.more = append(no.more, fmt.Sprintf("what came of each object is kept for %d days: once this is mended, POST /_twinbucket/jobs/%s/report delivers the report", job.KeptFor/(24*time.Hour), r.ID))
		out.State, out.Reasons, err = job.ReportRefused, no.failures(), nil
	}
	return out, err
}
