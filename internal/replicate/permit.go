package replicate

import (
	"sync"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/policy"
	"twinbucket/rule"
)

// sessions assumes roles and asks what their sessions may do.
type sessions struct {
	iam  *iam.Service
	keys keys
	now  func() time.Time

	mu       sync.Mutex
	revision uint64 // of the identities that the sessions rest on
	open     map[errand]session
}

// errand is for what a role is assumed.
type errand struct{ role, bucket, owner string }

type session struct {
	caller *iam.Caller
	until  time.Time
}

// lasting is how long a session lasts before its role is assumed anew.
const lasting = time.Hour

// of returns a session of a role, which its trust policy must grant to S3 that
// comes for the bucket src.
func (s *sessions) of(role string, src *bucket.Bucket) (*iam.Caller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.iam.Revision(); r != s.revision || s.open == nil {
		s.revision, s.open = r, make(map[errand]session)
	}
	now := s.now()
	id := errand{role, src.Name, src.Owner}
	if have, ok := s.open[id]; ok && now.Before(have.until) {
		return have.caller, nil
	}
	// A refusal is not kept: the trust policy may say another thing later.
	caller, err := s.iam.AssumeForService(role, rule.Service, "s3-replication", map[string][]string{
		"aws:sourcearn": {src.ARN()}, "aws:sourceaccount": {src.Owner},
	})
	if err == nil {
		s.open[id] = session{caller, now.Add(lasting)}
	}
	return caller, err
}

// kinds are the kinds of the failure codes that a version or a task can end
// with here. docs/failures.md tells of each, and of those of AWS that do not occur.
var kinds = map[string]fault.Kind{
	"AssumeRoleNotPermitted":            fault.Denied,
	"SrcBucketNotFound":                 fault.NotFound,
	"SrcBucketReplicationConfigMissing": fault.NotFound,
	"SrcHeadObjectNotPermitted":         fault.Denied,
	"SrcGetObjectNotPermitted":          fault.Denied,
	"SrcKmsKeyInvalidState":             fault.Conflict,
	"SrcGetAclNotPermitted":             fault.Denied,
	"SrcGetTaggingNotPermitted":         fault.Denied,
	"SrcGetRetentionNotPermitted":       fault.Denied,
	"SrcGetLegalHoldNotPermitted":       fault.Denied,
	"SrcVersionNotFound":                fault.NotFound,
	"SrcKeyNotFound":                    fault.NotFound,
	"SrcObjectNotFound":                 fault.NotFound,
	"SrcObjectNotEligible":              fault.Invalid,
	"DstBucketNotFound":                 fault.NotFound,
	"DstKmsKeyNotFound":                 fault.NotFound,
	"DstKmsKeyInvalidState":             fault.Conflict,
	"DstVersionNotFound":                fault.NotFound,
	"DstBucketUnversioned":              fault.Conflict,
	"DstBucketObjectLockConfigMissing":  fault.Conflict,
	"DstObjectHardDeleted":              fault.Conflict,
	"DstMultipartInitNotPermitted":      fault.Denied,
	"DstPutObjectNotPermitted":          fault.Denied,
	"DstPutTaggingNotPermitted":         fault.Denied,
	"DstPutAclNotPermitted":             fault.Denied,
	"DstPutRetentionNotPermitted":       fault.Denied,
	"DstPutLegalHoldNotPermitted":       fault.Denied,
	"DstDelObjNotPermitted":             fault.Denied,
	"InitiateReplicationNotPermitted":   fault.Denied,
}

// permit reports whether a session may do what replication needs; facts are the
// condition keys of the request. The error has the need's failure code, and says
// which document refused and what would mend it.
func (s *sessions) permit(c *iam.Caller, n rule.Need, facts map[string][]string) error {
	access, explain := iam.Access{
		Action: n.Action, Resource: n.Resource,
		ResourceAccount: n.Bucket.Owner, Policy: n.Bucket.Documents[bucket.Policy], Block: n.Bucket.Documents[bucket.PublicAccessBlock], Context: facts,
	}, policy.Decision.Err
	if n.KeyFacts != nil {
		var err error
		if access, err = s.onKey(c, n); err != nil {
			return recode(n.Code, err)
		}
		explain = iam.KeyError
	}
	decision, request := s.iam.Decide(c, access)
	if decision.Allowed || n.Implied && !decision.Explicit {
		return nil
	}
	if n.Instead != "" && !decision.Explicit {
		access.Action = n.Instead
		if instead, _ := s.iam.Decide(c, access); instead.Allowed {
			return nil
		}
	}
	return recode(n.Code, explain(decision, request))
}

// recode gives a refusal the failure code of replication.
func recode(code string, err error) error {
	return &fault.Error{Kind: kinds[code], Code: code, Message: fault.MessageOf(err), Hint: fault.HintOf(err), Err: err}
}
