package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"twinbucket/internal/verify"
	"twinbucket/job"
)

type jobPlanCommand struct {
	jobSpecFlags
	jobFlags
}

// Run says what a job would do.
func (c *jobPlanCommand) Run(ctx context.Context, s streams) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	spec, err := a.ask(ctx, &c.jobSpecFlags)
	if err != nil {
		return err
	}
	p, err := a.PlanJob(ctx, spec)
	if err != nil {
		return a.refused(err, spec)
	}
	if c.JSON {
		err = printJSON(s.out, p)
	} else {
		err = writePlan(s.out, spec.Operation, p)
	}
	switch {
	case err != nil:
		return err
	case len(p.Failures) > 0:
		if !c.JSON && checkable(spec) && !nothingToDo(p.Failures) {
			_, err = fmt.Fprintf(s.out, "What the job needs, and what is refused: %s\n", a.check(spec))
		}
		return cmp.Or(err, errEnded)
	case p.Foreseen.Failed > 0:
		return errTasks
	}
	return nil
}

// writePlan writes what a job of an operation will do.
func writePlan(out io.Writer, operation string, p *job.Plan) error {
	if p.Tasks == 0 && len(p.Failures) > 0 {
		return writeRefusal(out, p)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "objects\t%s of %s versions in %s, %s\n", verify.Thousands(p.Objects.Versions), verify.Thousands(p.Seen.Versions), p.Source, bytesText(p.Objects.Bytes))
	if p.DeleteMarkers > 0 {
		fmt.Fprintf(w, "delete markers\t%s\n", verify.Thousands(p.DeleteMarkers))
	}
	for _, d := range p.Foreseen.Destinations {
		fmt.Fprintf(w, "to %s\t%s\n", d.Bucket, destinationText(&d, "to be carried", "would fail"))
	}
	calls := verify.Thousands(p.Requests.Tasks) + " objects worked on"
	if len(p.Foreseen.Destinations) > 0 {
		calls += fmt.Sprintf(", %s written at destinations", verify.Thousands(p.Requests.Puts))
	}
	fmt.Fprintf(w, "calls\t%s\n", calls)
	fmt.Fprintf(w, "time\t%s\n", timeText(p))
	if err := w.Flush(); err != nil {
		return err
	}
	return writeRest(out, operation, p)
}

// writeRest writes what is not a task, what would fail, and what is not known.
func writeRest(out io.Writer, operation string, p *job.Plan) error {
	for i := range p.Excluded {
		if _, err := fmt.Fprintf(out, "  %s\n", p.Excluded[i].Of(p.Seen.Versions, p.Source)); err != nil {
			return err
		}
	}
	if err := writeCauses(out, "would fail with", p.Foreseen.Failures); err != nil {
		return err
	}
	switch {
	case p.Asked >= p.Tasks || len(p.Failures) > 0:
	case operation != job.ReplicateObject:
		fmt.Fprintf(out, "Permissions are not asked for %s: every object is taken as permitted.\n", operation)
	default:
		fmt.Fprintf(out, "Permissions were asked for %s of the %s objects; the others are taken as permitted.\n", verify.Thousands(p.Asked), verify.Thousands(p.Tasks))
	}
	return writeRefusal(out, p)
}

// writeRefusal writes why the job as a whole would fail.
func writeRefusal(out io.Writer, p *job.Plan) error {
	if len(p.Failures) > 0 {
		fmt.Fprintln(out, "The job would fail:")
	}
	return writeFailures(out, &job.Job{Failures: p.Failures})
}

// destinationText says what becomes of versions at a destination.
func destinationText(d *job.Destination, carried, failed string) string {
	first := fmt.Sprintf("rule %s: %s %s", d.Rule, verify.Thousands(d.Carried.Versions), carried)
	if d.Carried.Versions > 0 {
		first += ", " + bytesText(d.Carried.Bytes)
	}
	parts := []string{first}
	if d.There.Versions > 0 {
		parts = append(parts, verify.Thousands(d.There.Versions)+" there already")
	}
	if d.Failed.Versions > 0 {
		parts = append(parts, verify.Thousands(d.Failed.Versions)+" "+failed)
	}
	return strings.Join(parts, "; ")
}

func timeText(p *job.Plan) string {
	e := p.Estimate
	if e == nil {
		return "not known: this server has worked on no job that lasted"
	}
	from := "job"
	if e.Jobs != 1 {
		from = fmt.Sprintf("%d jobs", e.Jobs)
	}
	return fmt.Sprintf("about %v, at %.0f objects/s as in the latest %s", time.Duration(max(e.Seconds, 1))*time.Second, e.TasksPerSecond, from)
}

// writeCauses counts what failed by its code, with the reason of one of them,
// unless that is hidden from who may not list the versions of the bucket.
func writeCauses(out io.Writer, with string, causes []job.Cause) error {
	for _, c := range causes {
		text := fmt.Sprintf("  %s %s %s", verify.Thousands(c.Count), with, c.Code)
		if c.Key != "" {
			text += ", such as " + c.Key
		}
		if c.VersionID != "" {
			text += " (version " + c.VersionID + ")"
		}
		if c.Reason != "" {
			text += "\n    " + c.Reason
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
	return nil
}

// bytesText writes a number of bytes in the unit that suits it.
func bytesText(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if value /= 1 << 10; value < 1<<10 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
