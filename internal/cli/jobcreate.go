package cli

import (
	"context"
	"errors"
	"fmt"

	"twinbucket/fault"
	"twinbucket/job"
)

type jobCreateCommand struct {
	jobSpecFlags
	jobFlags
	Wait bool `help:"Watch the job to its end."`
}

// Run makes a job.
func (c *jobCreateCommand) Run(ctx context.Context, s streams) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	spec, err := a.ask(ctx, &c.jobSpecFlags)
	if err != nil {
		return err
	}
	id, err := a.CreateJob(ctx, a.account, spec)
	if err != nil {
		return a.refused(err, spec)
	}
	switch {
	case c.Wait:
		fmt.Fprintf(a.narration(s), "job %s: %s\n", id, doing(spec))
		return a.end(ctx, s, &watch{id: id, there: true}, 0)
	case c.JSON:
		made := job.Job{ID: id, Account: a.account, Region: a.Region()}
		return printJSON(s.out, struct {
			ID      string `json:"id"`
			ARN     string `json:"arn"`
			Account string `json:"account"`
			Region  string `json:"region"`
			Token   string `json:"token"`
		}{id, made.ARN(), made.Account, made.Region, spec.Token})
	}
	fmt.Fprintf(s.out, "job %s: %s\n", id, doing(spec))
	if spec.ConfirmationRequired {
		_, err = fmt.Fprintf(s.out, "  once its objects are known, it awaits your confirmation: %s\n", a.command("job", "run", id))
	} else {
		_, err = fmt.Fprintf(s.out, "  watch it: %s\n", a.command("job", "watch", id))
	}
	return err
}

// doing says what a job does.
func doing(spec *job.Spec) string {
	if spec.Operation == job.ReplicateObject {
		return "replicates " + selection(spec)
	}
	return spec.Operation + " of " + selection(spec)
}

// refused adds to a refusal of CreateJob the command that says all that the
// job needs.
func (a *jobs) refused(err error, spec *job.Spec) error {
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Denied || !checkable(spec) {
		return err
	}
	hint := "all that the job needs: " + a.check(spec)
	if e.Hint != "" {
		hint = e.Hint + "; " + hint
	}
	told := *e
	told.Hint = hint
	return &told
}
