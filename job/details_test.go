package job_test

import (
	"testing"

	"twinbucket/job"
)

// TestDeliveryOf: a job says something of its report in all of its states.
func TestDeliveryOf(t *testing.T) {
	t.Parallel()
	asked, ran := job.Spec{Report: job.Report{Enabled: true}}, job.Progress{Total: 2, Succeeded: 1}
	for name, c := range map[string]struct {
		j    job.Job
		want string
	}{
		"not asked for":               {job.Job{State: job.Complete, Progress: ran}, job.ReportUnasked},
		"not ended":                   {job.Job{State: job.Completing, Spec: asked, Progress: ran}, job.ReportAwaited},
		"no task was run":             {job.Job{State: job.Failed, Spec: asked}, job.ReportEmpty},
		"ended and nothing was noted": {job.Job{State: job.Cancelled, Spec: asked, Progress: ran}, job.ReportUnrecorded},
	} {
		d := job.DeliveryOf(&c.j)
		if d.State != c.want || d.KeptUntil.IsZero() == c.j.State.Terminal() {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
