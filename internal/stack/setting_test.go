package stack

import (
	"strings"
	"testing"

	"twinbucket/bucket"
)

// everySetting has each property that becomes a settings document.
const everySetting = `Resources:
  B:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: every
      CorsConfiguration:
        CorsRules:
          - {Id: one, AllowedHeaders: ["*"], AllowedMethods: [GET, PUT], AllowedOrigins: ["http://*.a"], ExposedHeaders: [ETag], MaxAge: 60}
          - {AllowedMethods: [HEAD], AllowedOrigins: ["*"]}
      LoggingConfiguration: {LogFilePrefix: log/, TargetObjectKeyFormat: {PartitionedPrefix: {PartitionDateSource: EventTime}}}
      NotificationConfiguration:
        EventBridgeConfiguration: {EventBridgeEnabled: true}
        LambdaConfigurations:
          - {Event: "s3:ObjectCreated:*", Function: "arn:aws:lambda:eu-west-1:111111111111:function:f", Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}}
        TopicConfigurations:
          - {Event: "s3:ObjectRemoved:*", Topic: "arn:aws:sns:eu-west-1:111111111111:t"}
      WebsiteConfiguration:
        IndexDocument: index.html
        ErrorDocument: error.html
        RoutingRules:
          - {RedirectRule: {HostName: a.b, HttpRedirectCode: "301"}, RoutingRuleCondition: {KeyPrefixEquals: old/}}
      AccelerateConfiguration: {AccelerationStatus: Suspended}
      PublicAccessBlockConfiguration: {BlockPublicPolicy: "TRUE"}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerPreferred}]}
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - {BucketKeyEnabled: true, BlockedEncryptionTypes: {EncryptionType: [SSE-C]}, ServerSideEncryptionByDefault: {SSEAlgorithm: "aws:kms", KMSMasterKeyID: alias/k}}
      InventoryConfigurations:
        - {Id: weekly, Enabled: true, IncludedObjectVersions: All, OptionalFields: [Size, ETag], Prefix: in/, ScheduleFrequency: Weekly, Destination: {BucketArn: "arn:aws:s3:::every", Format: CSV, BucketAccountId: "111111111111"}}
      MetricsConfigurations:
        - {Id: whole}
        - {Id: some, Prefix: in/, TagFilters: [{Key: k, Value: v}]}
      AnalyticsConfigurations:
        - {Id: a, TagFilters: [{Key: k, Value: v}], StorageClassAnalysis: {DataExport: {OutputSchemaVersion: V_1, Destination: {BucketArn: "arn:aws:s3:::every", Format: CSV}}}}
      IntelligentTieringConfigurations:
        - {Id: t, Status: Enabled, Prefix: in/, Tierings: [{AccessTier: ARCHIVE_ACCESS, Days: 90}]}
`

func TestSettings(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", everySetting)
	e.want(s, CreateComplete, "")
	b, err := e.Store.Bucket("every")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[bucket.Document]string{
		"cors":                  `<CORSRule><ID>one</ID><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>http://*.a</AllowedOrigin><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule><CORSRule><AllowedMethod>HEAD</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>`,
		"logging":               `<LoggingEnabled><TargetBucket>every</TargetBucket><TargetPrefix>log/</TargetPrefix><TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat></LoggingEnabled>`,
		"notification":          `<CloudFunction>arn:aws:lambda:eu-west-1:111111111111:function:f</CloudFunction><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>in/</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration><EventBridgeConfiguration></EventBridgeConfiguration>`,
		"website":               `<IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><HostName>a.b</HostName><HttpRedirectCode>301</HttpRedirectCode></Redirect></RoutingRule></RoutingRules>`,
		"publicAccessBlock":     `<BlockPublicAcls>false</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets>`,
		"ownershipControls":     `<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>`,
		"encryption":            `<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>`,
		"accelerate":            `<Status>Suspended</Status>`,
		"inventory/weekly":      `<Id>weekly</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination><Format>CSV</Format><AccountId>111111111111</AccountId><Bucket>arn:aws:s3:::every</Bucket></S3BucketDestination></Destination><Filter><Prefix>in/</Prefix></Filter><Schedule><Frequency>Weekly</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions><OptionalFields><Field>Size</Field><Field>ETag</Field></OptionalFields>`,
		"metrics/whole":         `<Id>whole</Id></MetricsConfiguration>`,
		"metrics/some":          `<Id>some</Id><Filter><And><Prefix>in/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>`,
		"analytics/a":           `<Id>a</Id><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><StorageClassAnalysis><DataExport><OutputSchemaVersion>V_1</OutputSchemaVersion><Destination><S3BucketDestination><Format>CSV</Format><Bucket>arn:aws:s3:::every</Bucket></S3BucketDestination></Destination></DataExport></StorageClassAnalysis>`,
		"intelligent-tiering/t": `<Id>t</Id><Filter><Prefix>in/</Prefix></Filter><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering>`,
	} {
		if got := string(b.Documents[name]); !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}

	// What the template no longer has is taken off; the rest stays.
	s = e.update(source, "s", everySetting[:strings.Index(everySetting, "      LoggingConfiguration")])
	e.want(s, UpdateComplete, "")
	if b, err = e.Store.Bucket("every"); err != nil {
		t.Fatal(err)
	}
	for name := range b.Documents {
		if name != bucket.CORS && name != bucket.Tagging {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestDefaultOwnership(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Ownership = bucket.ObjectWriter
	s := e.create(source, "s", `Resources:
  A: {Type: AWS::S3::Bucket, Properties: {BucketName: unnamed, AccessControl: PublicRead}}
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: named, OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerPreferred}]}}}
`)
	e.want(s, CreateComplete, "")
	for name, want := range map[string]bucket.Ownership{"unnamed": bucket.ObjectWriter, "named": bucket.BucketOwnerPreferred} {
		b, err := e.Store.Bucket(name)
		if err != nil || b.Ownership() != want {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}
