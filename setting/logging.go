package setting

import (
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/markup"
)

var loggingKind = kind{
	root: group("BucketLoggingStatus",
		group("LoggingEnabled",
			needed(text("TargetBucket")),
			needed(text("TargetPrefix")),
			group("TargetGrants", repeated(group("Grant",
				needed(grantee()),
				needed(word("Permission", "FULL_CONTROL", "READ", "WRITE")),
			))),
			group("TargetObjectKeyFormat",
				group("SimplePrefix"),
				group("PartitionedPrefix", word("PartitionDateSource", "EventTime", "DeliveryTime")),
			),
		),
	),
	limit: 64 << 10,
	check: checkLogging,
}

func grantee() element {
	g := group("Grantee", text("ID"), text("DisplayName"), text("EmailAddress"), text("URI"))
	g.typed = true
	return g
}

func checkLogging(root *node) error {
	on := root.child("LoggingEnabled")
	if on == nil {
		return nil
	}
	if f := on.child("TargetObjectKeyFormat"); f != nil && len(f.kids) != 1 {
		return markup.Malformed("TargetObjectKeyFormat holds SimplePrefix or PartitionedPrefix")
	}
	if grants := on.child("TargetGrants"); grants != nil {
		for _, g := range grants.kids {
			who := g.child("Grantee")
			want := map[string]string{"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}[who.typ]
			if want == "" || who.value(want) == "" {
				return markup.Malformed("a Grantee is a CanonicalUser with an ID, a Group with a URI, or an AmazonCustomerByEmail with an EmailAddress")
			}
		}
	}
	return nil
}

// checkLogBucket checks the bucket to which logs are to go.
func checkLogBucket(root *node, b *bucket.Bucket, lookup func(string) (*bucket.Bucket, bool)) error {
	on := root.child("LoggingEnabled")
	if on == nil {
		return nil
	}
	name := on.value("TargetBucket")
	target, ok := lookup(name)
	switch {
	case !ok:
		return fault.New(fault.Invalid, "InvalidTargetBucketForLogging", "The target bucket for logging does not exist").On(name).With("TargetBucket", name)
	case target.Owner != b.Owner:
		return fault.New(fault.Invalid, "InvalidTargetBucketForLogging", "The owner for the bucket to be logged and the target bucket must be the same.").On(name).With("TargetBucket", name)
	case target.Region != b.Region:
		return fault.New(fault.Denied, "CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ").On(name).With("TargetBucketLocation", target.Region).
			WithHint("%s is in %s and %s in %s", b.Name, b.Region, name, target.Region)
	}
	if grants := on.child("TargetGrants"); grants != nil && len(grants.kids) > 0 && target.OwnerEnforced() {
		return fault.New(fault.Invalid, "AccessControlListNotSupported", "Target grants not allowed for bucket owner enforced buckets").On(name).
			WithHint("let readers in with the policy of bucket %s, and leave TargetGrants out", name)
	}
	return nil
}

// Logging says where the logs of a bucket go.
type Logging struct {
	Bucket, Prefix string
	// Dated: the names of logs have the owner, region, bucket and date of
	// what they tell. EventTime: that date is the events', not the delivery's.
	Dated, EventTime bool
}

// ParseLogging reads a logging status; nil if logging is off.
func ParseLogging(data []byte) (*Logging, error) {
	d, err := Parse(bucket.Logging, data)
	if err != nil {
		return nil, err
	}
	on := d.root.child("LoggingEnabled")
	if on == nil {
		return nil, nil
	}
	l := &Logging{Bucket: on.value("TargetBucket"), Prefix: on.value("TargetPrefix")}
	if p := on.at("TargetObjectKeyFormat", "PartitionedPrefix"); p != nil {
		l.Dated, l.EventTime = true, p.value("PartitionDateSource") == "EventTime"
	}
	return l, nil
}
