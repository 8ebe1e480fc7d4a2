package client

import (
	"maps"
	"slices"
	"time"

	"twinbucket/job"
	"twinbucket/object"
)

// jobOperation is the operation of a job: one of its elements, or one that is
// not known here, by its name alone.
type jobOperation struct {
	Replicate     *struct{}     `xml:"S3ReplicateObject"`
	Copy          *jobCopy      `xml:"S3PutObjectCopy"`
	Tagging       *jobTagging   `xml:"S3PutObjectTagging"`
	DeleteTagging *struct{}     `xml:"S3DeleteObjectTagging"`
	ACL           *jobACL       `xml:"S3PutObjectAcl"`
	LegalHold     *jobLegalHold `xml:"S3PutObjectLegalHold"`
	Retention     *jobRetention `xml:"S3PutObjectRetention"`
	Other         []named       `xml:",any"`
}

type jobTagging struct{ TagSet jobTags }

type jobLegalHold struct {
	Status string `xml:"LegalHold>Status"`
}

type jobRetention struct {
	BypassGovernanceRetention *bool
	Retention                 struct {
		RetainUntilDate *time.Time
		Mode            string `xml:",omitempty"`
	}
}

type jobACL struct {
	AccessControlPolicy struct {
		AccessControlList *struct {
			Owner struct {
				ID          string
				DisplayName string `xml:",omitempty"`
			}
			Grants jobGrants
		}
		CannedAccessControlList string `xml:",omitempty"`
	}
}

type jobGrants struct {
	Member []jobGrant `xml:"member"`
}

type jobGrant struct {
	Grantee struct {
		TypeIdentifier string
		Identifier     string
		DisplayName    string `xml:",omitempty"`
	}
	Permission string
}

type jobCopy struct {
	TargetResource            string
	CannedAccessControlList   string `xml:",omitempty"`
	AccessControlGrants       *jobGrants
	MetadataDirective         string `xml:",omitempty"`
	ModifiedSinceConstraint   *time.Time
	NewObjectMetadata         *jobMetadata
	NewObjectTagging          *jobTags
	RedirectLocation          string `xml:",omitempty"`
	RequesterPays             *bool
	StorageClass              string `xml:",omitempty"`
	UnModifiedSinceConstraint *time.Time
	SSEAwsKmsKeyID            string `xml:"SSEAwsKmsKeyId,omitempty"`
	TargetKeyPrefix           string `xml:",omitempty"`
	ObjectLockLegalHoldStatus string `xml:",omitempty"`
	ObjectLockMode            string `xml:",omitempty"`
	ObjectLockRetainUntilDate *time.Time
	BucketKeyEnabled          *bool
	ChecksumAlgorithm         string `xml:",omitempty"`
}

type jobMetadata struct {
	CacheControl       string `xml:",omitempty"`
	ContentDisposition string `xml:",omitempty"`
	ContentEncoding    string `xml:",omitempty"`
	ContentLanguage    string `xml:",omitempty"`
	UserMetadata       *jobUserMetadata
	ContentType        string     `xml:",omitempty"`
	Expires            *time.Time `xml:"HttpExpiresDate"`
	SSEAlgorithm       string     `xml:",omitempty"`
}

type jobUserMetadata struct {
	Entry []jobMetadataEntry `xml:"entry"`
}

type jobMetadataEntry struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// operationOf returns the element of a spec's operation.
func operationOf(s *job.Spec) (o jobOperation) {
	switch s.Operation {
	case job.ReplicateObject:
		o.Replicate = &struct{}{}
	case job.PutObjectCopy:
		o.Copy = copyOf(s.Copy)
	case job.PutObjectTagging:
		o.Tagging = &jobTagging{jobTags{s.Tagging}}
	case job.DeleteObjectTagging:
		o.DeleteTagging = &struct{}{}
	case job.PutObjectACL:
		o.ACL = aclOf(s.ACL)
	case job.PutObjectLegalHold:
		o.LegalHold = &jobLegalHold{s.LegalHold}
	case job.PutObjectRetention:
		o.Retention = &jobRetention{}
		if r := s.Retention; r != nil {
			o.Retention.BypassGovernanceRetention = r.Bypass
			o.Retention.Retention.RetainUntilDate, o.Retention.Retention.Mode = r.Until, r.Mode
		}
	default:
		o.Other = element(s.Operation)
	}
	return o
}

func aclOf(a *job.ACL) *jobACL {
	out := &jobACL{}
	if a == nil {
		return out
	}
	p := &out.AccessControlPolicy
	p.CannedAccessControlList = a.Canned
	if a.Owner != "" || a.Grants != nil {
		p.AccessControlList = &struct {
			Owner struct {
				ID          string
				DisplayName string `xml:",omitempty"`
			}
			Grants jobGrants
		}{}
		l := p.AccessControlList
		l.Owner.ID, l.Owner.DisplayName, l.Grants = a.Owner, a.OwnerName, grantsOf(a.Grants)
	}
	return out
}

func grantsOf(grants []job.Grant) (out jobGrants) {
	for _, g := range grants {
		m := jobGrant{Permission: g.Permission}
		m.Grantee.TypeIdentifier, m.Grantee.Identifier, m.Grantee.DisplayName = g.Type, g.Identifier, g.DisplayName
		out.Member = append(out.Member, m)
	}
	return out
}

func copyOf(c *job.Copy) *jobCopy {
	if c == nil {
		return &jobCopy{}
	}
	out := &jobCopy{
		TargetResource: c.Target, CannedAccessControlList: c.CannedACL, MetadataDirective: c.MetadataDirective,
		ModifiedSinceConstraint: c.ModifiedSince, RedirectLocation: c.RedirectLocation, RequesterPays: c.RequesterPays,
		StorageClass: c.StorageClass, UnModifiedSinceConstraint: c.UnmodifiedSince, SSEAwsKmsKeyID: c.KMSKeyID,
		TargetKeyPrefix: c.KeyPrefix, ObjectLockLegalHoldStatus: c.LegalHold, ObjectLockMode: c.LockMode,
		ObjectLockRetainUntilDate: c.RetainUntil, BucketKeyEnabled: c.BucketKeyEnabled, ChecksumAlgorithm: c.ChecksumAlgorithm,
	}
	if len(c.Grants) > 0 {
		grants := grantsOf(c.Grants)
		out.AccessControlGrants = &grants
	}
	if c.Tagging != nil {
		out.NewObjectTagging = &jobTags{c.Tagging}
	}
	if m := c.Metadata; m != nil {
		out.NewObjectMetadata = &jobMetadata{
			CacheControl: m.CacheControl, ContentDisposition: m.ContentDisposition, ContentEncoding: m.ContentEncoding,
			ContentLanguage: m.ContentLanguage, ContentType: m.ContentType, Expires: m.Expires, SSEAlgorithm: m.SSEAlgorithm,
		}
		if len(m.User) > 0 {
			user := &jobUserMetadata{}
			for _, name := range slices.Sorted(maps.Keys(m.User)) {
				user.Entry = append(user.Entry, jobMetadataEntry{name, m.User[name]})
			}
			out.NewObjectMetadata.UserMetadata = user
		}
	}
	return out
}

// into sets the operation of a spec.
func (o *jobOperation) into(s *job.Spec) {
	switch {
	case o.Replicate != nil:
		s.Operation = job.ReplicateObject
	case o.Copy != nil:
		s.Operation, s.Copy = job.PutObjectCopy, o.Copy.noun()
	case o.Tagging != nil:
		s.Operation, s.Tagging = job.PutObjectTagging, o.Tagging.TagSet.noun()
	case o.DeleteTagging != nil:
		s.Operation = job.DeleteObjectTagging
	case o.ACL != nil:
		s.Operation, s.ACL = job.PutObjectACL, o.ACL.noun()
	case o.LegalHold != nil:
		s.Operation, s.LegalHold = job.PutObjectLegalHold, o.LegalHold.Status
	case o.Retention != nil:
		r := &o.Retention.Retention
		s.Operation = job.PutObjectRetention
		s.Retention = &job.Retention{Mode: r.Mode, Until: r.RetainUntilDate, Bypass: o.Retention.BypassGovernanceRetention}
	default:
		s.Operation = nameOf(o.Other)
	}
}

// noun returns the tags, which are not nil: a set without any is one.
func (t *jobTags) noun() []object.Tag { return append([]object.Tag{}, t.Member...) }

func (a *jobACL) noun() *job.ACL {
	out := &job.ACL{Canned: a.AccessControlPolicy.CannedAccessControlList}
	if l := a.AccessControlPolicy.AccessControlList; l != nil {
		out.Owner, out.OwnerName = l.Owner.ID, l.Owner.DisplayName
		out.Grants = append([]job.Grant{}, l.Grants.noun()...)
	}
	return out
}

func (g *jobGrants) noun() (out []job.Grant) {
	if g == nil {
		return nil
	}
	for _, m := range g.Member {
		out = append(out, job.Grant{
			Type: m.Grantee.TypeIdentifier, Identifier: m.Grantee.Identifier, DisplayName: m.Grantee.DisplayName, Permission: m.Permission,
		})
	}
	return out
}

func (c *jobCopy) noun() *job.Copy {
	out := &job.Copy{
		Target: c.TargetResource, KeyPrefix: c.TargetKeyPrefix, StorageClass: c.StorageClass, MetadataDirective: c.MetadataDirective,
		CannedACL: c.CannedAccessControlList, Grants: c.AccessControlGrants.noun(),
		ModifiedSince: c.ModifiedSinceConstraint, UnmodifiedSince: c.UnModifiedSinceConstraint,
		KMSKeyID: c.SSEAwsKmsKeyID, BucketKeyEnabled: c.BucketKeyEnabled, ChecksumAlgorithm: c.ChecksumAlgorithm,
		LegalHold: c.ObjectLockLegalHoldStatus, LockMode: c.ObjectLockMode, RetainUntil: c.ObjectLockRetainUntilDate,
		RedirectLocation: c.RedirectLocation, RequesterPays: c.RequesterPays,
	}
	if c.NewObjectTagging != nil {
		out.Tagging = c.NewObjectTagging.noun()
	}
	if m := c.NewObjectMetadata; m != nil {
		out.Metadata = &job.Metadata{
			CacheControl: m.CacheControl, ContentDisposition: m.ContentDisposition, ContentEncoding: m.ContentEncoding,
			ContentLanguage: m.ContentLanguage, ContentType: m.ContentType, Expires: m.Expires, SSEAlgorithm: m.SSEAlgorithm,
		}
		if m.UserMetadata != nil {
			out.Metadata.User = make(map[string]string, len(m.UserMetadata.Entry))
			for _, e := range m.UserMetadata.Entry {
				out.Metadata.User[e.Key] = e.Value
			}
		}
	}
	return out
}
