package setting

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
)

const (
	maxNotifications  = 100
	maxNotificationID = 255
	maxFilterValue    = 1024 // bytes
)

// destination is one of the elements that send events somewhere.
type destination struct {
	element, arn string
	form         *regexp.Regexp
	aws          string // the form as AWS's message has it
}

var destinations = []destination{
	{
		"TopicConfiguration", "Topic", regexp.MustCompile(`^arn:aws[a-zA-Z\-]*:sns:[a-zA-Z0-9\-]+:[0-9]{12}:[a-zA-Z0-9\-_]{1,256}$`),
		`^arn:aws[\p{Alpha}\-]*:sns:[\p{Alnum}\-]+:[\p{Digit}]{12}:[\p{Alnum}\-_]{1,256}$`,
	},
	{
		"QueueConfiguration", "Queue", regexp.MustCompile(`^arn:aws[a-zA-Z\-]*:sqs:[a-zA-Z0-9\-]+:[0-9]{12}:[a-zA-Z0-9\-_]{1,80}$`),
		`^arn:aws[\p{Alpha}\-]*:sqs:[\p{Alnum}\-]+:[\p{Digit}]{12}:[\p{Alnum}\-_]{1,80}$`,
	},
	{
		"CloudFunctionConfiguration", "CloudFunction", regexp.MustCompile(`^arn:aws[a-zA-Z\-]*:lambda:[a-zA-Z0-9\-]+:[0-9]{12}:function:[a-zA-Z0-9\-_]+(:[a-zA-Z0-9$_\-]+)?$`),
		`^arn:aws[a-zA-Z\-]*:lambda:[a-zA-Z0-9\-]+:[0-9]{12}:function:[a-zA-Z0-9\-_]+(:[a-zA-Z0-9$_\-]+)?$`,
	},
}

var notificationKind = kind{
	root:  group("NotificationConfiguration", append(notificationElements(), group("EventBridgeConfiguration"))...),
	limit: 1 << 20,
	check: checkNotification,
}

func notificationElements() []element {
	var list []element
	for _, d := range destinations {
		list = append(list, repeated(group(d.element,
			text("Id"),
			needed(formed(d.arn, func(string) bool { return true })),
			needed(repeated(formed("Event", func(string) bool { return true }))),
			group("Filter", group("S3Key", repeated(group("FilterRule", needed(text("Name")), needed(text("Value")))))),
		)))
	}
	return list
}

// events are the types of events (S3 User Guide, "Supported event types").
var events = []string{
	"s3:ReducedRedundancyLostObject",
	"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
	"s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete",
	"s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked",
	"s3:Replication:OperationMissedThreshold", "s3:Replication:OperationReplicatedAfterThreshold",
	"s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put",
	"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated",
	"s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
}

const eventsOverlap = "Configurations overlap. Configurations on the same bucket cannot share a common event type."

// Notice is one configuration of a notification document: it has a destination
// told of events.
type Notice struct {
	ID   string
	ARN  string // of the destination
	Kind string // "Topic", "Queue" or "CloudFunction"

	events         []string
	filtered       bool
	prefix, suffix string
}

// Takes reports whether the destination is to be told of an event, such as
// "ObjectCreated:Put", of a key. Of the notices of a document at most one does.
func (n *Notice) Takes(event, key string) bool {
	return strings.HasPrefix(key, n.prefix) && strings.HasSuffix(key, n.suffix) &&
		slices.ContainsFunc(n.events, func(e string) bool { return shareEvent(e, "s3:"+event) })
}

// ToEventBridge reports whether a notification document asks for all events to
// go to EventBridge.
func (d *Document) ToEventBridge() bool { return d.root.at("EventBridgeConfiguration") != nil }

// Notices returns the configurations of a notification document.
func (d *Document) Notices() ([]Notice, error) {
	var all []Notice
	for _, kind := range destinations {
		for _, n := range d.root.all(kind.element) {
			one, err := readNotification(n)
			if err != nil {
				return nil, err
			}
			one.ID, one.ARN, one.Kind = n.value("Id"), n.value(kind.arn), kind.arn
			all = append(all, one)
		}
	}
	return all, nil
}

func checkNotification(root *node) error {
	var all []Notice
	ids := map[string]bool{}
	for _, d := range destinations {
		for _, n := range root.all(d.element) {
			if len(all) == maxNotifications {
				return invalidRequest("Too many configurations submitted. The maximum number of configurations is %d", maxNotifications)
			}
			id, err := notificationID(n, len(all))
			if err != nil {
				return err
			}
			if ids[id] {
				return invalidArgument("Id", "Same ID used for multiple configurations. IDs must be unique.")
			}
			ids[id] = true
			one, err := readNotification(n)
			if err != nil {
				return err
			}
			for _, other := range all {
				if err := one.apart(other); err != nil {
					return err
				}
			}
			all = append(all, one)
		}
	}
	return nil
}

// notificationID returns the id of a configuration. One that has none gets it
// here, from what it says: the same document gives the same ids.
func notificationID(n *node, position int) (string, error) {
	id := n.value("Id")
	if len(id) > maxNotificationID {
		return "", invalidArgument("Id", "ID length exceeded allowed limit of %d", maxNotificationID)
	}
	if id == "" {
		h := sha256.New()
		n.hash(h.Write)
		h.Write([]byte(strconv.Itoa(position)))
		id = base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24])
		n.set("Id", id)
	}
	return id, nil
}

// hash gives all of n to write.
func (n *node) hash(write func([]byte) (int, error)) {
	_, _ = write([]byte(n.name + "\x00" + n.text + "\x00"))
	for _, k := range n.kids {
		k.hash(write)
	}
	_, _ = write([]byte{1})
}

func readNotification(n *node) (Notice, error) {
	one := Notice{events: n.values("Event")}
	for i, e := range one.events {
		if !slices.Contains(events, e) {
			return one, invalidArgument("Event", "The event is not supported for notifications").With("ArgumentValue", e)
		}
		if slices.ContainsFunc(one.events[:i], func(x string) bool { return shareEvent(x, e) }) {
			return one, invalidArgument("Event", eventsOverlap)
		}
	}
	rules := n.at("Filter", "S3Key")
	if rules == nil {
		return one, nil
	}
	seen := map[string]bool{}
	for _, r := range rules.all("FilterRule") {
		name, value := strings.ToLower(r.value("Name")), r.value("Value")
		switch {
		case name != "prefix" && name != "suffix":
			return one, invalidArgument("FilterRule.Name", "filter rule name must be either prefix or suffix").With("ArgumentValue", r.value("Name"))
		case seen[name]:
			return one, invalidArgument("FilterRule.Name", "Cannot specify more than one %s rule in a filter.", name)
		case len(value) > maxFilterValue:
			return one, invalidArgument("FilterRule.Value", "Size of filter rule value cannot exceed %d bytes in UTF-8 representation", maxFilterValue)
		}
		seen[name], one.filtered = true, true
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = value
		}
		if name == "prefix" {
			one.prefix = plain
			r.set("Name", "Prefix") // as AWS gives it back
		} else {
			one.suffix = plain
			r.set("Name", "Suffix")
		}
	}
	return one, nil
}

// shareEvent reports whether there is an event that both types take.
func shareEvent(a, b string) bool {
	in := func(event, of string) bool {
		all, wild := strings.CutSuffix(of, "*")
		return event == of || wild && strings.HasPrefix(event, all)
	}
	return in(a, b) || in(b, a)
}

// apart reports, as a fault, that an event could go to both configurations.
func (n Notice) apart(other Notice) error {
	common := slices.ContainsFunc(n.events, func(a string) bool {
		return slices.ContainsFunc(other.events, func(b string) bool { return shareEvent(a, b) })
	})
	prefixes := strings.HasPrefix(n.prefix, other.prefix) || strings.HasPrefix(other.prefix, n.prefix)
	suffixes := strings.HasSuffix(n.suffix, other.suffix) || strings.HasSuffix(other.suffix, n.suffix)
	switch {
	case !common || !prefixes || !suffixes:
		return nil
	case !n.filtered && !other.filtered:
		return invalidArgument("Event", eventsOverlap)
	}
	return invalidArgument("Filter", "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.")
}

// checkDestinations holds the ARNs of the destinations against the bucket's
// region.
func checkDestinations(root *node, b *bucket.Bucket) error {
	for _, d := range destinations {
		for _, n := range root.all(d.element) {
			name := n.value(d.arn)
			a, err := arn.Parse(name)
			switch {
			case err != nil:
				return invalidArgument(d.arn, "The ARN could not be parsed").With("ArgumentValue", name)
			case a.Service == "sqs" && strings.HasSuffix(a.Resource, ".fifo"):
				return invalidArgument(d.arn, "FIFO SQS queues are not supported.").With("ArgumentValue", name)
			case !d.form.MatchString(name):
				return invalidArgument(d.arn, "The ARN failed to satisfy constraint: Member must satisfy regular expression pattern: %s", d.aws).With("ArgumentValue", name)
			case a.Region != b.Region:
				return invalidArgument(d.arn, "The notification destination service region is not valid for the bucket location constraint").With("ArgumentValue", name).
					WithHint("the bucket is in %s", b.Region)
			}
		}
	}
	return nil
}
