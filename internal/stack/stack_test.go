package stack

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
	"twinbucket/policy"
	"twinbucket/rule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source      = "111111111111"
	destination = "222222222222"
)

// env is an engine on a store in memory, with two accounts.
type env struct {
	*Engine
	t *testing.T
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := open(t, vfs.Memory())
	t.Cleanup(func() { e.close() })
	return e
}

func open(t *testing.T, fs vfs.FS) *env {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := store.Open(fs, "/data", store.Options{Log: quiet, CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c := catalog.New(s)
	who, err := iam.New(c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"source": source, "destination": destination} {
		if _, err := who.EnsureAccount(t.Context(), name, id); err != nil {
			t.Fatal(err)
		}
	}
	return &env{New(Deps{Store: s, Catalog: c, IAM: who, Region: "eu-west-1", Log: quiet}), t}
}

func (e *env) close() {
	e.Stop()
	if err := e.Store.Close(); err != nil {
		e.t.Error(err)
	}
}

// root is the root user of an account.
func root(account string) *iam.Caller {
	return &iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: account, ARN: arn.Root(account), UserID: account}}
}

// all are the capabilities.
var all = []string{"CAPABILITY_NAMED_IAM"}

// create makes a stack and waits for its end.
func (e *env) create(account, name, body string) *Stack {
	e.t.Helper()
	return e.createWith(root(account), Input{Name: name, Template: body, Capabilities: all})
}

func (e *env) createWith(c *iam.Caller, in Input) *Stack {
	e.t.Helper()
	id, err := e.Create(e.t.Context(), c, in)
	if err != nil {
		e.t.Fatalf("create %s: %v", in.Name, err)
	}
	return e.end(c.Account, id)
}

// update changes a stack and waits for its end.
func (e *env) update(account, name, body string) *Stack {
	e.t.Helper()
	id, err := e.Update(e.t.Context(), root(account), Input{Name: name, Template: body, Capabilities: all})
	if err != nil {
		e.t.Fatalf("update %s: %v", name, err)
	}
	return e.end(account, id)
}

func (e *env) remove(account, name string) *Stack {
	e.t.Helper()
	s, err := e.Stack(account, name)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.Delete(e.t.Context(), root(account), Deletion{Name: name}); err != nil {
		e.t.Fatalf("delete %s: %v", name, err)
	}
	return e.end(account, s.ID)
}

func (e *env) end(account, id string) *Stack {
	e.t.Helper()
	s, err := e.Wait(e.t.Context(), account, id)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// want checks a stack's status and the words of its reason.
func (e *env) want(s *Stack, status Status, reason string) {
	e.t.Helper()
	if s.Status != status || !strings.Contains(s.Reason, reason) {
		e.t.Fatalf("stack %s is %s (%s), want %s (%s)\n%s", s.Name, s.Status, s.Reason, status, reason, e.story(s))
	}
}

// story tells a stack's events, oldest first.
func (e *env) story(s *Stack) string {
	e.t.Helper()
	events, _, err := e.Events(s.Account, s.ID, "", 1000)
	if err != nil {
		e.t.Fatal(err)
	}
	var b strings.Builder
	for i := len(events) - 1; i >= 0; i-- {
		ev := events[i]
		name := ev.Name
		if ev.Type == stackType {
			name = "(stack)"
		}
		fmt.Fprintf(&b, "%s %s", name, ev.Status)
		if ev.Reason != "" {
			fmt.Fprintf(&b, ": %s", ev.Reason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// object puts an object into a bucket.
func (e *env) object(b, key string) {
	e.t.Helper()
	_, err := e.Store.Put(e.t.Context(), store.Put{
		Version: object.Version{Bucket: b, Key: key, Owner: source}, Body: strings.NewReader("x"), Size: 1,
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) bucket(name string) *bucket.Bucket {
	e.t.Helper()
	b, err := e.Store.Bucket(name)
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

// example reads one of the example templates.
func example(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../examples/cross-account", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The reference scenario: the example templates in the order in which the
// README has them.
func TestCrossAccount(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.want(e.create(source, "source-bucket", example(t, "0-source-bucket.yaml")), CreateComplete, "")
	e.want(e.create(source, "replication-role", example(t, "1-replication-role.yaml")), CreateComplete, "")
	e.want(e.create(destination, "destination-bucket", example(t, "2a-destination-bucket.yaml")), CreateComplete, "")
	e.want(e.create(destination, "destination-policy", example(t, "2-destination-policy.yaml")), CreateComplete, "")
	e.want(e.update(source, "source-bucket", example(t, "3-source-bucket-replicated.yaml")), UpdateComplete, "")
	s := e.create(source, "batch-role", example(t, "4-batch-role.yaml"))
	e.want(s, CreateComplete, "")
	if got, want := s.Outputs[0].Value, "arn:aws:iam::111111111111:role/batch-role"; got != want {
		t.Errorf("RoleArn is %q, want %q", got, want)
	}
	b := e.bucket("src")
	set, err := rule.Parse(b.Documents[bucket.Replication])
	if err != nil {
		t.Fatal(err)
	}
	if set.Role != "arn:aws:iam::111111111111:role/replication-role" || len(set.Rules) != 1 || set.Rules[0].Destination.Account != destination {
		t.Errorf("replication is %+v", set)
	}
	if b.Versioning != bucket.Enabled {
		t.Errorf("versioning is %q", b.Versioning)
	}
	if text := e.IAM.Unbind(e.bucket("dst").Documents[bucket.Policy]); !bytes.Contains(text, []byte(`"AWS":"arn:aws:iam::111111111111:role/replication-role"`)) {
		t.Errorf("policy is %s", text)
	}
	want := `(stack) CREATE_IN_PROGRESS: User Initiated
Bucket CREATE_IN_PROGRESS
Bucket CREATE_COMPLETE
(stack) CREATE_COMPLETE
(stack) UPDATE_IN_PROGRESS: User Initiated
Bucket UPDATE_IN_PROGRESS
Bucket UPDATE_COMPLETE
(stack) UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
(stack) UPDATE_COMPLETE
`
	s, err = e.Stack(source, "source-bucket")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, e.story(s)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	// The source bucket is retained, and so is what is in it.
	e.object("src", "a")
	e.want(e.remove(source, "source-bucket"), DeleteComplete, "")
	e.bucket("src")
}

// Without the destination's versioning, or with the wrong account, the update
// fails in S3's words and everything is as before.
func TestReplicationRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create(source, "source-bucket", example(t, "0-source-bucket.yaml"))
	e.create(source, "replication-role", example(t, "1-replication-role.yaml"))
	before := e.bucket("src").Clone()
	update := example(t, "3-source-bucket-replicated.yaml")
	s := e.update(source, "source-bucket", update)
	e.want(s, UpdateRollbackComplete, "")
	if !strings.Contains(e.story(s), "Bucket UPDATE_FAILED: Destination bucket must have versioning enabled (Service: S3, Status Code: 400, Error Code: InvalidRequest, Request ID: ") {
		t.Errorf("events:\n%s", e.story(s))
	}
	if !strings.Contains(e.story(s), "(stack) UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to update: [Bucket]. ") {
		t.Errorf("events:\n%s", e.story(s))
	}
	after := e.bucket("src").Clone()
	before.Revision, after.Revision = 0, 0
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("the bucket changed:\n%s", d)
	}
	e.create(destination, "destination-bucket", example(t, "2a-destination-bucket.yaml"))
	e.want(e.update(source, "source-bucket", update), UpdateComplete, "")
}

// A template as people write it: a list where an object belongs, no filter, no
// priority, an account without an owner override.
func TestReplicationAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create(destination, "d", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: dst, VersioningConfiguration: {Status: Enabled}}}}")
	s := e.create(source, "s", `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: [s3.amazonaws.com]}, Action: ["sts:AssumeRole"]}]
  B:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: [{Status: Enabled}]
      ReplicationConfiguration:
        - Role: !GetAtt Role.Arn
          Rules:
            - Id: all
              Status: Enabled
              Destination:
                Bucket: arn:aws:s3:::dst
                Account: 222222222222
`)
	e.want(s, CreateComplete, "")
	name := s.Resource("B").Physical
	if !strings.HasPrefix(name, "s-b-") || len(name) != len("s-b-")+12 {
		t.Errorf("generated name %q", name)
	}
	set, err := rule.Parse(e.bucket(name).Documents[bucket.Replication])
	if err != nil {
		t.Fatal(err)
	}
	if !set.V1() || set.Rules[0].ID != "all" || set.Rules[0].Destination.Account != destination {
		t.Errorf("%+v", set)
	}
}

// Every element of a rule comes through.
func TestReplicationElements(t *testing.T) {
	t.Parallel()
	p := read("AWS::S3::Bucket", map[string]any{"ReplicationConfiguration": map[string]any{
		"Role": "arn:aws:iam::111111111111:role/r",
		"Rules": []any{map[string]any{
			"Id": "a<b", "Priority": "3", "Status": "Disabled",
			"Filter": map[string]any{"And": map[string]any{"Prefix": "p/", "TagFilters": []any{
				map[string]any{"Key": "k", "Value": "v"}, map[string]any{"Key": "l", "Value": ""},
			}}},
			"SourceSelectionCriteria": map[string]any{
				"ReplicaModifications": map[string]any{"Status": "Disabled"}, "SseKmsEncryptedObjects": map[string]any{"Status": "Enabled"},
			},
			"DeleteMarkerReplication": map[string]any{"Status": "Disabled"},
			"Destination": map[string]any{
				"Bucket": "arn:aws:s3:::dst", "Account": "222222222222", "StorageClass": "STANDARD_IA",
				"AccessControlTranslation": map[string]any{"Owner": "Destination"},
				"EncryptionConfiguration":  map[string]any{"ReplicaKmsKeyID": "alias/k"},
				"ReplicationTime":          map[string]any{"Status": "Enabled", "Time": map[string]any{"Minutes": "15"}},
				"Metrics":                  map[string]any{"Status": "Enabled", "EventThreshold": map[string]any{"Minutes": "15"}},
			},
		}},
	}})
	w := &wanted{documents: map[bucket.Document][]byte{}}
	if err := w.settings(p); err != nil {
		t.Fatal(err)
	}
	got := string(w.documents[bucket.Replication])
	want := xml.Header + `<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
		`<Role>arn:aws:iam::111111111111:role/r</Role><Rule><ID>a&lt;b</ID><Priority>3</Priority>` +
		`<Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value></Value></Tag></And></Filter>` +
		`<Status>Disabled</Status><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects><ReplicaModifications><Status>Disabled</Status></ReplicaModifications></SourceSelectionCriteria>` +
		`<Destination><Bucket>arn:aws:s3:::dst</Bucket><Account>222222222222</Account><StorageClass>STANDARD_IA</StorageClass>` +
		`<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>` +
		`<EncryptionConfiguration><ReplicaKmsKeyID>alias/k</ReplicaKmsKeyID></EncryptionConfiguration>` +
		`<ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>` +
		`<Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics></Destination>` +
		`<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule></ReplicationConfiguration>`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := rule.Parse([]byte(got)); err != nil {
		t.Error(err)
	}
}

// One bad property fails its resource, and with it the stack, by name.
func TestRefusedProperties(t *testing.T) {
	t.Parallel()
	const trust = `AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}`
	const doc = `PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}`
	for _, c := range []struct{ typ, properties, want string }{
		{"AWS::S3::Bucket", `{Colour: red}`, "Encountered unsupported property Colour"},
		{"AWS::S3::Bucket", `{VersioningConfiguration: {State: Enabled}}`, "Property Status cannot be empty."},
		{"AWS::S3::Bucket", `{VersioningConfiguration: {Status: On}}`, "Value of property Status must be one of Enabled, Suspended"},
		{"AWS::S3::Bucket", `{VersioningConfiguration: Enabled}`, "Value of property VersioningConfiguration must be an object"},
		{"AWS::S3::Bucket", `{MetadataConfiguration: {}}`, "The property MetadataConfiguration of AWS::S3::Bucket is not supported"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: []}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: Enabled}]}}`, "At least one action needs to be specified in a rule"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: On, ExpirationInDays: 1}]}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 0}]}}`, "'Days' for Expiration action must be a positive integer"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 10, Transition: {StorageClass: GLACIER, TransitionInDays: 30}}]}}`, "'Days' in the Expiration action"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: Enabled, Transition: {StorageClass: GLACIER, TransitionInDays: 1}, Transitions: [{StorageClass: GLACIER, TransitionInDays: 1}]}]}}`, "Properties Transitions and Transition cannot both be specified."},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: Enabled, NoncurrentVersionExpirationInDays: 1, NoncurrentVersionExpiration: {NoncurrentDays: 1}}]}}`, "Properties NoncurrentVersionExpiration and NoncurrentVersionExpirationInDays cannot both be specified."},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {Rules: [{Status: Enabled, Expiration: 1}]}}`, "Encountered unsupported property Expiration"},
		{"AWS::S3::Bucket", `{LifecycleConfiguration: {TransitionDefaultMinimumObjectSize: tiny, Rules: [{Status: Enabled, ExpirationInDays: 1}]}}`, "Invalid TransitionDefaultMinimumObjectSize found: tiny"},
		{"AWS::S3::Bucket", `{ObjectLockConfiguration: {ObjectLockEnabled: Enabled}}`, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"},
		{"AWS::S3::Bucket", `{ObjectLockEnabled: true, VersioningConfiguration: {Status: Suspended}}`, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"},
		{"AWS::S3::Bucket", `{ObjectLockEnabled: true, ObjectLockConfiguration: {Rule: {DefaultRetention: {Mode: COMPLIANCE, Days: 1}}}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{ObjectLockEnabled: true, ObjectLockConfiguration: {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: COMPLIANCE, Days: 1, Years: 1}}}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{ObjectLockEnabled: true, ObjectLockConfiguration: {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: COMPLIANCE, Days: 0}}}}`, "Default retention period must be a positive integer value"},
		{"AWS::S3::Bucket", `{ObjectLockEnabled: true, ObjectLockConfiguration: {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: COMPLIANCE, Years: 101}}}}`, "Default retention period too large"},
		{"AWS::S3::Bucket", `{AccessControl: Everybody}`, "Value of property AccessControl must be one of"},
		{"AWS::S3::Bucket", `{AccessControl: PublicRead}`, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"},
		{"AWS::S3::Bucket", `{AccessControl: PublicRead, OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}, PublicAccessBlockConfiguration: {BlockPublicAcls: true}}`, "User: arn:aws:iam::111111111111:root is not authorized to perform: s3:PutBucketAcl"},
		{"AWS::S3::Bucket", `{BucketName: UPPER}`, "The specified bucket is not valid"},
		{"AWS::S3::Bucket", `{BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: "aws:kms:dsse"}}]}}`, "A header or query you provided implies functionality that is not implemented"},
		{"AWS::S3::Bucket", `{OwnershipControls: {Rules: [{ObjectOwnership: Mine}]}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{PublicAccessBlockConfiguration: {BlockPublicAcls: maybe}}`, "Value of property BlockPublicAcls must be of type Boolean"},
		{"AWS::S3::Bucket", `{Tags: [{Key: a, Value: b}, {Key: a, Value: c}]}`, "Duplicate tag key a"},
		{"AWS::S3::Bucket", `{Tags: [{Key: "a*", Value: b}]}`, "The TagKey you have provided is invalid"},
		{"AWS::S3::Bucket", `{Tags: [{Key: "aws:x", Value: b}]}`, "System tags cannot be added/updated by requester"},
		{"AWS::S3::Bucket", `{ReplicationConfiguration: {Role: "arn:aws:iam::111111111111:role/r", Rules: [{Status: Enabled, Destination: {Bucket: "arn:aws:s3:::dst", Zone: x}}]}}`, "Encountered unsupported property Zone"},
		{"AWS::S3::Bucket", `{ReplicationConfiguration: {Role: "arn:aws:iam::111111111111:role/r", Rules: []}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{ReplicationConfiguration: {Role: "arn:aws:iam::111111111111:role/r", Rules: [{Status: Enabled, Filter: {}, Priority: 1, Destination: {Bucket: "arn:aws:s3:::dst"}}]}}`, "DeleteMarkerReplication must be specified for this version"},
		{"AWS::S3::Bucket", `{ReplicationConfiguration: {Role: "arn:aws:iam::111111111111:role/r", Rules: [{Status: Enabled, Destination: {Bucket: "arn:aws:s3:::dst"}}]}}`, "Versioning must be 'Enabled' on the bucket to apply a replication configuration"},
		{"AWS::S3::Bucket", `{ReplicationConfiguration: {Role: "arn:aws:iam::222222222222:role/r", Rules: [{Status: Enabled, Destination: {Bucket: "arn:aws:s3:::dst"}}]}}`, "Cross-account pass role is not allowed"},
		{"AWS::S3::Bucket", `{InventoryConfigurations: [{Id: i, Enabled: true, IncludedObjectVersions: All, ScheduleFrequency: Daily, Destination: {BucketArn: "arn:aws:s3:::b", Format: ORC}}]}`, "Inventories in ORC format are not implemented."},
		{"AWS::S3::Bucket", `{CorsConfiguration: {CorsRules: [{AllowedMethods: [PATCH], AllowedOrigins: ["*"]}]}}`, "Found unsupported HTTP method in CORS config. Unsupported method is PATCH"},
		{"AWS::S3::Bucket", `{CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ["*"], Colour: red}]}}`, "Encountered unsupported property Colour"},
		{"AWS::S3::Bucket", `{CorsConfiguration: {CorsRules: [{AllowedMethods: [GET]}]}}`, "The XML you provided was not well-formed"},
		{"AWS::S3::Bucket", `{LoggingConfiguration: {DestinationBucketName: nowhere}}`, "The target bucket for logging does not exist"},
		{"AWS::S3::Bucket", `{NotificationConfiguration: {QueueConfigurations: [{Event: "s3:ObjectCreated:*", Queue: "arn:aws:sqs:us-east-1:111111111111:q"}]}}`, "The notification destination service region is not valid for the bucket location constraint"},
		{"AWS::S3::Bucket", `{NotificationConfiguration: {QueueConfigurations: [{Events: ["s3:ObjectCreated:*"], Queue: "arn:aws:sqs:eu-west-1:111111111111:q"}]}}`, "Encountered unsupported property Events"},
		{"AWS::S3::Bucket", `{BucketName: a.b, AccelerateConfiguration: {AccelerationStatus: Enabled}}`, "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"},
		{"AWS::S3::Bucket", `{WebsiteConfiguration: {ErrorDocument: e}}`, "A value for IndexDocument Suffix must be provided"},
		{"AWS::S3::Bucket", `{MetricsConfigurations: [{Id: a}, {Id: a}]}`, "There is more than one item with the Id a in MetricsConfigurations"},
		{"AWS::S3::Bucket", `{MetricsConfigurations: [{Id: a/b}]}`, "The specified configuration id is invalid"},
		{"AWS::S3::Bucket", `{MetricsConfigurations: [{Id: a, AccessPointArn: b}]}`, "A filter by AccessPointArn is not supported"},
		{"AWS::S3::BucketPolicy", `{Bucket: nowhere, ` + doc + `}`, "The specified bucket does not exist"},
		{"AWS::S3::BucketPolicy", `{` + doc + `}`, "Property Bucket cannot be empty."},
		{"AWS::IAM::Role", `{RoleName: x}`, "Property AssumeRolePolicyDocument cannot be empty."},
		{"AWS::IAM::Role", `{` + trust + `, MaxSessionDuration: 60}`, "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint"},
		{"AWS::IAM::Role", `{` + trust + `, RoleName: "a b"}`, "The specified value for roleName is invalid"},
		{"AWS::IAM::Role", `{` + trust + `, ManagedPolicyArns: ["arn:aws:iam::aws:policy/Nothing"]}`, "Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable"},
		{"AWS::IAM::Role", `{AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111111111111:role/none"}, Action: "sts:AssumeRole"}]}}`, "Invalid principal in policy"},
		{"AWS::IAM::Role", `{` + trust + `, Policies: [{PolicyName: x, PolicyDocument: {Statement: nonsense}}]}`, "Syntax errors in policy"},
		{"AWS::IAM::Policy", `{PolicyName: x, ` + doc + `}`, "At least one of [Groups,Roles,Users] must be non-empty."},
		{"AWS::IAM::Policy", `{PolicyName: x, Users: [u], ` + doc + `}`, "The user with name u cannot be found"},
		{"AWS::IAM::Policy", `{PolicyName: x, Groups: [g], ` + doc + `}`, "The group with name g cannot be found"},
		{"AWS::IAM::Policy", `{PolicyName: x, Roles: [r], ` + doc + `}`, "The role with name r cannot be found"},
		{"AWS::IAM::RolePolicy", `{PolicyName: x, RoleName: r, ` + doc + `}`, "The role with name r cannot be found"},
		{"AWS::IAM::UserPolicy", `{PolicyName: x, UserName: u, ` + doc + `}`, "The user with name u cannot be found"},
		{"AWS::IAM::GroupPolicy", `{PolicyName: x, GroupName: g, ` + doc + `}`, "The group with name g cannot be found"},
		{"AWS::IAM::RolePolicy", `{PolicyName: x, ` + doc + `}`, "Property RoleName cannot be empty."},
		{"AWS::IAM::RolePolicy", `{PolicyName: x, RoleName: r}`, "Property PolicyDocument cannot be empty."},
		{"AWS::IAM::RolePolicy", `{PolicyName: x, RoleName: r, UserName: u, ` + doc + `}`, "Encountered unsupported property UserName"},
		{"AWS::IAM::User", `{LoginProfile: {Password: x}}`, "The property LoginProfile of AWS::IAM::User is not supported"},
		{"AWS::IAM::User", `{UserName: "a b"}`, "The specified value for userName is invalid"},
		{"AWS::IAM::User", `{Path: x}`, "The specified value for path is invalid"},
		{"AWS::IAM::User", `{Groups: [g]}`, "The group with name g cannot be found"},
		{"AWS::IAM::User", `{ManagedPolicyArns: ["arn:aws:iam::aws:policy/Nothing"]}`, "Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable"},
		{"AWS::IAM::User", `{PermissionsBoundary: "arn:aws:iam::aws:policy/Nothing"}`, "Scope ARN: arn:aws:iam::aws:policy/Nothing does not exist or is not attachable"},
		{"AWS::IAM::User", `{Policies: [{PolicyName: x}]}`, "Property PolicyDocument cannot be empty."},
		{"AWS::IAM::User", `{Tags: [{Key: "aws:x", Value: y}]}`, "Tag keys starting with 'aws:' are reserved for system use"},
		{"AWS::IAM::Group", `{GroupName: "a b"}`, "The specified value for groupName is invalid"},
		{"AWS::IAM::Group", `{Tags: [{Key: a, Value: b}]}`, "Encountered unsupported property Tags"},
		{"AWS::IAM::Group", `{PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess"}`, "Encountered unsupported property PermissionsBoundary"},
		{"AWS::IAM::AccessKey", `{Status: Active}`, "Property UserName cannot be empty."},
		{"AWS::IAM::AccessKey", `{UserName: u}`, "The user with name u cannot be found"},
		{"AWS::IAM::AccessKey", `{UserName: u, Status: On}`, "Value of property Status must be one of Active, Inactive"},
		{"AWS::IAM::AccessKey", `{UserName: u, Serial: one}`, "Value of property Serial must be of type Integer"},
		{"AWS::IAM::UserToGroupAddition", `{GroupName: g, Users: [u]}`, "The group with name g cannot be found"},
		{"AWS::IAM::UserToGroupAddition", `{GroupName: g}`, "Property Users cannot be empty."},
		{"AWS::IAM::ManagedPolicy", `{Users: [u], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}`, "The user with name u cannot be found"},
		{"AWS::IAM::ManagedPolicy", `{Description: x}`, "Property PolicyDocument cannot be empty."},
	} {
		t.Run(c.typ+c.properties, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := e.create(source, "s", "Resources: {X: {Type: "+c.typ+", Properties: "+c.properties+"}}\n")
			e.want(s, RollbackComplete, "")
			if r := s.Resources[0]; !strings.Contains(e.story(s), "X CREATE_FAILED: "+c.want) {
				t.Errorf("%s (%s), want %q\n%s", r.Status, r.Reason, c.want, e.story(s))
			}
			if n := len(e.Store.Buckets()); n != 0 {
				t.Errorf("%d buckets are left", n)
			}
		})
	}
}

// canceledContext is a context that has ended.
func canceledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// code checks an error's code and words.
func code(t *testing.T, err error, wantCode, wantMessage string) {
	t.Helper()
	if fault.CodeOf(err) != wantCode || fault.MessageOf(err) != wantMessage {
		t.Errorf("got %s: %s\nwant %s: %s", fault.CodeOf(err), fault.MessageOf(err), wantCode, wantMessage)
	}
}
