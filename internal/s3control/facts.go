package s3control

import (
	"maps"
	"slices"
	"strconv"

	"twinbucket/job"
	"twinbucket/object"
)

// The condition keys of jobs (Service Authorization Reference, "Actions,
// resources, and condition keys for Amazon S3").
const (
	requestOperation  = "s3:requestjoboperation"
	requestPriority   = "s3:requestjobpriority"
	existingOperation = "s3:existingjoboperation"
	existingPriority  = "s3:existingjobpriority"
	suspendedCause    = "s3:jobsuspendedcause"
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
	maps.Copy(facts, object.TagFacts(object.ResourceTag, listed(j.Tags)))
	return facts
}

// listed returns tags as a list.
func listed(tags map[string]string) []object.Tag {
	var out []object.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, object.Tag{Key: key, Value: tags[key]})
	}
	return out
}

// tagsAsked adds the condition keys of tags that the request sets.
func tagsAsked(facts map[string][]string, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	facts[tagKeys] = slices.Sorted(maps.Keys(tags))
	maps.Copy(facts, object.TagFacts(object.RequestTag, listed(tags)))
}
