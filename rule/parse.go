package rule

import (
	"strconv"

	"twinbucket/markup"
	"twinbucket/object"
)

// reader reads the elements of a configuration.
type reader struct{ *markup.Reader }

func (r reader) read(e *markup.Element, names ...string) reader { return reader{r.Read(e, names...)} }

// Parse reads the XML document of PutBucketReplication. Elements may come in
// any order and any namespace; an element the schema does not have is an
// error. Its errors have AWS's codes and texts: MalformedXML, InvalidArgument
// and InvalidRequest.
func Parse(xml []byte) (*Set, error) {
	root, err := markup.Parse(xml, "ReplicationConfiguration", MaxSize)
	if err != nil {
		return nil, err
	}
	r := reader{markup.NewReader(&err)}.read(root, "Role", "Rule+")
	r.Need("Role")
	role := r.Word("Role")
	elements := r.All("Rule")
	if len(elements) > MaxRules { // New says so; do not read on
		return New(role, make([]Rule, len(elements)))
	}
	rules := make([]Rule, 0, len(elements))
	for _, e := range elements {
		rules = append(rules, r.rule(e))
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return New(role, rules)
}

func (r reader) rule(e *markup.Element) Rule {
	in := r.read(e, "ID", "Priority", "Prefix", "Filter", "Status", "SourceSelectionCriteria",
		"ExistingObjectReplication", "Destination", "DeleteMarkerReplication")
	out := Rule{
		ID:                        in.Word("ID"),
		Prefix:                    in.Raw("Prefix"),
		DeleteMarkerReplication:   in.switched("DeleteMarkerReplication"),
		ExistingObjectReplication: in.switched("ExistingObjectReplication"),
		Priority:                  in.priority(),
	}
	in.Need("Status")
	out.Status = in.status()
	if f := in.Child("Filter"); f != nil {
		out.Filter = in.filter(f)
	}
	if c := in.Child("SourceSelectionCriteria"); c != nil {
		criteria := in.read(c, "SseKmsEncryptedObjects", "ReplicaModifications")
		out.SseKmsEncryptedObjects = criteria.switched("SseKmsEncryptedObjects")
		out.ReplicaModifications = criteria.switched("ReplicaModifications")
		if len(c.Kids) == 0 {
			in.Refuse(invalidRequest("SourceSelectionCriteria cannot be empty.").On("rule " + out.ID).
				WithHint("leave SourceSelectionCriteria out, or say which encrypted objects or replica changes it is about"))
		}
	}
	if d := in.Need("Destination"); d != nil {
		out.Destination = in.destination(d)
	}
	return out
}

// status returns the Status child.
func (r reader) status() Status {
	s := Status(r.Word("Status"))
	if r.Child("Status") != nil && !s.valid() {
		r.Fail("a Status is Enabled or Disabled and not %q", string(s))
	}
	return s
}

// switched returns the Status inside the child of that name, "" if there is
// no such child.
func (r reader) switched(name string) Status {
	e := r.Child(name)
	if e == nil {
		return ""
	}
	in := r.read(e, "Status")
	in.Need("Status")
	return in.status()
}

func (r reader) priority() *int {
	if r.Child("Priority") == nil {
		return nil
	}
	n, err := strconv.Atoi(r.Word("Priority"))
	if err != nil {
		r.Fail("a Priority is a whole number and not %q", r.Word("Priority"))
	}
	return &n
}

func (r reader) filter(e *markup.Element) *Filter {
	in := r.read(e, "Prefix", "Tag", "And")
	f := &Filter{Prefix: in.Raw("Prefix")}
	if t := in.Child("Tag"); t != nil {
		tag := in.tag(t)
		f.Tag = &tag
	}
	if a := in.Child("And"); a != nil {
		and := in.read(a, "Prefix", "Tag+")
		f.And = &And{Prefix: and.Raw("Prefix")}
		for _, t := range and.All("Tag") {
			f.And.Tags = append(f.And.Tags, and.tag(t))
		}
	}
	return f
}

func (r reader) tag(e *markup.Element) object.Tag {
	key, value := r.Tag(e)
	return object.Tag{Key: key, Value: value}
}

func (r reader) destination(e *markup.Element) Destination {
	in := r.read(e, "Bucket", "Account", "StorageClass", "AccessControlTranslation",
		"EncryptionConfiguration", "ReplicationTime", "Metrics")
	in.Need("Bucket")
	d := Destination{
		Bucket:       in.Word("Bucket"),
		Account:      in.Word("Account"),
		StorageClass: in.Word("StorageClass"),
	}
	if in.Child("StorageClass") != nil && d.StorageClass == "" {
		in.Fail("StorageClass is empty")
	}
	if a := in.Child("AccessControlTranslation"); a != nil {
		translation := in.read(a, "Owner")
		translation.Need("Owner")
		if owner := translation.Word("Owner"); owner != "Destination" {
			in.Fail("an Owner is Destination and not %q", owner)
		}
		d.OwnerOverride = true
	}
	if in.Child("Account") != nil && d.Account == "" {
		in.Refuse(emptyAccount(d.OwnerOverride))
	}
	if c := in.Child("EncryptionConfiguration"); c != nil {
		d.ReplicaKmsKeyID = in.read(c, "ReplicaKmsKeyID").Word("ReplicaKmsKeyID")
		if d.ReplicaKmsKeyID == "" {
			in.Refuse(invalidRequest("ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.").
				WithHint("EncryptionConfiguration holds the key of the destination's region"))
		}
	}
	d.ReplicationTime = in.timing("ReplicationTime", "Time", "ReplicationTime-Status must contain a value.")
	d.Metrics = in.timing("Metrics", "EventThreshold", "ReplicationMetrics must contain a Status.")
	return d
}

// timing reads a ReplicationTime or Metrics child: a Status, and Minutes in an
// element named span. noStatus is AWS's text when the Status is missing.
func (r reader) timing(name, span, noStatus string) *Timing {
	e := r.Child(name)
	if e == nil {
		return nil
	}
	in := r.read(e, "Status", span)
	if in.Child("Status") == nil {
		r.Refuse(invalidArgument(noStatus).WithHint("%s needs a Status, Enabled or Disabled", name))
		return nil
	}
	t := &Timing{Status: in.status()}
	s := in.Child(span)
	if s == nil {
		return t
	}
	minutes := in.read(s, "Minutes").Word("Minutes")
	n, err := strconv.Atoi(minutes)
	if err != nil || n != 15 {
		text := "EventThreshold-ReplicationTimeValue-Minutes value must be 15."
		if name == "ReplicationTime" {
			text = "Replication-ReplicationTimeValue-Minutes value must be 15."
		}
		r.Refuse(invalidArgument(text).WithHint("%s/%s/Minutes is 15 and not %q", name, span, minutes))
	}
	t.Minutes = n
	return t
}
