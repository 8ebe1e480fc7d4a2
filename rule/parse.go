package rule

import (
	"strconv"

	"twinbucket/object"
)

// Parse reads the XML document of PutBucketReplication. Elements may come in
// any order and any namespace; an element the schema does not have is an
// error. Its errors have AWS's codes and texts: MalformedXML, InvalidArgument
// and InvalidRequest.
func Parse(xml []byte) (*Set, error) {
	root, err := parseElement(xml)
	if err != nil {
		return nil, err
	}
	if root.name != "ReplicationConfiguration" {
		return nil, malformed("the root element is ReplicationConfiguration and not %s", root.name)
	}
	top := &reader{err: &err}
	r := top.read(root, "Role", "Rule+")
	r.need("Role")
	role := r.word("Role")
	elements := r.kids["Rule"]
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

func (r *reader) rule(e *element) Rule {
	in := r.read(e, "ID", "Priority", "Prefix", "Filter", "Status", "SourceSelectionCriteria",
		"ExistingObjectReplication", "Destination", "DeleteMarkerReplication")
	out := Rule{
		ID:                        in.word("ID"),
		Prefix:                    in.raw("Prefix"),
		DeleteMarkerReplication:   in.switched("DeleteMarkerReplication"),
		ExistingObjectReplication: in.switched("ExistingObjectReplication"),
		Priority:                  in.priority(),
	}
	in.need("Status")
	out.Status = in.status()
	if f := in.child("Filter"); f != nil {
		out.Filter = in.filter(f)
	}
	if c := in.child("SourceSelectionCriteria"); c != nil {
		criteria := in.read(c, "SseKmsEncryptedObjects", "ReplicaModifications")
		out.SseKmsEncryptedObjects = criteria.switched("SseKmsEncryptedObjects")
		out.ReplicaModifications = criteria.switched("ReplicaModifications")
		if len(c.kids) == 0 && *in.err == nil {
			*in.err = invalidRequest("SourceSelectionCriteria cannot be empty.").On("rule " + out.ID).
				WithHint("leave SourceSelectionCriteria out, or say which encrypted objects or replica changes it is about")
		}
	}
	if d := in.need("Destination"); d != nil {
		out.Destination = in.destination(d)
	}
	return out
}

// status returns the Status child.
func (r *reader) status() Status {
	s := Status(r.word("Status"))
	if r.child("Status") != nil && !s.valid() {
		r.fail("a Status is Enabled or Disabled and not %q", string(s))
	}
	return s
}

// switched returns the Status inside the child of that name, "" if there is
// no such child.
func (r *reader) switched(name string) Status {
	e := r.child(name)
	if e == nil {
		return ""
	}
	in := r.read(e, "Status")
	in.need("Status")
	return in.status()
}

func (r *reader) priority() *int {
	if r.child("Priority") == nil {
		return nil
	}
	n, err := strconv.Atoi(r.word("Priority"))
	if err != nil {
		r.fail("a Priority is a whole number and not %q", r.word("Priority"))
	}
	return &n
}

func (r *reader) filter(e *element) *Filter {
	in := r.read(e, "Prefix", "Tag", "And")
	f := &Filter{Prefix: in.raw("Prefix")}
	if t := in.child("Tag"); t != nil {
		tag := in.tag(t)
		f.Tag = &tag
	}
	if a := in.child("And"); a != nil {
		and := in.read(a, "Prefix", "Tag+")
		f.And = &And{Prefix: and.raw("Prefix")}
		for _, t := range and.kids["Tag"] {
			f.And.Tags = append(f.And.Tags, and.tag(t))
		}
	}
	return f
}

func (r *reader) tag(e *element) object.Tag {
	in := r.read(e, "Key", "Value")
	in.need("Key")
	in.need("Value")
	var tag object.Tag
	if k, v := in.raw("Key"), in.raw("Value"); k != nil && v != nil {
		tag = object.Tag{Key: *k, Value: *v}
	}
	return tag
}

func (r *reader) destination(e *element) Destination {
	in := r.read(e, "Bucket", "Account", "StorageClass", "AccessControlTranslation",
		"EncryptionConfiguration", "ReplicationTime", "Metrics")
	in.need("Bucket")
	d := Destination{
		Bucket:       in.word("Bucket"),
		Account:      in.word("Account"),
		StorageClass: in.word("StorageClass"),
	}
	if in.child("StorageClass") != nil && d.StorageClass == "" {
		in.fail("StorageClass is empty")
	}
	if a := in.child("AccessControlTranslation"); a != nil {
		translation := in.read(a, "Owner")
		translation.need("Owner")
		if owner := translation.word("Owner"); owner != "Destination" {
			in.fail("an Owner is Destination and not %q", owner)
		}
		d.OwnerOverride = true
	}
	if in.child("Account") != nil && d.Account == "" && *in.err == nil {
		*in.err = emptyAccount(d.OwnerOverride)
	}
	if c := in.child("EncryptionConfiguration"); c != nil {
		d.ReplicaKmsKeyID = in.read(c, "ReplicaKmsKeyID").word("ReplicaKmsKeyID")
		if d.ReplicaKmsKeyID == "" && *in.err == nil {
			*in.err = invalidRequest("ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.").
				WithHint("EncryptionConfiguration holds the key of the destination's region")
		}
	}
	d.ReplicationTime = in.timing("ReplicationTime", "Time", "ReplicationTime-Status must contain a value.")
	d.Metrics = in.timing("Metrics", "EventThreshold", "ReplicationMetrics must contain a Status.")
	return d
}

// timing reads a ReplicationTime or Metrics child: a Status, and Minutes in an
// element named span. noStatus is AWS's text when the Status is missing.
func (r *reader) timing(name, span, noStatus string) *Timing {
	e := r.child(name)
	if e == nil {
		return nil
	}
	in := r.read(e, "Status", span)
	if in.child("Status") == nil {
		if *r.err == nil {
			*r.err = invalidArgument(noStatus).WithHint("%s needs a Status, Enabled or Disabled", name)
		}
		return nil
	}
	t := &Timing{Status: in.status()}
	s := in.child(span)
	if s == nil {
		return t
	}
	minutes := in.read(s, "Minutes").word("Minutes")
	n, err := strconv.Atoi(minutes)
	if (err != nil || n != 15) && *r.err == nil {
		text := "EventThreshold-ReplicationTimeValue-Minutes value must be 15."
		if name == "ReplicationTime" {
			text = "Replication-ReplicationTimeValue-Minutes value must be 15."
		}
		*r.err = invalidArgument(text).WithHint("%s/%s/Minutes is 15 and not %q", name, span, minutes)
	}
	t.Minutes = n
	return t
}
