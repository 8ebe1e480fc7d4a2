package replicate

import (
	"sync"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/object"
	"twinbucket/rule"
)

// sessions assumes roles and asks what their sessions may do.
type sessions struct {
	iam *iam.Service
	now func() time.Time

	mu       sync.Mutex
	revision uint64 // of the identities that the sessions rest on
	open     map[string]session
}

type session struct {
	caller *iam.Caller
	until  time.Time
}

// lasting is how long a session lasts before its role is assumed anew.
const lasting = time.Hour

// of returns a session of a role, which its trust policy must grant to S3.
func (s *sessions) of(role string) (*iam.Caller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.iam.Revision(); r != s.revision || s.open == nil {
		s.revision, s.open = r, make(map[string]session)
	}
	now := s.now()
	if have, ok := s.open[role]; ok && now.Before(have.until) {
		return have.caller, nil
	}
	// A refusal is not kept: the trust policy may say another thing later.
	caller, err := s.iam.AssumeForService(role, rule.Service, "s3-replication", nil)
	if err == nil {
		s.open[role] = session{caller, now.Add(lasting)}
	}
	return caller, err
}

// step is one action that a replication needs, and the failure code that AWS
// gives when it is not allowed.
type step struct {
	action   string
	bucket   *bucket.Bucket
	resource string
	code     string
}

// kinds are the kinds of the failure codes that the engine gives.
var kinds = map[string]fault.Kind{
	"AssumeRoleNotPermitted":            fault.Denied,
	"SrcBucketReplicationConfigMissing": fault.NotFound,
	"SrcHeadObjectNotPermitted":         fault.Denied,
	"SrcGetObjectNotPermitted":          fault.Denied,
	"SrcGetAclNotPermitted":             fault.Denied,
	"SrcGetTaggingNotPermitted":         fault.Denied,
	"SrcGetRetentionNotPermitted":       fault.Denied,
	"SrcGetLegalHoldNotPermitted":       fault.Denied,
	"SrcVersionNotFound":                fault.NotFound,
	"SrcObjectNotFound":                 fault.NotFound,
	"DstBucketNotFound":                 fault.NotFound,
	"DstPutObjectNotPermitted":          fault.Denied,
	"DstPutTaggingNotPermitted":         fault.Denied,
	"DstPutRetentionNotPermitted":       fault.Denied,
	"DstPutLegalHoldNotPermitted":       fault.Denied,
	"DstDelObjNotPermitted":             fault.Denied,
	"InitiateReplicationNotPermitted":   fault.Denied,
}

// steps are the actions needed to carry a version from src to dst, in AWS's
// order (S3 User Guide, "Setting up permissions for live replication"). The
// action that AWS accepts in place of another is in permit.
func steps(src, dst *bucket.Bucket, r *rule.Rule, v *object.Version) []step {
	from, to := arn.Object(src.Name, v.Key), arn.Object(dst.Name, v.Key)
	out := []step{{"s3:GetReplicationConfiguration", src, src.ARN(), "SrcBucketReplicationConfigMissing"}}
	if v.Marker {
		return append(out,
			step{"s3:ListBucket", src, src.ARN(), "SrcHeadObjectNotPermitted"},
			step{"s3:ReplicateDelete", dst, to, "DstDelObjNotPermitted"})
	}
	out = append(out,
		step{"s3:GetObjectVersionForReplication", src, from, "SrcGetObjectNotPermitted"},
		step{"s3:GetObjectVersionAcl", src, from, "SrcGetAclNotPermitted"},
		step{"s3:GetObjectVersionTagging", src, from, "SrcGetTaggingNotPermitted"})
	if src.Locked() {
		out = append(out,
			step{"s3:GetObjectRetention", src, from, "SrcGetRetentionNotPermitted"},
			step{"s3:GetObjectLegalHold", src, from, "SrcGetLegalHoldNotPermitted"})
	}
	out = append(out, step{"s3:ReplicateObject", dst, to, "DstPutObjectNotPermitted"})
	if r.Destination.OwnerOverride && !dst.OwnerEnforced() {
		out = append(out, step{"s3:ObjectOwnerOverrideToBucketOwner", dst, to, "DstPutObjectNotPermitted"})
	}
	if len(v.Tags) > 0 {
		out = append(out, step{"s3:ReplicateTags", dst, to, "DstPutTaggingNotPermitted"})
	}
	if v.Lock.Mode != "" {
		out = append(out, step{"s3:PutObjectRetention", dst, to, "DstPutRetentionNotPermitted"})
	}
	if v.Lock.Hold {
		out = append(out, step{"s3:PutObjectLegalHold", dst, to, "DstPutLegalHoldNotPermitted"})
	}
	return out
}

// permit reports whether a session may take a step with v; the error has the
// step's failure code, and says which document refused and what would mend it.
func (s *sessions) permit(c *iam.Caller, st step, v *object.Version) error {
	access := iam.Access{
		Action: st.action, Resource: st.resource,
		ResourceAccount: st.bucket.Owner, Policy: st.bucket.Documents[bucket.Policy], Block: st.bucket.Documents[bucket.PublicAccessBlock],
	}
	if len(v.Tags) > 0 && st.bucket.Name == v.Bucket {
		access.Context = object.TagFacts(v.Tags)
	}
	decision, request := s.iam.Decide(c, access)
	if decision.Allowed {
		return nil
	}
	switch st.action {
	case "s3:GetObjectVersionForReplication":
		// Enough for what is not encrypted under a customer's key.
		access.Action = "s3:GetObjectVersion"
		if instead, _ := s.iam.Decide(c, access); instead.Allowed && !decision.Explicit {
			return nil
		}
	case "s3:ReplicateTags", "s3:PutObjectRetention", "s3:PutObjectLegalHold":
		// The right to write the replica writes its tags and its lock; only a
		// Deny stops them.
		if !decision.Explicit {
			return nil
		}
	}
	return recode(st.code, decision.Err(request))
}

// recode gives a refusal the failure code of replication.
func recode(code string, err error) error {
	return &fault.Error{Kind: kinds[code], Code: code, Message: fault.MessageOf(err), Hint: fault.HintOf(err), Err: err}
}
