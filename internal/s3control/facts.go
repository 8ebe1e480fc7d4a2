package s3control

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"twinbucket/job"
)

// The condition keys of jobs (Service Authorization Reference, "Actions,
// resources, and condition keys for Amazon S3").
const (
	requestOperation  = "s3:requestjoboperation"
	requestPriority   = "s3:requestjobpriority"
	existingOperation = "s3:existingjoboperation"
	existingPriority  = "s3:existingjobpriority"
	suspendedCause    = "s3:jobsuspendedcause"
	requestTag        = "aws:requesttag/"
	resourceTag       = "aws:resourcetag/"
	tagKeys           = "aws:tagkeys"
)

// existing returns the condition keys of a job that is there.
func existing(j *job.Job) map[string][]string {
	facts := map[string][]string{
		existingOperation: {j.Spec.Operation},
		existingPriority:  {strconv.Itoa(j.Spec.Priority)},
	}
	if j.State == job.Suspended {
		facts[suspendedCause] = []string{j.SuspendedCause}
	}
	for k, v := range j.Tags {
		facts[resourceTag+strings.ToLower(k)] = []string{v}
	}
	return facts
}

// tagsAsked adds the condition keys of tags that the request sets.
func tagsAsked(facts map[string][]string, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	facts[tagKeys] = slices.Sorted(maps.Keys(tags))
	for k, v := range tags {
		facts[requestTag+strings.ToLower(k)] = []string{v}
	}
}
