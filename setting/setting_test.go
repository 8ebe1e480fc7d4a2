package setting

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
)

// corsDocument returns a configuration with rules.
func corsDocument(rules ...string) string {
	return "<CORSConfiguration><CORSRule>" + strings.Join(rules, "</CORSRule><CORSRule>") + "</CORSRule></CORSConfiguration>"
}

const origin = "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"

func website(inner string) string {
	return "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument>" + inner + "</WebsiteConfiguration>"
}

func routing(inner string) string {
	return website("<RoutingRules><RoutingRule>" + inner + "</RoutingRule></RoutingRules>")
}

// queue returns a notification configuration for a queue.
func queue(inner string) string {
	return "<QueueConfiguration><Queue>arn:aws:sqs:us-east-1:111111111111:q</Queue>" + inner + "</QueueConfiguration>"
}

func notify(inner ...string) string {
	return "<NotificationConfiguration>" + strings.Join(inner, "") + "</NotificationConfiguration>"
}

func keyFilter(name, value string) string {
	return "<FilterRule><Name>" + name + "</Name><Value>" + value + "</Value></FilterRule>"
}

func filtered(rules ...string) string {
	return "<Filter><S3Key>" + strings.Join(rules, "") + "</S3Key></Filter>"
}

func inventory(replace ...string) string {
	return strings.NewReplacer(replace...).Replace("<InventoryConfiguration><Id>i</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination><Format>CSV</Format><Bucket>arn:aws:s3:::b</Bucket></S3BucketDestination></Destination><Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>")
}

func metricsOf(filter string) string {
	return "<MetricsConfiguration><Id>i</Id><Filter>" + filter + "</Filter></MetricsConfiguration>"
}

func tierings(inner string) string {
	return "<IntelligentTieringConfiguration><Id>i</Id><Status>Enabled</Status>" + inner + "</IntelligentTieringConfiguration>"
}

func tiering(tier string, days int) string {
	return fmt.Sprintf("<Tiering><Days>%d</Days><AccessTier>%s</AccessTier></Tiering>", days, tier)
}

// retention returns an Object Lock configuration with a default retention.
func retention(inner string) string {
	return "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>" + inner + "</DefaultRetention></Rule></ObjectLockConfiguration>"
}

const (
	created = "<Event>s3:ObjectCreated:*</Event>"
	put     = "<Event>s3:ObjectCreated:Put</Event>"
	overlap = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
	unclear = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."
	tagA    = "<Tag><Key>a</Key><Value>1</Value></Tag>"
)

// TestParseInventory reads everything that a configuration can ask for.
func TestParseInventory(t *testing.T) {
	t.Parallel()
	got, err := ParseInventory([]byte(inventory("</Bucket>", "</Bucket><AccountId>111111111111</AccountId><Prefix>p</Prefix><Encryption><SSE-KMS><KeyId>k</KeyId></SSE-KMS></Encryption>",
		"Daily", "Weekly", ">All<", ">Current<",
		"</InventoryConfiguration>", "<Filter><Prefix>f</Prefix></Filter><OptionalFields><Field>ObjectOwner</Field><Field>ETag</Field><Field>Size</Field></OptionalFields></InventoryConfiguration>")))
	want := &Inventory{
		ID: "i", Enabled: true, Bucket: "b", Account: "111111111111", Prefix: "p", Format: "CSV", Encryption: "SSE-KMS", KeyID: "k",
		Filter: "f", Weekly: true, Fields: []string{"Size", "ETag", "ObjectOwner"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	got, err = ParseInventory([]byte(inventory(">true<", ">false<", "CSV", "Parquet")))
	if diff := cmp.Diff(&Inventory{ID: "i", Bucket: "b", Format: "Parquet", All: true}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := ParseInventory([]byte("<InventoryConfiguration/>")); fault.CodeOf(err) != "MalformedXML" {
		t.Error(err)
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"CSV": "", "ORC": "NotImplemented", "Parquet": "NotImplemented"} {
		d, err := Parse(bucket.Inventory, []byte(inventory("CSV", format)))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Unsupported(); fault.CodeOf(err) != want || want != "" && fault.HintOf(err) == "" {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// TestParseRefuses holds one mistake a line, with AWS's answer.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind           bucket.Document
		document, code string
		message        string // "": any
	}{
		{bucket.CORS, "", "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"},
		{bucket.CORS, "<CORSConfiguration>", "MalformedXML", ""},
		{bucket.CORS, "<CORSConfiguration/>", "MalformedXML", ""},
		{bucket.CORS, "<Cors/>", "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin) + corsDocument(origin), "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin) + "x", "MalformedXML", ""},
		{bucket.CORS, "<!DOCTYPE x>" + corsDocument(origin), "MalformedXML", ""},
		{bucket.CORS, `<?xml version="1.0" encoding="latin1"?>` + corsDocument(origin), "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin + "<New/>"), "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin + "text"), "MalformedXML", ""},
		{bucket.CORS, corsDocument(""), "MalformedXML", ""},
		{bucket.CORS, corsDocument("<AllowedMethod>GET</AllowedMethod>"), "MalformedXML", ""},
		{bucket.CORS, corsDocument("<AllowedOrigin>*</AllowedOrigin>"), "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin + "<MaxAgeSeconds>1.5</MaxAgeSeconds>"), "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin + "<MaxAgeSeconds>2147483648</MaxAgeSeconds>"), "MalformedXML", ""},
		{bucket.CORS, corsDocument(origin + "<ID>" + strings.Repeat("i", 256) + "</ID>"), "MalformedXML", ""},
		{bucket.CORS, corsDocument(strings.Split(strings.Repeat(origin+"|", 100)+origin, "|")...), "InvalidRequest", "The number of CORS rules should not exceed allowed limit of 100 rules."},
		{bucket.CORS, corsDocument(origin + "<AllowedMethod>get</AllowedMethod>"), "InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is get"},
		{bucket.CORS, corsDocument(origin + "<AllowedMethod/>"), "InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is "},
		{bucket.CORS, corsDocument(origin + "<AllowedOrigin>*a*</AllowedOrigin>"), "InvalidRequest", `AllowedOrigin "*a*" can not have more than one wildcard.`},
		{bucket.CORS, corsDocument(origin + "<AllowedHeader>**</AllowedHeader>"), "InvalidRequest", `AllowedHeader "**" can not have more than one wildcard.`},
		{bucket.CORS, corsDocument(origin + "<AllowedHeader>a:</AllowedHeader>"), "InvalidRequest", `AllowedHeader "a:" contains invalid character.`},
		{bucket.CORS, corsDocument(origin + "<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest", `ExposeHeader "x-*" contains wildcard. We currently do not support wildcard for ExposeHeader.`},
		{bucket.CORS, corsDocument(origin + "<ExposeHeader>a b</ExposeHeader>"), "InvalidRequest", `ExposeHeader "a b" contains invalid character.`},
		{bucket.CORS, corsDocument(origin) + strings.Repeat(" ", 64<<10), "MaxMessageLengthExceeded", "Your request was too big."},

		{bucket.ObjectLock, "<ObjectLockConfiguration/>", "MalformedXML", ""},
		{bucket.ObjectLock, "<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>", "MalformedXML", ""},
		{bucket.ObjectLock, retention(""), "MalformedXML", ""},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode>"), "MalformedXML", ""},
		{bucket.ObjectLock, retention("<Mode>GENTLE</Mode><Days>1</Days>"), "MalformedXML", ""},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML", ""},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode><Days>x</Days>"), "MalformedXML", ""},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode><Days>0</Days>"), "InvalidArgument", "Default retention period must be a positive integer value."},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode><Days>36501</Days>"), "InvalidArgument", "Default retention period too large."},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode><Years>-1</Years>"), "InvalidArgument", "Default retention period must be a positive integer value."},
		{bucket.ObjectLock, retention("<Mode>COMPLIANCE</Mode><Years>101</Years>"), "InvalidArgument", "Default retention period too large."},

		{bucket.OwnershipControls, "<OwnershipControls/>", "MalformedXML", ""},
		{bucket.OwnershipControls, "<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>", "MalformedXML", ""},
		{bucket.PublicAccessBlock, "<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls></PublicAccessBlockConfiguration>", "MalformedXML", ""},
		{bucket.PublicAccessBlock, "<PublicAccessBlockConfiguration><BlockAll>true</BlockAll></PublicAccessBlockConfiguration>", "MalformedXML", ""},
		{bucket.Encryption, "<ServerSideEncryptionConfiguration/>", "MalformedXML", ""},
		{bucket.Encryption, "<ServerSideEncryptionConfiguration><Rule><Colour/></Rule></ServerSideEncryptionConfiguration>", "MalformedXML", ""},
		{bucket.Encryption, "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>rot13</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>", "MalformedXML", ""},

		{bucket.Website, "<WebsiteConfiguration/>", "InvalidArgument", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"},
		{bucket.Website, strings.Replace(website(""), ">i<", ">a/i<", 1), "InvalidArgument", "The IndexDocument Suffix is not well formed"},
		{bucket.Website, strings.Replace(website(""), ">i<", "><", 1), "InvalidArgument", "The IndexDocument Suffix is not well formed"},
		{bucket.Website, website("<ErrorDocument/>"), "MalformedXML", ""},
		{bucket.Website, website("<ErrorDocument><Key/></ErrorDocument>"), "InvalidArgument", "The ErrorDocument Key is not well formed"},
		{bucket.Website, website("<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>"), "InvalidArgument", "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules."},
		{bucket.Website, "<WebsiteConfiguration><RedirectAllRequestsTo/></WebsiteConfiguration>", "MalformedXML", ""},
		{bucket.Website, "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>", "InvalidRequest", "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically."},
		{bucket.Website, website("<RoutingRules/>"), "MalformedXML", ""},
		{bucket.Website, routing("<Redirect/>"), "MalformedXML", ""},
		{bucket.Website, routing("<Condition/><Redirect><HostName>h</HostName></Redirect>"), "InvalidRequest", "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present."},
		{bucket.Website, routing("<Condition><HttpErrorCodeReturnedEquals>418</HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>h</HostName></Redirect>"), "InvalidRequest", "The provided HTTP error code (418) is not valid. Valid codes are 4XX or 5XX."},
		{bucket.Website, routing("<Condition><HttpErrorCodeReturnedEquals>4xx</HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>h</HostName></Redirect>"), "MalformedXML", ""},
		{bucket.Website, routing("<Redirect><HttpRedirectCode>300</HttpRedirectCode></Redirect>"), "InvalidRequest", "The provided HTTP redirect code (300) is not valid. Valid codes are 3XX except 300."},
		{bucket.Website, routing("<Redirect><HttpRedirectCode>306</HttpRedirectCode></Redirect>"), "InvalidRequest", ""},
		{bucket.Website, routing("<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>"), "InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both."},
		{bucket.Website, website("<RoutingRules>" + strings.Repeat("<RoutingRule><Redirect><HostName>h</HostName></Redirect></RoutingRule>", 51) + "</RoutingRules>"), "InvalidRequest", "51 routing rules provided, the number of routing rules in a website configuration is limited to 50."},

		{bucket.Notification, notify(queue("")), "MalformedXML", ""},
		{bucket.Notification, notify("<QueueConfiguration>" + created + "</QueueConfiguration>"), "MalformedXML", ""},
		{bucket.Notification, notify(queue("<Event>s3:ObjectMoved</Event>")), "InvalidArgument", "The event is not supported for notifications"},
		{bucket.Notification, notify(queue(created + put)), "InvalidArgument", overlap},
		{bucket.Notification, notify(queue(created), queue(put)), "InvalidArgument", overlap},
		{bucket.Notification, notify(queue(created), strings.ReplaceAll(queue(put), "Queue", "Topic")), "InvalidArgument", overlap},
		{bucket.Notification, notify(queue(created+filtered(keyFilter("prefix", "a"))), queue(put)), "InvalidArgument", unclear},
		{bucket.Notification, notify(queue(created+filtered(keyFilter("suffix", "jpg"))), queue(put+filtered(keyFilter("suffix", "g")))), "InvalidArgument", unclear},
		{bucket.Notification, notify(queue(created + filtered(keyFilter("infix", "a")))), "InvalidArgument", "filter rule name must be either prefix or suffix"},
		{bucket.Notification, notify(queue(created + filtered(keyFilter("Prefix", "a"), keyFilter("prefix", "b")))), "InvalidArgument", "Cannot specify more than one prefix rule in a filter."},
		{bucket.Notification, notify(queue(created + filtered(keyFilter("suffix", strings.Repeat("a", 1025))))), "InvalidArgument", "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation"},
		{bucket.Notification, notify(queue(created+"<Id>i</Id>"), queue("<Id>i</Id><Event>s3:ObjectAcl:Put</Event>")), "InvalidArgument", "Same ID used for multiple configurations. IDs must be unique."},
		{bucket.Notification, notify(queue(created + "<Id>" + strings.Repeat("i", 256) + "</Id>")), "InvalidArgument", "ID length exceeded allowed limit of 255"},
		{bucket.Notification, notify(strings.Repeat(queue("<Event>s3:ObjectAcl:Put</Event>"+filtered(keyFilter("prefix", "a"))), 2)), "InvalidArgument", unclear},
		{bucket.Notification, manyNotifications(101), "InvalidRequest", "Too many configurations submitted. The maximum number of configurations is 100"},

		{bucket.Logging, "<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket></LoggingEnabled></BucketLoggingStatus>", "MalformedXML", ""},
		{bucket.Logging, "<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix/><TargetObjectKeyFormat/></LoggingEnabled></BucketLoggingStatus>", "MalformedXML", ""},
		{bucket.Logging, "<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix/><TargetGrants><Grant><Grantee><ID>i</ID></Grantee><Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>", "MalformedXML", ""},
		{bucket.Logging, `<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix/><TargetGrants><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><ID>i</ID></Grantee><Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>`, "MalformedXML", ""},
		{bucket.RequestPayment, "<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>", "MalformedXML", ""},
		{bucket.RequestPayment, "<RequestPaymentConfiguration/>", "MalformedXML", ""},
		{bucket.Accelerate, "<AccelerateConfiguration/>", "MalformedXML", ""},
		{bucket.Accelerate, "<AccelerateConfiguration><Status>Disabled</Status></AccelerateConfiguration>", "MalformedXML", ""},

		{bucket.Inventory, inventory("<Id>i</Id>", ""), "MalformedXML", ""},
		{bucket.Inventory, inventory("Daily", "Hourly"), "MalformedXML", ""},
		{bucket.Inventory, inventory("CSV", "JSON"), "MalformedXML", ""},
		{bucket.Inventory, inventory(">All<", ">Some<"), "MalformedXML", ""},
		{bucket.Inventory, inventory(">true<", ">yes<"), "MalformedXML", ""},
		{bucket.Inventory, inventory("<Bucket>", "<AccountId>1</AccountId><Bucket>"), "MalformedXML", ""},
		{bucket.Inventory, inventory("<Bucket>", "<Encryption/><Bucket>"), "MalformedXML", ""},
		{bucket.Inventory, inventory("</InventoryConfiguration>", "<OptionalFields><Field>Colour</Field></OptionalFields></InventoryConfiguration>"), "MalformedXML", ""},
		{bucket.Inventory, inventory("arn:aws:s3:::b", "b"), "InvalidS3DestinationBucket", "Invalid bucket ARN."},
		{bucket.Analytics, "<AnalyticsConfiguration><Id>i</Id></AnalyticsConfiguration>", "MalformedXML", ""},
		{bucket.Analytics, "<AnalyticsConfiguration><Id>i</Id><StorageClassAnalysis><DataExport><OutputSchemaVersion>V_1</OutputSchemaVersion><Destination><S3BucketDestination><Format>CSV</Format><Bucket>b</Bucket></S3BucketDestination></Destination></DataExport></StorageClassAnalysis></AnalyticsConfiguration>", "InvalidS3DestinationBucket", ""},
		{bucket.Metrics, "<MetricsConfiguration/>", "MalformedXML", ""},
		{bucket.Metrics, metricsOf(""), "MalformedXML", ""},
		{bucket.Metrics, metricsOf("<Prefix>p</Prefix>" + tagA), "MalformedXML", ""},
		{bucket.Metrics, metricsOf("<And><Prefix>p</Prefix></And>"), "MalformedXML", ""},
		{bucket.Metrics, metricsOf("<And>" + tagA + tagA + "</And>"), "MalformedXML", ""},
		{bucket.Metrics, metricsOf("<AccessPointArn>a</AccessPointArn>"), "NotImplemented", ""},
		{bucket.IntelligentTiering, tierings(""), "MalformedXML", ""},
		{bucket.IntelligentTiering, tierings(tiering("ARCHIVE_ACCESS", 89)), "InvalidArgument", ""},
		{bucket.IntelligentTiering, tierings(tiering("DEEP_ARCHIVE_ACCESS", 179)), "InvalidArgument", ""},
		{bucket.IntelligentTiering, tierings(tiering("ARCHIVE_ACCESS", 731)), "InvalidArgument", ""},
		{bucket.IntelligentTiering, tierings(tiering("ARCHIVE_ACCESS", 200) + tiering("DEEP_ARCHIVE_ACCESS", 190)), "InvalidArgument", ""},
		{bucket.IntelligentTiering, tierings(strings.Repeat(tiering("ARCHIVE_ACCESS", 90), 2)), "MalformedXML", ""},
		{bucket.Policy, "{}", "NotImplemented", ""},
	} {
		_, err := Parse(c.kind, []byte(c.document))
		if fault.CodeOf(err) != c.code || c.message != "" && fault.MessageOf(err) != c.message {
			t.Errorf("%.200s:\n%v %s", c.document, err, fault.MessageOf(err))
		}
		if c.code == "MalformedXML" && fault.HintOf(err) == "" {
			t.Errorf("%.200s: no hint", c.document)
		}
	}
}

// manyNotifications returns a configuration with n queues that share nothing.
func manyNotifications(n int) string {
	var all []string
	for i := range n {
		all = append(all, queue(created+filtered(keyFilter("prefix", fmt.Sprintf("%03d/", i)))))
	}
	return notify(all...)
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     bucket.Document
		document string
	}{
		{bucket.CORS, corsDocument("<AllowedMethod>GET</AllowedMethod><AllowedOrigin></AllowedOrigin><AllowedHeader>*</AllowedHeader><ExposeHeader>GET</ExposeHeader><MaxAgeSeconds>0</MaxAgeSeconds>")},
		{bucket.CORS, corsDocument(strings.Split(strings.Repeat(origin+"|", 99)+origin, "|")...)},
		{bucket.CORS, corsDocument(origin + "<MaxAgeSeconds>-100</MaxAgeSeconds>")},
		{bucket.Website, routing("<Condition><KeyPrefixEquals/></Condition><Redirect><HttpRedirectCode>308</HttpRedirectCode><ReplaceKeyPrefixWith/></Redirect>")},
		{bucket.Notification, notify()},
		{bucket.Notification, manyNotifications(100)},
		{bucket.Notification, notify(queue(created+filtered(keyFilter("prefix", "a"))), queue(put+filtered(keyFilter("prefix", "b"))))},
		{bucket.Notification, notify(queue(created+filtered(keyFilter("prefix", "a"), keyFilter("suffix", "x"))), queue(put+filtered(keyFilter("prefix", "ab"), keyFilter("suffix", "y"))))},
		{bucket.Notification, notify(queue(created), queue("<Event>s3:ObjectRemoved:*</Event>"))},
		{bucket.Inventory, inventory("</Bucket>", "</Bucket><Prefix>p</Prefix><Encryption><SSE-KMS><KeyId>k</KeyId></SSE-KMS></Encryption>", "</InventoryConfiguration>", "<Filter><Prefix>p</Prefix></Filter><OptionalFields><Field>Size</Field><Field>ETag</Field></OptionalFields></InventoryConfiguration>")},
		{bucket.Metrics, metricsOf("<And><Prefix>p</Prefix>" + tagA + "</And>")},
		{bucket.IntelligentTiering, tierings("<Filter><Prefix>p</Prefix></Filter>" + tiering("ARCHIVE_ACCESS", 90) + tiering("DEEP_ARCHIVE_ACCESS", 180))},
	} {
		d, err := Parse(c.kind, []byte(c.document))
		if err != nil {
			t.Errorf("%.200s: %v, %s", c.document, err, fault.HintOf(err))
			continue
		}
		again, err := Parse(c.kind, d.XML())
		if err != nil || !bytes.Equal(again.XML(), d.XML()) || len(d.XML()) < len(c.document) {
			t.Errorf("%.200s: read back: %v, %s", c.document, err, d.XML())
		}
	}
}

func TestCheckDestinations(t *testing.T) {
	t.Parallel()
	b := &bucket.Bucket{Name: "b", Region: "us-east-1"}
	for arn, want := range map[string]string{
		"arn:aws:sqs:us-east-1:111111111111:q":                 "",
		"arn:aws:sqs:us-east-1:111111111111:q.fifo":            "FIFO SQS queues are not supported.",
		"arn:aws:sqs:eu-west-1:111111111111:q":                 "The notification destination service region is not valid for the bucket location constraint",
		"arn:aws:sns:us-east-1:111111111111:q":                 `The ARN failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws[\p{Alpha}\-]*:sqs:[\p{Alnum}\-]+:[\p{Digit}]{12}:[\p{Alnum}\-_]{1,80}$`,
		"queue":                                                "The ARN could not be parsed",
		"arn:aws:sqs:us-east-1:1:" + strings.Repeat("q", 1000): `The ARN failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws[\p{Alpha}\-]*:sqs:[\p{Alnum}\-]+:[\p{Digit}]{12}:[\p{Alnum}\-_]{1,80}$`,
	} {
		d, err := Parse(bucket.Notification, []byte(strings.Replace(notify(queue(created)), "arn:aws:sqs:us-east-1:111111111111:q", arn, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(b, nil); want == "" && err != nil || want != "" && fault.MessageOf(err) != want {
			t.Errorf("%s: %v", arn, err)
		}
	}
}

// TestDetails: clients show what an error is about.
func TestDetails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     bucket.Document
		document string
		want     []fault.Detail
	}{
		{bucket.Website, strings.Replace(website(""), ">i<", ">a/i<", 1), []fault.Detail{{Name: "ArgumentName", Value: "IndexDocument"}, {Name: "ArgumentValue", Value: "a/i"}}},
		{bucket.Notification, notify(queue("<Event>s3:ObjectMoved</Event>")), []fault.Detail{{Name: "ArgumentName", Value: "Event"}, {Name: "ArgumentValue", Value: "s3:ObjectMoved"}}},
		{bucket.CORS, strings.Repeat(" ", 64<<10+1), []fault.Detail{{Name: "MaxMessageLengthBytes", Value: "65536"}}},
	} {
		_, err := Parse(c.kind, []byte(c.document))
		if diff := cmp.Diff(c.want, fault.DetailsOf(err)); diff != "" {
			t.Errorf("%.80s: %s", c.document, diff)
		}
	}
}

func TestNotificationIDs(t *testing.T) {
	t.Parallel()
	ids := func(document string) string {
		d, err := Parse(bucket.Notification, []byte(document))
		if err != nil {
			t.Fatal(err)
		}
		return d.root.child("QueueConfiguration").value("Id")
	}
	one, other := notify(queue(created)), notify(queue(put))
	first, second := ids(one), ids(one)
	if first == "" || first != second || first == ids(other) {
		t.Errorf("%q %q %q", first, second, ids(other))
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	rules, err := ParseCORS([]byte(corsDocument(
		"<AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://*.a.com</AllowedOrigin>",
		"<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>http://x.a.com</AllowedOrigin><AllowedHeader>X-Amz-*</AllowedHeader>",
		"<AllowedMethod>POST</AllowedMethod><AllowedOrigin>*</AllowedOrigin><AllowedHeader>*</AllowedHeader>")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		origin, method string
		headers        []string
		want           int // -1: none
	}{
		{"http://x.a.com", "GET", nil, 0},
		{"http://.a.com", "GET", nil, 0},
		{"http://a.com", "GET", nil, -1},
		{"http://x.a.com", "GET", []string{"x-amz-date"}, 1},
		{"http://x.a.com", "GET", []string{"x-amz-date", "accept"}, -1},
		{"http://y.a.com", "PUT", nil, -1},
		{"http://x.a.com", "DELETE", nil, -1},
		{"null", "POST", []string{"anything"}, 2},
		{"http://x.a.com.evil", "GET", nil, -1},
	} {
		got := rules.Match(c.origin, c.method, c.headers)
		if c.want < 0 && got != nil || c.want >= 0 && got != &rules[c.want] {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	if rules[0].AnyOrigin() || !rules[2].AnyOrigin() {
		t.Error("AnyOrigin")
	}
}

func TestParseLogging(t *testing.T) {
	t.Parallel()
	status := func(inner string) string {
		return "<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix>p</TargetPrefix>" + inner + "</LoggingEnabled></BucketLoggingStatus>"
	}
	for document, want := range map[string]*Logging{
		"<BucketLoggingStatus/>": nil,
		status(""):               {Bucket: "b", Prefix: "p"},
		status("<TargetObjectKeyFormat><SimplePrefix/></TargetObjectKeyFormat>"):                                                                             {Bucket: "b", Prefix: "p"},
		status("<TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>"):                                                                        {Bucket: "b", Prefix: "p", Dated: true},
		status("<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>"): {Bucket: "b", Prefix: "p", Dated: true, EventTime: true},
	} {
		got, err := ParseLogging([]byte(document))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", document, err, diff)
		}
	}
}

func TestCheckRedirect(t *testing.T) {
	t.Parallel()
	for to, ok := range map[string]bool{"/a": true, "http://a": true, "https://a": true, "a": false, "ftp://a": false, "/" + strings.Repeat("a", 2048): false} {
		if err := CheckRedirect(to); (err == nil) != ok || err != nil && fault.CodeOf(err) != "InvalidRedirectLocation" {
			t.Errorf("%.40s: %v", to, err)
		}
	}
}

// FuzzParse reads documents of all kinds: what is accepted is given back as
// something that means the same.
func FuzzParse(f *testing.F) {
	names := []bucket.Document{
		bucket.CORS, bucket.Notification, bucket.Logging, bucket.RequestPayment, bucket.Accelerate,
		bucket.Website, bucket.Inventory, bucket.Analytics, bucket.Metrics, bucket.IntelligentTiering,
	}
	f.Add(uint8(0), corsDocument(origin))
	f.Add(uint8(1), notify(queue(created+filtered(keyFilter("prefix", "a%20b")))))
	f.Add(uint8(2), "<BucketLoggingStatus/>")
	f.Add(uint8(5), routing("<Redirect><HostName>&#x9;h</HostName></Redirect>"))
	f.Add(uint8(6), inventory())
	f.Add(uint8(8), metricsOf(tagA))
	f.Add(uint8(9), tierings(tiering("ARCHIVE_ACCESS", 90)))
	f.Fuzz(func(t *testing.T, which uint8, document string) {
		name := names[int(which)%len(names)]
		d, err := Parse(name, []byte(document))
		if err != nil {
			if fault.CodeOf(err) == "" {
				t.Errorf("%q: no code: %v", document, err)
			}
			return
		}
		once := d.XML()
		again, err := Parse(name, once)
		if err != nil && fault.CodeOf(err) != "MaxMessageLengthExceeded" || err == nil && !bytes.Equal(again.XML(), once) {
			t.Errorf("%q became %q: %v", document, once, err)
		}
	})
}

// TestMadeDocuments: what is made here reads back as what it was made of.
func TestMadeDocuments(t *testing.T) {
	t.Parallel()
	b := &bucket.Bucket{Owner: "111111111111", Documents: map[bucket.Document][]byte{}}
	for _, o := range []bucket.Ownership{bucket.BucketOwnerEnforced, bucket.BucketOwnerPreferred, bucket.ObjectWriter, bucket.Removed} {
		b.Documents[bucket.OwnershipControls] = Ownership(o)
		if got := b.Ownership(); got != o {
			t.Errorf("%q became %q", o, got)
		}
	}
	for _, want := range []bucket.EncryptionRule{
		{Algorithm: "AES256"},
		{Algorithm: "aws:kms", KeyID: "alias/<k>", BucketKey: true, BlockedTypes: []string{"SSE-C"}},
	} {
		b.Documents[bucket.Encryption] = Encryption(&want)
		if diff := cmp.Diff(&want, b.EncryptionRule()); diff != "" {
			t.Error(diff)
		}
	}
	if b.Documents[bucket.ObjectLock] = ObjectLock(); !b.Locked() || b.DefaultRetention() != (bucket.Retention{}) {
		t.Errorf("%+v", b.DefaultRetention())
	}
	d, err := Parse(bucket.ObjectLock, []byte(retention("<Years>2</Years><Mode>COMPLIANCE</Mode>")))
	if err != nil {
		t.Fatal(err)
	}
	if b.Documents[bucket.ObjectLock] = d.XML(); b.DefaultRetention() != (bucket.Retention{Mode: "COMPLIANCE", Years: 2}) {
		t.Errorf("%+v", b.DefaultRetention())
	}
	if err := d.Check(b, nil); fault.CodeOf(err) != "InvalidBucketState" {
		t.Errorf("without versioning: %v", err)
	}
	b.Versioning = bucket.Enabled
	if err := d.Check(b, nil); err != nil {
		t.Error(err)
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	b := &bucket.Bucket{Documents: map[bucket.Document][]byte{}}
	if Blocks(b, "BlockPublicAcls") {
		t.Error("blocks without a document")
	}
	d, err := Parse(bucket.PublicAccessBlock, []byte("<PublicAccessBlockConfiguration><IgnorePublicAcls/><BlockPublicAcls>TRUE</BlockPublicAcls></PublicAccessBlockConfiguration>"))
	if err != nil {
		t.Fatal(err)
	}
	b.Documents[bucket.PublicAccessBlock] = d.XML()
	for name, want := range map[string]bool{"BlockPublicAcls": true, "IgnorePublicAcls": false, "BlockPublicPolicy": false, "RestrictPublicBuckets": false} {
		if Blocks(b, name) != want || !strings.Contains(string(d.XML()), fmt.Sprintf("<%s>%v</%s>", name, want, name)) {
			t.Errorf("%s is not %v: %s", name, want, d.XML())
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := &bucket.Bucket{Owner: "111111111111", Documents: map[bucket.Document][]byte{}}
	public, _ := acl.Canned("public-read", acl.CanonicalID(b.Owner), "")
	if SetList(b, public); !List(b).Public() {
		t.Errorf("%+v", List(b))
	}
	if err := CheckList(b, public); fault.CodeOf(err) != "InvalidBucketAclWithObjectOwnership" {
		t.Errorf("owner enforced: %v", err)
	}
	b.Documents[bucket.OwnershipControls] = Ownership(bucket.ObjectWriter)
	if err := CheckList(b, public); err != nil {
		t.Error(err)
	}
	if err := CheckPublicList(b, public, "u", "a", "r"); err != nil {
		t.Error(err)
	}
	b.Documents[bucket.PublicAccessBlock] = []byte("<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>")
	if err := CheckPublicList(b, public, "u", "a", "r"); fault.CodeOf(err) != "AccessDenied" {
		t.Errorf("blocked: %v", err)
	}
	if SetList(b, nil); List(b) != nil || b.Documents[bucket.ACL] != nil {
		t.Errorf("%+v", List(b))
	}
	b.Documents[bucket.ACL] = []byte("?")
	if list := List(b); list == nil || len(list) != 0 {
		t.Errorf("one that cannot be read: %+v", list)
	}
}

func TestDefaultOwnership(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ named, given, want bucket.Ownership }{
		{"", "", bucket.BucketOwnerEnforced},
		{"", bucket.BucketOwnerEnforced, bucket.BucketOwnerEnforced},
		{"", bucket.BucketOwnerPreferred, bucket.BucketOwnerPreferred},
		{"", bucket.ObjectWriter, bucket.ObjectWriter},
		{bucket.BucketOwnerEnforced, bucket.ObjectWriter, bucket.BucketOwnerEnforced},
		{bucket.BucketOwnerPreferred, bucket.ObjectWriter, bucket.BucketOwnerPreferred},
	} {
		b := &bucket.Bucket{Documents: map[bucket.Document][]byte{}}
		if c.named != "" {
			b.Documents[bucket.OwnershipControls] = Ownership(c.named)
		}
		DefaultOwnership(b, c.given)
		if got := b.Ownership(); got != c.want {
			t.Errorf("named %q, given %q: %s", c.named, c.given, got)
		}
	}
}

func TestLetsRead(t *testing.T) {
	t.Parallel()
	const owner, writer = "111111111111", "222222222222"
	mixed := func(block string) *bucket.Bucket {
		b := &bucket.Bucket{Name: "b", Owner: owner, Documents: map[bucket.Document][]byte{bucket.OwnershipControls: Ownership(bucket.ObjectWriter)}}
		if block != "" {
			b.Documents[bucket.PublicAccessBlock] = []byte("<PublicAccessBlockConfiguration><" + block + ">true</" + block + "></PublicAccessBlockConfiguration>")
		}
		return b
	}
	granted := acl.List{{ID: acl.CanonicalID(owner), Permission: acl.Read}}
	public := acl.List{{Group: acl.AllUsers, Permission: acl.Read}}
	for _, c := range []struct {
		name  string
		b     *bucket.Bucket
		owner string
		list  acl.List
		p     acl.Permission
		want  bool
	}{
		{"one's own", mixed(""), owner, nil, acl.Read, true},
		{"another's", mixed(""), writer, nil, acl.Read, false},
		{"granted", mixed(""), writer, granted, acl.Read, true},
		{"granted something else", mixed(""), writer, granted, acl.ReadACP, false},
		{"for everybody", mixed(""), writer, public, acl.Read, true},
		{"for everybody, which is ignored", mixed("IgnorePublicAcls"), writer, public, acl.Read, false},
		{"where ACLs are off", &bucket.Bucket{Name: "b", Owner: owner}, writer, nil, acl.Read, true},
	} {
		if got := LetsRead(c.b, c.owner, c.list, owner, c.p); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
