package rule

import (
	"fmt"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/markup"
	"twinbucket/object"
)

const maxPriority = 1<<31 - 1

// classes are the storage classes a replica can have here; foreignClasses are
// those that AWS's schema allows and no bucket of this kind has.
var (
	classes = map[string]bool{
		"STANDARD": true, "REDUCED_REDUNDANCY": true, "STANDARD_IA": true, "ONEZONE_IA": true,
		"INTELLIGENT_TIERING": true, "GLACIER": true, "DEEP_ARCHIVE": true, "GLACIER_IR": true,
	}
	foreignClasses = map[string]bool{
		"OUTPOSTS": true, "SNOW": true, "EXPRESS_ONEZONE": true, "FSX_OPENZFS": true, "FSX_ONTAP": true,
	}
)

const refer = " of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information."

// checkRule checks one rule by itself.
func (s *Set) checkRule(r *Rule) error {
	for _, check := range []func(*Rule) error{checkShape, checkID, s.checkVersion, checkFilter, checkDestination, checkTimes} {
		if err := check(r); err != nil {
			return err
		}
	}
	return nil
}

// checkShape checks what the schema itself demands.
func checkShape(r *Rule) error {
	optional := []Status{
		r.DeleteMarkerReplication, r.SseKmsEncryptedObjects, r.ReplicaModifications, r.ExistingObjectReplication,
	}
	for _, t := range []*Timing{r.Destination.ReplicationTime, r.Destination.Metrics} {
		if t != nil && (!t.Status.valid() || t.Minutes != 0 && t.Minutes != 15) {
			return markup.Malformed("a Status is Enabled or Disabled, and Minutes are 15").On("rule " + r.ID)
		}
	}
	for _, s := range optional {
		if s != "" && !s.valid() {
			return markup.Malformed("a Status is Enabled or Disabled and not %q", string(s)).On("rule " + r.ID)
		}
	}
	if !r.Status.valid() {
		return markup.Malformed("a rule's Status is Enabled or Disabled and not %q", string(r.Status)).On("rule " + r.ID)
	}
	if f := r.Filter; f != nil && (f.Prefix != nil && f.Tag != nil || f.And != nil && (f.Prefix != nil || f.Tag != nil)) {
		return markup.Malformed("a Filter holds one of Prefix, Tag and And; put several conditions into And").On("rule " + r.ID)
	}
	if class := r.Destination.StorageClass; class != "" && !classes[class] && !foreignClasses[class] {
		return markup.Malformed("%q is not a storage class", class).On("rule " + r.ID)
	}
	return nil
}

func checkID(r *Rule) error {
	if len(r.ID) > 255 {
		return invalidArgument("Rule Id cannot be greater than 255").On(r.ID[:32] + "...")
	}
	for i := range len(r.ID) {
		if r.ID[i] >= 0x80 {
			return invalidArgument("Rule ID must not contain non-ASCII characters.").On(r.ID)
		}
	}
	return nil
}

// checkVersion checks that the rule has what its schema version demands and
// nothing that it forbids.
func (s *Set) checkVersion(r *Rule) error {
	thing := "rule " + r.ID
	if s.legacy {
		hint := "without a Filter in every rule the configuration is of version 1; add <Filter/> to every rule to use this"
		for _, f := range []struct {
			name string
			used bool
		}{
			{"Priority", r.Priority != nil},
			{"DeleteMarkerReplication", r.DeleteMarkerReplication != ""},
			{"ReplicaModifications", r.ReplicaModifications != ""},
			{"Filter", r.Filter != nil},
			{"ReplicationTime", r.Destination.ReplicationTime != nil},
		} {
			if f.used {
				return invalidRequest(f.name+" cannot be used for this version"+refer).On(thing).WithHint("%s", hint)
			}
		}
		return nil
	}
	hint := "a rule with a Filter or a ReplicationTime is of version 2, which needs Priority and DeleteMarkerReplication"
	if r.Priority == nil {
		return invalidRequest("Priority must be specified for this version"+refer).On(thing).WithHint("%s", hint)
	}
	if *r.Priority < 0 || *r.Priority > maxPriority {
		return invalidArgument("Priority must be between 0 and 2147483647.").On(thing)
	}
	if r.DeleteMarkerReplication == "" {
		return invalidRequest("DeleteMarkerReplication must be specified for this version"+refer).On(thing).WithHint("%s", hint)
	}
	return nil
}

func checkFilter(r *Rule) error {
	thing := "rule " + r.ID
	if r.Prefix != nil && r.Filter != nil {
		return markup.Malformed("a rule has a Filter or a Prefix and not both; put the prefix into the Filter").On(thing)
	}
	if len(r.KeyPrefix()) > object.MaxKey {
		return invalidRequest("The maximum size of a prefix is 1024.").On(thing)
	}
	if f := r.Filter; f != nil && f.And != nil && len(f.And.Tags) == 0 {
		return markup.Malformed("And combines tags, and perhaps a prefix; a prefix alone goes into the Filter").On(thing)
	}
	seen := map[string]bool{}
	for _, t := range r.Tags() {
		switch {
		case seen[t.Key]:
			return invalidRequest("Duplicate Tag Keys are not allowed.").On(t.Key)
		case t.Key == "" || len([]rune(t.Key)) > 128:
			return fault.New(fault.Invalid, "InvalidTag", "The TagKey you have provided is invalid").On(t.Key)
		case len([]rune(t.Value)) > 256:
			return fault.New(fault.Invalid, "InvalidTag", "The TagValue you have provided is invalid").On(t.Key)
		}
		seen[t.Key] = true
	}
	if len(seen) > 0 && r.DeleteMarkerReplication == Enabled {
		return invalidRequest("Delete marker replication is not supported if any Tag filter is specified. " +
			"Please refer to S3 Developer Guide for more information.").On(thing).
			WithHint("delete markers have no tags; filter by prefix only, or set DeleteMarkerReplication to Disabled")
	}
	return nil
}

func checkDestination(r *Rule) error {
	d := &r.Destination
	thing := "rule " + r.ID
	name, err := arn.BucketName(d.Bucket)
	if err == nil {
		err = bucket.CheckName(name)
	}
	if err != nil {
		return invalidArgument("Invalid bucket ARN.").On(d.Bucket).WithHint("a bucket's ARN is arn:aws:s3:::BUCKET")
	}
	switch {
	case d.OwnerOverride && d.Account == "":
		return invalidRequest("If the <Owner> in <AccessControlTranslation> has a value, the <Account> element must be specified.").
			On(thing).WithHint("set Destination/Account to the account id of the owner of %s", name)
	case d.Account != "" && !arn.ValidAccount(d.Account):
		return invalidArgument("Invalid account ID.").On(d.Account).WithHint("an account id has 12 digits")
	case strings.HasPrefix(d.ReplicaKmsKeyID, "arn:") && !isKey(d.ReplicaKmsKeyID):
		return invalidArgument("Invalid ReplicaKmsKeyID ARN.").On(d.ReplicaKmsKeyID).
			WithHint("the ARN of a key is arn:aws:kms:REGION:ACCOUNT:key/ID, or :alias/NAME")
	case d.ReplicaKmsKeyID != "" && r.SseKmsEncryptedObjects == "":
		return invalidRequest("SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.").On(thing)
	case d.ReplicaKmsKeyID == "" && r.SseKmsEncryptedObjects == Enabled:
		return invalidRequest("ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.").On(thing).
			WithHint("set Destination/EncryptionConfiguration/ReplicaKmsKeyID")
	}
	return nil
}

// isKey reports whether s is the ARN of a key of KMS or of an alias.
func isKey(s string) bool {
	a, err := arn.Parse(s)
	if err != nil || a.Service != "kms" || a.Region == "" || !arn.ValidAccount(a.Account) {
		return false
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	return (kind == "key" || kind == "alias") && name != ""
}

func checkTimes(r *Rule) error {
	rtc, metrics := r.Destination.ReplicationTime, r.Destination.Metrics
	thing := "rule " + r.ID
	switch {
	case rtc != nil && metrics == nil:
		return invalidRequest("Replication destination must contain both ReplicationTime and Metrics or neither.").On(thing)
	case rtc != nil && rtc.Minutes == 0:
		return invalidArgument("ReplicationTime-ReplicationTimeValue must contain a value.").On(thing).
			WithHint("set ReplicationTime/Time/Minutes to 15")
	case rtc != nil && rtc.Status != metrics.Status:
		return invalidRequest("ReplicationTime and ReplicationMetrics must have the same status.").On(thing)
	case rtc != nil && rtc.Status == Enabled && metrics.Minutes == 0:
		return invalidArgument("ReplicationMetrics must contain an EventThreshold.").On(thing).
			WithHint("set Metrics/EventThreshold/Minutes to 15")
	case metrics != nil && metrics.Minutes != 0 && (rtc == nil || rtc.Status != Enabled):
		return invalidArgument("Metrics cannot contain an event threshold when ReplicationTime is not specified or Disabled").On(thing)
	}
	return nil
}

// checkTogether checks the rules against each other.
func (s *Set) checkTogether() error {
	type place struct {
		bucket   string
		priority int
	}
	ids, places, buckets := map[string]bool{}, map[place]bool{}, map[string]bool{}
	for i := range s.Rules {
		r := &s.Rules[i]
		if r.ID != "" && ids[r.ID] {
			return invalidArgument("Rule Id must be unique.").On(r.ID)
		}
		ids[r.ID] = true
		buckets[r.Destination.Bucket] = true
		if s.legacy {
			continue
		}
		p := place{r.Destination.Bucket, *r.Priority}
		if places[p] {
			return invalidRequest(fmt.Sprintf("Found duplicate priority %d.", p.priority)).On("rule "+r.ID).
				WithHint("two rules for %s need two priorities: the higher number wins where both match", p.bucket)
		}
		places[p] = true
	}
	limit := MaxDestinations
	if s.legacy {
		limit = 1
	}
	if len(buckets) > limit {
		err := invalidRequest(fmt.Sprintf("Number of distinct destination bucket ARNs cannot exceed %d", limit))
		if s.legacy {
			return err.WithHint("several destinations need schema version 2: give every rule a Filter (<Filter/> for all objects), a Priority and a DeleteMarkerReplication")
		}
		return err
	}
	return s.checkOverlap()
}

// checkOverlap refuses V1 rules of which one selects keys of another: nothing
// would say which of them counts.
func (s *Set) checkOverlap() error {
	if !s.legacy {
		return nil
	}
	prefixes := newPrefixes(len(s.Rules))
	for i := range s.Rules {
		p := s.Rules[i].KeyPrefix()
		if other, found := prefixes.overlap(p); found {
			return invalidRequest(fmt.Sprintf("Found overlapping prefixes '%s' and '%s'", other, p)).
				On("rule " + s.Rules[i].ID).
				WithHint("rules without a Filter have no priorities; use Filter and Priority to say which one wins")
		}
		prefixes.add(p)
	}
	return nil
}

// nameRules gives an ID to every rule that has none.
func (s *Set) nameRules() {
	ids := make([]*string, len(s.Rules))
	for i := range s.Rules {
		ids[i] = &s.Rules[i].ID
	}
	markup.NameRules(ids, func(b *strings.Builder, i int) { writeRule(b, &s.Rules[i]) })
}

// Check checks the configuration against the buckets it is about. Lookup
// returns the bucket of that name, or false if there is none.
func (s *Set) Check(source *bucket.Bucket, lookup func(name string) (*bucket.Bucket, bool)) error {
	if source.Versioning != bucket.Enabled {
		return invalidRequest("Versioning must be 'Enabled' on the bucket to apply a replication configuration").On(source.Name).
			WithHint("enable versioning on %s first", source.Name)
	}
	for i := range s.Rules {
		d := &s.Rules[i].Destination
		name := d.BucketName()
		if name == source.Name {
			return invalidRequest("Destination bucket cannot be the same as the source bucket.").On(name)
		}
		b, ok := lookup(name)
		if !ok {
			return invalidRequest("Destination bucket must have versioning enabled.").On(name).
				WithHint("there is no bucket %s; create it and enable its versioning first", name)
		}
		if b.Versioning != bucket.Enabled {
			return invalidRequest("Destination bucket must have versioning enabled.").On(name).
				WithHint("enable versioning on %s first", name)
		}
		if d.Account != "" && d.Account != b.Owner {
			return invalidArgument("The AWS account specified in the <Account> element must match the destination bucket owner.").
				On(name).WithHint("%s belongs to another account than %s", name, d.Account)
		}
	}
	return nil
}

// Unsupported returns an error if the configuration asks for what would change
// replicas and cannot be put: replication of existing objects by a rule, which
// AWS takes no more, and storage classes that no bucket here has. Configurations
// that were put once may have it.
func (s *Set) Unsupported() error {
	for i := range s.Rules {
		r := &s.Rules[i]
		refuse := func(what, hint string) error {
			return fault.New(fault.Unsupported, "NotImplemented", what+" is not implemented.").On("rule "+r.ID).WithHint("%s", hint)
		}
		switch {
		case r.ExistingObjectReplication != "":
			return markup.Malformed("ExistingObjectReplication is not taken any more, as on AWS: use a Batch Replication job (aws s3control create-job) for the objects that are there already").On("rule " + r.ID)
		case foreignClasses[r.Destination.StorageClass]:
			return refuse("Storage class "+r.Destination.StorageClass, "use one of the classes of ordinary buckets, such as STANDARD_IA")
		}
	}
	return nil
}

func emptyAccount(override bool) error {
	const text = "The <Account> element is empty. It must contain a valid account ID."
	if override {
		return invalidRequest(text)
	}
	return invalidArgument(text)
}
