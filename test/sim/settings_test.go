package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/object"
)

// settings are what buckets, policies and roles say at one moment. They are
// changed by changing a copy.
type settings struct {
	buckets map[string]*bucketSettings
	roles   map[string]*access // of the role that copies, by its account
	all     []string           // the names of all buckets that there are at times
}

// bucketSettings are one bucket's; the bucket's policy is its access.
type bucketSettings struct {
	name, owner string
	suspended   bool
	locked      bool
	retention   string // mode of the default retention, of a day; "" is none
	acls        bool   // objects belong to their writers, and have ACLs
	rules       []ruleSettings
	legacy      bool // the rules are of version 1
	access
}

// access is what a role or a bucket's policy lets pass, as it differs from
// what replication needs.
type access struct {
	distrusted bool    // the role trusts somebody else
	missing    []grant // not granted
	denied     []grant
}

// grant is an action on the objects of a bucket that begin with prefix, or on
// the bucket.
type grant struct{ action, bucket, prefix string }

type ruleSettings struct {
	id       string
	priority int
	prefix   string
	tag      object.Tag // none if its key is ""
	on       bool
	markers  bool
	to       string
	account  string // "" if not named
	override bool   // of the owner; account is named
	class    string
	mods     bool // changes of replicas are taken too
}

var accounts = []string{"111111111111", "222222222222", "333333333333"}

func roleOf(account string) string { return "arn:aws:iam::" + account + ":role/copier" }

// What replication asks for.
var (
	bucketActions = []string{"s3:GetReplicationConfiguration", "s3:ListBucket"}
	reads         = []string{"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold"}
	writes        = []string{"s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner", "s3:PutObjectRetention", "s3:PutObjectLegalHold"}
)

func (s *settings) clone() *settings {
	c := &settings{buckets: maps.Clone(s.buckets), roles: maps.Clone(s.roles), all: s.all}
	for n, b := range c.buckets {
		copied := *b
		c.buckets[n] = &copied
	}
	for n, a := range c.roles {
		copied := *a
		c.roles[n] = &copied
	}
	return c
}

// names are the names of the buckets that there are, sorted.
func (s *settings) names() []string { return slices.Sorted(maps.Keys(s.buckets)) }

func (a *access) has(list []grant, action, bucket, key string) bool {
	return slices.ContainsFunc(list, func(g grant) bool {
		return g.action == action && g.bucket == bucket && strings.HasPrefix(key, g.prefix)
	})
}

// allowed reports whether the role of an account may do something, and whether
// that is denied rather than not granted.
func (s *settings) allowed(account, action string, b *bucketSettings, key string) (ok, denied bool) {
	role := s.roles[account]
	if role.has(role.denied, action, b.name, key) || b.has(b.denied, action, b.name, key) {
		return false, true
	}
	byRole := !role.has(role.missing, action, b.name, key)
	byBucket := slices.Contains(writes, action) && !b.has(b.missing, action, b.name, key)
	if account == b.owner {
		return byRole || byBucket, false
	}
	return byRole && byBucket, false
}

// matches reports whether an enabled rule is about a version.
func (r *ruleSettings) matches(v *object.Version) bool {
	return r.on && strings.HasPrefix(v.Key, r.prefix) && (r.tag.Key == "" || slices.Contains(v.Tags, r.tag))
}

// best returns the rule that decides about a version and a bucket; nil if none
// does.
func (b *bucketSettings) best(v *object.Version, to string) *ruleSettings {
	var best *ruleSettings
	for i := range b.rules {
		if r := &b.rules[i]; r.to == to && r.matches(v) && (best == nil || r.priority > best.priority) {
			best = r
		}
	}
	return best
}

// takes returns the rule that takes a version to a bucket or, if change is set,
// a change of it; nil if none does. Replicas themselves are taken by jobs alone.
func (b *bucketSettings) takes(v *version, to string, change bool) *ruleSettings {
	r := b.best(&v.Version, to)
	switch {
	case r == nil, v.Marker && !r.markers:
		return nil
	case change && v.replica && !r.mods:
		return nil
	case !change && (v.Class == "GLACIER" || v.Class == "DEEP_ARCHIVE"):
		return nil
	}
	return r
}

// targets are where live replication takes a version or a change of it, and by
// which rules.
func (b *bucketSettings) targets(v *version, change bool) map[string]string {
	out := map[string]string{}
	if v.replica && !change || b.suspended {
		return out
	}
	for _, r := range b.rules {
		if best := b.takes(v, r.to, change); best != nil {
			out[r.to] = best.id
		}
	}
	return out
}

// obstacle is something that keeps a version from being delivered: what it is,
// and the failure codes that say so.
type obstacle struct {
	what  string
	codes []string
}

// obstacles are all that is in the way of delivering a version to a bucket, or
// of what was changed of one that is there; r is the rule that takes it there,
// nil if none does.
func (s *settings) obstacles(v *version, to string, changed object.Aspects) (r *ruleSettings, found []obstacle) {
	in := func(what string, codes ...string) { found = append(found, obstacle{what, codes}) }
	src, dst := s.buckets[v.Bucket], s.buckets[to]
	if len(src.rules) == 0 {
		in("no configuration", "SrcBucketReplicationConfigMissing")
		return nil, found
	}
	if r = src.takes(v, to, changed != 0); r == nil {
		in("no rule", "SrcObjectNotEligible")
		return nil, found
	}
	if s.roles[src.owner].distrusted {
		in("trust", "AssumeRoleNotPermitted")
	}
	if dst == nil {
		in("destination is gone", "DstBucketNotFound")
		return r, found
	}
	if r.account != "" && r.account != dst.owner {
		in("account", "DstPutObjectNotPermitted")
	}
	if dst.suspended {
		in("suspended", "DstBucketUnversioned")
	}
	if (src.locked || v.Lock != (object.Lock{})) && !dst.locked {
		in("no object lock", "DstBucketObjectLockConfigMissing")
	}
	required := needs(src, dst, r, &v.Version)
	if changed != 0 {
		required = changeNeeds(src, dst, r.carried(src, dst, changed), v.Key)
	}
	for p, code := range map[acl.Permission]string{acl.Read: "SrcGetObjectNotPermitted", acl.ReadACP: "SrcGetAclNotPermitted"} {
		asked := changed == 0 || p == acl.ReadACP && r.carried(src, dst, changed)&object.AspectACL != 0
		if asked && src.acls && !v.Marker && v.Owner != src.owner && !lent(v.ACL, src.owner, p) {
			in("the owner does not grant "+string(p), code)
		}
	}
	for _, n := range required {
		if ok, denied := s.allowed(src.owner, n.action, n.bucket, n.key); !ok && (denied || !n.implied) {
			in(n.action, n.codes...)
		}
	}
	return r, found
}

// lent reports whether a list lets an account read.
func lent(l acl.List, account string, p acl.Permission) bool {
	return slices.ContainsFunc(l, func(g acl.Grant) bool {
		return (g.Permission == p || g.Permission == acl.FullControl) && (g.Group == acl.AllUsers || g.ID == acl.CanonicalID(account))
	})
}

type need struct {
	action  string
	bucket  *bucketSettings
	key     string
	implied bool // only a denial refuses it
	codes   []string
}

// needs are the actions that a delivery takes.
func needs(src, dst *bucketSettings, r *ruleSettings, v *object.Version) []need {
	out := []need{{action: "s3:GetReplicationConfiguration", bucket: src, codes: []string{"SrcBucketReplicationConfigMissing"}}}
	at := func(b *bucketSettings, implied bool, action string, codes ...string) {
		out = append(out, need{action, b, v.Key, implied, codes})
	}
	if v.Marker {
		out = append(out, need{action: "s3:ListBucket", bucket: src, codes: []string{"SrcHeadObjectNotPermitted"}})
		at(dst, false, "s3:ReplicateDelete", "DstDelObjNotPermitted")
		return out
	}
	at(src, false, "s3:GetObjectVersionForReplication", "SrcGetObjectNotPermitted", "SrcHeadObjectNotPermitted")
	at(src, false, "s3:GetObjectVersionAcl", "SrcGetAclNotPermitted")
	at(src, false, "s3:GetObjectVersionTagging", "SrcGetTaggingNotPermitted")
	if src.locked {
		at(src, false, "s3:GetObjectRetention", "SrcGetRetentionNotPermitted")
		at(src, false, "s3:GetObjectLegalHold", "SrcGetLegalHoldNotPermitted")
	}
	// Parts are written with the same right, and refused with codes of their own.
	at(dst, false, "s3:ReplicateObject", "DstPutObjectNotPermitted", "DstMultipartInitNotPermitted", "DstPutAclNotPermitted")
	if r.override && dst.acls {
		at(dst, false, "s3:ObjectOwnerOverrideToBucketOwner", "DstPutObjectNotPermitted")
	}
	if len(v.Tags) > 0 {
		at(dst, true, "s3:ReplicateTags", "DstPutTaggingNotPermitted")
	}
	if v.Lock.Mode != "" {
		at(dst, true, "s3:PutObjectRetention", "DstPutRetentionNotPermitted")
	}
	if v.Lock.Hold {
		at(dst, true, "s3:PutObjectLegalHold", "DstPutLegalHoldNotPermitted")
	}
	return out
}

// carried are the aspects that a rule carries: no ACL where there is none.
func (r *ruleSettings) carried(src, dst *bucketSettings, what object.Aspects) object.Aspects {
	if !src.acls || !dst.acls || r.override {
		what &^= object.AspectACL
	}
	return what
}

// changeNeeds are the actions that carrying changes takes.
func changeNeeds(src, dst *bucketSettings, what object.Aspects, key string) []need {
	out := []need{{action: "s3:GetReplicationConfiguration", bucket: src, codes: []string{"SrcBucketReplicationConfigMissing"}}}
	for _, a := range []struct {
		aspect                         object.Aspects
		read, unread, write, unwritten string
	}{
		{object.AspectTags, "s3:GetObjectVersionTagging", "SrcGetTaggingNotPermitted", "s3:ReplicateTags", "DstPutTaggingNotPermitted"},
		{object.AspectACL, "s3:GetObjectVersionAcl", "SrcGetAclNotPermitted", "", "DstPutAclNotPermitted"},
		{object.AspectRetention, "s3:GetObjectRetention", "SrcGetRetentionNotPermitted", "s3:PutObjectRetention", "DstPutRetentionNotPermitted"},
		{object.AspectHold, "s3:GetObjectLegalHold", "SrcGetLegalHoldNotPermitted", "s3:PutObjectLegalHold", "DstPutLegalHoldNotPermitted"},
	} {
		if what&a.aspect != 0 {
			out = append(out, need{a.read, src, key, false, []string{a.unread}}, need{"s3:ReplicateObject", dst, key, false, []string{a.unwritten}})
			if a.write != "" {
				out = append(out, need{a.write, dst, key, true, []string{a.unwritten}})
			}
		}
	}
	return out
}

// replica is what a bucket is to hold of a version that was delivered by a
// rule; old is what it held before, nil if nothing.
func (s *settings) replica(v, old *version, r *ruleSettings, now time.Time) *version {
	c := &version{Version: v.Version, label: v.label, body: v.body, edits: v.edits, replica: true}
	src, dst := s.buckets[v.Bucket], s.buckets[r.to]
	c.Bucket, c.Status, c.Deliveries = r.to, object.Replica, nil
	if !src.acls {
		c.Owner, c.ACL = src.owner, nil
	}
	if !dst.acls || r.override {
		c.Owner, c.ACL = dst.owner, nil
	}
	if r.class != "" {
		c.Class = r.class
	}
	// The source's lock goes before the destination's default.
	if c.Lock.Mode == "" && dst.retention != "" && !v.Marker {
		c.Lock.Mode, c.Lock.Until = dst.retention, v.Modified.AddDate(0, 0, 1)
	}
	if old == nil {
		return c
	}
	c.Deliveries = old.Deliveries
	// What was there is not taken away, nor weakened where the source has no say
	// in it or nobody may; but what was changed later prevails.
	if later := old.clone().follow(c, object.AspectRetention); later == 0 {
		kept := old.Lock
		weaker := c.Lock.Mode != kept.Mode || c.Lock.Until.Before(kept.Until)
		if c.Lock.Mode == "" || (kept.Mode == object.Compliance || v.Lock.Mode == "") && now.Before(kept.Until) && weaker {
			c.take(old, object.AspectRetention)
		}
	}
	if later := old.clone().follow(c, object.AspectHold); later == 0 && !v.Lock.Hold && !v.Lock.Released {
		c.take(old, object.AspectHold)
	}
	c.sumUp()
	if c.Status != object.Replica {
		c.follow(old, object.AllAspects) // what has not come back yet stays
	}
	return c
}

// What follows writes settings as documents.

type statement struct {
	Effect    string
	Principal any `json:",omitempty"`
	Action    []string
	Resource  string
}

func (a *access) document(principal any, buckets []string, lists ...[]string) []byte {
	var out []statement
	for _, b := range buckets {
		for i, list := range lists {
			resource := "arn:aws:s3:::" + b
			if i > 0 {
				resource += "/*"
			}
			list = slices.DeleteFunc(slices.Clone(list), func(action string) bool { return a.has(a.missing, action, b, "") })
			if len(list) > 0 {
				out = append(out, statement{"Allow", principal, list, resource})
			}
		}
	}
	for _, g := range a.denied {
		resource := "arn:aws:s3:::" + g.bucket
		if !slices.Contains(bucketActions, g.action) {
			resource += "/" + g.prefix + "*"
		}
		out = append(out, statement{"Deny", principal, []string{g.action}, resource})
	}
	doc, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": out})
	return doc
}

// policy is the role's policy.
func (s *settings) policy(account string) []byte {
	return s.roles[account].document(nil, s.all, bucketActions, append(slices.Clone(reads), writes...))
}

// trust is the role's trust policy.
func (s *settings) trust(account string) []byte {
	service := "s3.amazonaws.com"
	if s.roles[account].distrusted {
		service = "ec2.amazonaws.com"
	}
	doc, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Principal": map[string]string{"Service": service}, "Action": "sts:AssumeRole"},
	}})
	return doc
}

// documents are the bucket's.
func (b *bucketSettings) documents() map[bucket.Document][]byte {
	var roles []string
	for _, a := range accounts {
		roles = append(roles, roleOf(a))
	}
	out := map[bucket.Document][]byte{bucket.Policy: b.document(map[string]any{"AWS": roles}, []string{b.name}, nil, writes)}
	if b.acls {
		out[bucket.OwnershipControls] = []byte(`<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`)
	}
	if b.locked {
		rule := ""
		if b.retention != "" {
			rule = "<Rule><DefaultRetention><Mode>" + b.retention + "</Mode><Days>1</Days></DefaultRetention></Rule>"
		}
		out[bucket.ObjectLock] = []byte("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + rule + "</ObjectLockConfiguration>")
	}
	if len(b.rules) > 0 {
		out[bucket.Replication] = b.replication()
	}
	return out
}

func (b *bucketSettings) replication() []byte {
	var x strings.Builder
	fmt.Fprintf(&x, "<ReplicationConfiguration><Role>%s</Role>", roleOf(b.owner))
	status := map[bool]string{true: "Enabled", false: "Disabled"}
	for _, r := range b.rules {
		fmt.Fprintf(&x, "<Rule><ID>%s</ID><Status>%s</Status>", r.id, status[r.on])
		if b.legacy {
			fmt.Fprintf(&x, "<Prefix>%s</Prefix>", r.prefix)
		} else {
			fmt.Fprintf(&x, "<Priority>%d</Priority><DeleteMarkerReplication><Status>%s</Status></DeleteMarkerReplication>", r.priority, status[r.markers])
			if r.tag.Key == "" {
				fmt.Fprintf(&x, "<Filter><Prefix>%s</Prefix></Filter>", r.prefix)
			} else {
				fmt.Fprintf(&x, "<Filter><And><Prefix>%s</Prefix><Tag><Key>%s</Key><Value>%s</Value></Tag></And></Filter>", r.prefix, r.tag.Key, r.tag.Value)
			}
		}
		if r.mods {
			x.WriteString("<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria>")
		}
		fmt.Fprintf(&x, "<Destination><Bucket>arn:aws:s3:::%s</Bucket>", r.to)
		if r.account != "" {
			fmt.Fprintf(&x, "<Account>%s</Account>", r.account)
		}
		if r.override {
			x.WriteString("<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>")
		}
		if r.class != "" {
			fmt.Fprintf(&x, "<StorageClass>%s</StorageClass>", r.class)
		}
		x.WriteString("</Destination></Rule>")
	}
	x.WriteString("</ReplicationConfiguration>")
	return []byte(x.String())
}
