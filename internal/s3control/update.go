package s3control

import (
	"strconv"

	"twinbucket/internal/wire"
	"twinbucket/job"
)

// updatePriority is UpdateJobPriority.
func (c *call) updatePriority() (*wire.Document, error) {
	text := c.query.Get("priority")
	priority, err := strconv.Atoi(text)
	if err != nil {
		return nil, bad("priority must be a number.").On(text)
	}
	if err := job.CheckPriority(priority); err != nil {
		return nil, err
	}
	if _, err := c.job("s3:UpdateJobPriority", map[string][]string{job.RequestPriority: {strconv.Itoa(priority)}}); err != nil {
		return nil, err
	}
	j, err := c.Engine.SetPriority(c.r.Context(), c.account, c.id, priority)
	if err != nil {
		return nil, err
	}
	d := wire.NewDocument()
	d.OpenNS("UpdateJobPriorityResult", namespace)
	d.Text("JobId", j.ID)
	d.Int("Priority", int64(j.Spec.Priority))
	d.Close("UpdateJobPriorityResult")
	return d, nil
}

// updateStatus is UpdateJobStatus.
func (c *call) updateStatus() (*wire.Document, error) {
	want, reason := job.State(c.query.Get("requestedJobStatus")), c.query.Get("statusUpdateReason")
	if _, err := job.Requested(want); err != nil {
		return nil, err
	}
	if c.query.Has("statusUpdateReason") && (reason == "" || len([]rune(reason)) > 256) {
		return nil, bad("statusUpdateReason must have 1 to 256 characters.")
	}
	if reason != legible(reason) {
		return nil, bad("statusUpdateReason must have characters that XML can carry.")
	}
	if _, err := c.job("s3:UpdateJobStatus", nil); err != nil {
		return nil, err
	}
	j, err := c.Engine.SetStatus(c.r.Context(), c.account, c.id, want, reason)
	if err != nil {
		return nil, err
	}
	d := wire.NewDocument()
	d.OpenNS("UpdateJobStatusResult", namespace)
	d.Text("JobId", j.ID)
	d.Text("Status", string(j.State))
	d.Optional("StatusUpdateReason", j.StatusReason)
	d.Close("UpdateJobStatusResult")
	return d, nil
}
