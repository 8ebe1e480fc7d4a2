package s3control

import (
	"maps"
	"slices"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/markup"
	"twinbucket/object"
)

// operation reads the one operation, which a job is about.
func (r reader) operation(e *markup.Element, s *job.Spec) {
	if e == nil {
		return
	}
	if len(e.Kids) != 1 {
		r.Refuse(bad("Exactly one operation must be specified."))
		return
	}
	r.Read(e, e.Kids[0].Name)
	e = e.Kids[0]
	switch s.Operation = e.Name; s.Operation {
	case job.ReplicateObject, job.DeleteObjectTagging:
		r.Read(e)
	case job.PutObjectCopy:
		s.Copy = r.copies(e)
	case job.PutObjectTagging:
		s.Tagging = r.tagSet(r.read(e, "TagSet").Child("TagSet"))
	case job.PutObjectACL:
		s.ACL = r.acl(e)
	case job.PutObjectLegalHold:
		s.LegalHold = r.read(r.read(e, "LegalHold").Child("LegalHold"), "Status").text("Status")
	case job.PutObjectRetention:
		s.Retention = r.retention(e)
	default:
		if !job.KnownOperation(s.Operation) {
			r.Fail("%s is no operation of batch jobs", s.Operation)
		}
	}
}

func (r reader) copies(e *markup.Element) *job.Copy {
	r = r.read(e, "TargetResource", "CannedAccessControlList", "AccessControlGrants", "MetadataDirective", "ModifiedSinceConstraint",
		"NewObjectMetadata", "NewObjectTagging", "RedirectLocation", "RequesterPays", "StorageClass", "UnModifiedSinceConstraint",
		"SSEAwsKmsKeyId", "TargetKeyPrefix", "ObjectLockLegalHoldStatus", "ObjectLockMode", "ObjectLockRetainUntilDate",
		"BucketKeyEnabled", "ChecksumAlgorithm")
	c := &job.Copy{
		Target: r.text("TargetResource"), KeyPrefix: r.text("TargetKeyPrefix"), StorageClass: r.text("StorageClass"),
		MetadataDirective: r.text("MetadataDirective"), Metadata: r.metadata(r.Child("NewObjectMetadata")),
		CannedACL: r.text("CannedAccessControlList"), Grants: r.grants("AccessControlGrants"),
		ModifiedSince: r.moment("ModifiedSinceConstraint"), UnmodifiedSince: r.moment("UnModifiedSinceConstraint"),
		KMSKeyID: r.text("SSEAwsKmsKeyId"), BucketKeyEnabled: r.flag("BucketKeyEnabled"), ChecksumAlgorithm: r.text("ChecksumAlgorithm"),
		LegalHold: r.text("ObjectLockLegalHoldStatus"), LockMode: r.text("ObjectLockMode"), RetainUntil: r.moment("ObjectLockRetainUntilDate"),
		RedirectLocation: r.text("RedirectLocation"), RequesterPays: r.flag("RequesterPays"),
	}
	if e := r.Child("NewObjectTagging"); e != nil {
		c.Tagging = r.tagSet(e)
	}
	return c
}

func (r reader) metadata(e *markup.Element) *job.Metadata {
	if e == nil {
		return nil
	}
	r = r.read(e, "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "UserMetadata", "ContentLength",
		"ContentMD5", "ContentType", "HttpExpiresDate", "RequesterCharged", "SSEAlgorithm")
	if is, _ := r.Bool("RequesterCharged"); is || r.Child("ContentLength") != nil || r.Child("ContentMD5") != nil {
		r.Refuse(fault.New(fault.Unsupported, "NotImplemented", "ContentLength, ContentMD5 and RequesterCharged of NewObjectMetadata are not implemented.").
			WithHint("AWS has deprecated them; leave them out"))
	}
	m := &job.Metadata{
		CacheControl: r.text("CacheControl"), ContentDisposition: r.text("ContentDisposition"), ContentEncoding: r.text("ContentEncoding"),
		ContentLanguage: r.text("ContentLanguage"), ContentType: r.text("ContentType"), Expires: r.moment("HttpExpiresDate"),
		SSEAlgorithm: r.text("SSEAlgorithm"),
	}
	for _, e := range r.Read(r.Child("UserMetadata"), "entry+").All("entry") {
		entry := r.read(e, "key", "value")
		value := entry.Raw("value")
		if value == nil {
			entry.Refuse(bad("An entry of UserMetadata has a key and a value."))
			return m
		}
		key := entry.text("key")
		if _, twice := m.User[key]; twice {
			entry.Refuse(bad("UserMetadata has two entries with the same key.").On(key))
		}
		if m.User == nil {
			m.User = make(map[string]string)
		}
		m.User[key] = *value
	}
	return m
}

func (r reader) grants(name string) (grants []job.Grant) {
	for _, e := range r.Read(r.Child(name), "member+").All("member") {
		m := r.read(e, "Grantee", "Permission")
		to := r.read(m.Child("Grantee"), "TypeIdentifier", "Identifier", "DisplayName")
		grants = append(grants, job.Grant{
			Type: to.text("TypeIdentifier"), Identifier: to.text("Identifier"), DisplayName: to.text("DisplayName"), Permission: m.text("Permission"),
		})
	}
	return grants
}

func (r reader) acl(e *markup.Element) *job.ACL {
	e = r.read(e, "AccessControlPolicy").Child("AccessControlPolicy")
	if e == nil {
		return nil
	}
	r = r.read(e, "AccessControlList", "CannedAccessControlList")
	a := &job.ACL{Canned: r.text("CannedAccessControlList")}
	if e := r.Child("AccessControlList"); e != nil {
		list := r.read(e, "Owner", "Grants")
		owner := r.read(list.Child("Owner"), "ID", "DisplayName")
		a.Owner, a.OwnerName = owner.text("ID"), owner.text("DisplayName")
		a.Grants = append([]job.Grant{}, list.grants("Grants")...)
	}
	return a
}

func (r reader) retention(e *markup.Element) *job.Retention {
	r = r.read(e, "BypassGovernanceRetention", "Retention")
	e = r.Child("Retention")
	if e == nil {
		return nil
	}
	to := r.read(e, "RetainUntilDate", "Mode")
	return &job.Retention{Mode: to.text("Mode"), Until: to.moment("RetainUntilDate"), Bypass: r.flag("BypassGovernanceRetention")}
}

// flag returns a child's truth, nil if there is no such child.
func (r reader) flag(name string) *bool {
	is, ok := r.Bool(name)
	if !ok {
		return nil
	}
	return &is
}

// writeOperation writes the operation of a job as it was given.
func writeOperation(d *wire.Document, s *job.Spec) {
	d.Open("Operation")
	d.Open(s.Operation)
	switch s.Operation {
	case job.PutObjectCopy:
		writeCopy(d, s.Copy)
	case job.PutObjectTagging:
		writeTagSet(d, "TagSet", s.Tagging)
	case job.PutObjectACL:
		d.Open("AccessControlPolicy")
		if s.ACL.Grants != nil {
			d.Open("AccessControlList")
			d.Open("Owner")
			d.Text("ID", s.ACL.Owner)
			d.Optional("DisplayName", s.ACL.OwnerName)
			d.Close("Owner")
			writeGrants(d, "Grants", s.ACL.Grants)
			d.Close("AccessControlList")
		}
		d.Optional("CannedAccessControlList", s.ACL.Canned)
		d.Close("AccessControlPolicy")
	case job.PutObjectLegalHold:
		d.Open("LegalHold")
		d.Text("Status", s.LegalHold)
		d.Close("LegalHold")
	case job.PutObjectRetention:
		writeFlag(d, "BypassGovernanceRetention", s.Retention.Bypass)
		d.Open("Retention")
		writeTime(d, "RetainUntilDate", s.Retention.Until)
		d.Optional("Mode", s.Retention.Mode)
		d.Close("Retention")
	}
	d.Close(s.Operation)
	d.Close("Operation")
}

func writeCopy(d *wire.Document, c *job.Copy) {
	d.Text("TargetResource", c.Target)
	d.Optional("CannedAccessControlList", c.CannedACL)
	if len(c.Grants) > 0 {
		writeGrants(d, "AccessControlGrants", c.Grants)
	}
	d.Optional("MetadataDirective", c.MetadataDirective)
	writeTime(d, "ModifiedSinceConstraint", c.ModifiedSince)
	if m := c.Metadata; m != nil {
		d.Open("NewObjectMetadata")
		d.Optional("CacheControl", m.CacheControl)
		d.Optional("ContentDisposition", m.ContentDisposition)
		d.Optional("ContentEncoding", m.ContentEncoding)
		d.Optional("ContentLanguage", m.ContentLanguage)
		if len(m.User) > 0 {
			d.Open("UserMetadata")
			for _, name := range slices.Sorted(maps.Keys(m.User)) {
				d.Open("entry")
				d.Text("key", name)
				d.Text("value", m.User[name])
				d.Close("entry")
			}
			d.Close("UserMetadata")
		}
		d.Optional("ContentType", m.ContentType)
		writeTime(d, "HttpExpiresDate", m.Expires)
		d.Optional("SSEAlgorithm", m.SSEAlgorithm)
		d.Close("NewObjectMetadata")
	}
	if c.Tagging != nil {
		writeTagSet(d, "NewObjectTagging", c.Tagging)
	}
	d.Optional("RedirectLocation", c.RedirectLocation)
	writeFlag(d, "RequesterPays", c.RequesterPays)
	d.Optional("StorageClass", c.StorageClass)
	writeTime(d, "UnModifiedSinceConstraint", c.UnmodifiedSince)
	d.Optional("SSEAwsKmsKeyId", c.KMSKeyID)
	d.Optional("TargetKeyPrefix", c.KeyPrefix)
	d.Optional("ObjectLockLegalHoldStatus", c.LegalHold)
	d.Optional("ObjectLockMode", c.LockMode)
	writeTime(d, "ObjectLockRetainUntilDate", c.RetainUntil)
	writeFlag(d, "BucketKeyEnabled", c.BucketKeyEnabled)
	d.Optional("ChecksumAlgorithm", c.ChecksumAlgorithm)
}

func writeGrants(d *wire.Document, name string, grants []job.Grant) {
	d.Open(name)
	for _, g := range grants {
		d.Open("member")
		d.Open("Grantee")
		d.Text("TypeIdentifier", g.Type)
		d.Text("Identifier", g.Identifier)
		d.Optional("DisplayName", g.DisplayName)
		d.Close("Grantee")
		d.Text("Permission", g.Permission)
		d.Close("member")
	}
	d.Close(name)
}

func writeTagSet(d *wire.Document, name string, tags []object.Tag) {
	d.Open(name)
	for _, t := range tags {
		d.Open("member")
		d.Text("Key", t.Key)
		d.Text("Value", t.Value)
		d.Close("member")
	}
	d.Close(name)
}

func writeTime(d *wire.Document, name string, t *time.Time) {
	if t != nil {
		d.Time(name, *t)
	}
}

func writeFlag(d *wire.Document, name string, v *bool) {
	if v != nil {
		d.Bool(name, *v)
	}
}
