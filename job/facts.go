package job

import (
	"maps"
	"slices"
	"strconv"

	"twinbucket/object"
)

// The condition keys of jobs (Service Authorization Reference, "Actions,
// resources, and condition keys for Amazon S3").
const (
	RequestPriority = "s3:requestjobpriority" // that a request asks for

	requestOperation  = "s3:requestjoboperation"
	existingOperation = "s3:existingjoboperation"
	existingPriority  = "s3:existingjobpriority"
	suspendedCause    = "s3:jobsuspendedcause"
	tagKeys           = "aws:tagkeys"
)

// Facts returns the condition keys of a request that asks for such a job.
func (s *Spec) Facts() map[string][]string {
	facts := map[string][]string{
		requestOperation: {s.Operation}, RequestPriority: {strconv.Itoa(s.Priority)},
	}
	maps.Copy(facts, TagFacts(s.Tags))
	return facts
}

// Facts returns the condition keys of a job that is there.
func (j *Job) Facts() map[string][]string {
	facts := map[string][]string{
		existingOperation: {j.Spec.Operation},
		existingPriority:  {strconv.Itoa(j.Spec.Priority)},
	}
	if j.State == Suspended {
		facts[suspendedCause] = []string{j.SuspendedCause}
	}
	maps.Copy(facts, object.TagFacts(object.ResourceTag, listed(j.Tags)))
	return facts
}

// TagFacts returns the condition keys of tags that a request sets.
func TagFacts(tags map[string]string) map[string][]string {
	if len(tags) == 0 {
		return nil
	}
	facts := object.TagFacts(object.RequestTag, listed(tags))
	facts[tagKeys] = slices.Sorted(maps.Keys(tags))
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
