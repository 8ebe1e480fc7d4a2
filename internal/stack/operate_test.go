package stack

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/lifecycle"
	"twinbucket/policy"
	"twinbucket/role"
)

const (
	oneBucket = "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: one}}}\n"
	twoRoles  = `
Parameters: {Suffix: {Type: String, Default: a}, Path: {Type: String, Default: /}}
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub role-${Suffix}
      Path: !Ref Path
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}
  P:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: inline
      Roles: [!Ref R]
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
Outputs: {Arn: {Value: !GetAtt R.Arn}, Id: {Value: !Ref P}}
`
)

func TestErrorsBeforeWork(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	e.create(source, "there", oneBucket)
	_, err := e.Create(ctx, root(source), Input{Name: "there", Template: oneBucket})
	code(t, err, "AlreadyExistsException", "Stack [there] already exists")
	_, err = e.Create(ctx, root(source), Input{Name: "1x", Template: oneBucket})
	code(t, err, "ValidationError", "1 validation error detected: Value '1x' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
	_, err = e.Create(ctx, root(source), Input{Name: "x"})
	code(t, err, "ValidationError", "Either Template URL or Template Body must be specified.")
	_, err = e.Create(ctx, root(source), Input{Name: "x", Template: twoRoles})
	code(t, err, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
	_, err = e.Create(ctx, root(source), Input{Name: "x", Template: "Resources: {A: {Type: AWS::EC2::Instance}, B: {Type: AWS::SQS::Queue}}"})
	code(t, err, "ValidationError", "Template format error: Unrecognized resource types: [AWS::EC2::Instance, AWS::SQS::Queue]")
	_, err = e.Create(ctx, root(source), Input{Name: "x", Template: oneBucket + "Outputs: {O: {Value: !GetAtt B.Colour}}"})
	code(t, err, "ValidationError", "Template error: resource B does not support attribute type Colour in Fn::GetAtt")
	_, err = e.Update(ctx, root(source), Input{Name: "none", Template: oneBucket})
	code(t, err, "ValidationError", "Stack with id none does not exist")
	_, err = e.Stack(destination, "there") // another account's
	code(t, err, "ValidationError", "Stack with id there does not exist")
	_, err = e.Update(ctx, root(source), Input{Name: "there", Template: oneBucket})
	code(t, err, "ValidationError", "No updates are to be performed.")
	_, err = e.Update(ctx, root(source), Input{Name: "there", Template: strings.ReplaceAll(oneBucket, "AWS::S3::Bucket", "AWS::S3::BucketPolicy")})
	code(t, err, "ValidationError", "Update of resource type is not permitted. The new template modifies resource type of the following resources: [B]")
	_, err = e.Update(ctx, root(source), Input{Name: "there", UsePrevious: true, Parameters: []Parameter{{Key: "P", UsePrevious: true}}})
	code(t, err, "ValidationError", "Invalid input for parameter key P. Cannot specify usePreviousValue as true for a parameter key not in the previous template")
	_, err = e.Create(canceledContext(), root(source), Input{Name: "x", Template: oneBucket})
	if err == nil {
		t.Error("a request that was given up made a stack")
	}
	if err := e.Delete(ctx, root(source), Deletion{Name: "none"}); err != nil {
		t.Errorf("delete of a stack that does not exist: %v", err)
	}
}

func TestCreateRollsBack(t *testing.T) {
	t.Parallel()
	const body = `
Resources:
  A: {Type: AWS::S3::Bucket, Properties: {BucketName: first}}
  Kept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: kept}}
  Gone: {Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate, Properties: {BucketName: gone}}
  B: {Type: AWS::S3::Bucket, DependsOn: [A, Kept, Gone], Properties: {BucketName: taken}}
`
	e := newEnv(t)
	e.create(destination, "other", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: taken}}}")
	s := e.create(source, "s", body)
	e.want(s, RollbackComplete, "")
	want := `(stack) CREATE_IN_PROGRESS: User Initiated
A CREATE_IN_PROGRESS
A CREATE_COMPLETE
Kept CREATE_IN_PROGRESS
Kept CREATE_COMPLETE
Gone CREATE_IN_PROGRESS
Gone CREATE_COMPLETE
B CREATE_IN_PROGRESS
B CREATE_FAILED: taken already exists (Service: S3, Status Code: 409, Error Code: AlreadyExists, Request ID: *) (choose another name, or delete the one that is there)
(stack) ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [B]. Rollback requested by user.
B DELETE_IN_PROGRESS
B DELETE_COMPLETE
Gone DELETE_IN_PROGRESS
Gone DELETE_COMPLETE
Kept DELETE_SKIPPED
A DELETE_IN_PROGRESS
A DELETE_COMPLETE
(stack) ROLLBACK_COMPLETE
`
	if d := cmp.Diff(want, withoutIDs(e.story(s))); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if b := e.bucket("taken"); b.Owner != destination {
		t.Errorf("the other account's bucket belongs to %s", b.Owner)
	}
	if len(e.Store.Buckets()) != 2 {
		t.Errorf("buckets: %v", e.Store.Buckets())
	}
	_, err := e.Update(t.Context(), root(source), Input{Name: "s", Template: oneBucket})
	code(t, err, "ValidationError", "Stack:"+s.ID+" is in ROLLBACK_COMPLETE state and can not be updated.")
	e.want(e.remove(source, "s"), DeleteComplete, "")
	if _, err := e.Stack(source, "s"); !errors.Is(err, fault.NotFound) {
		t.Errorf("a deleted stack is found by name: %v", err)
	}
}

// withoutIDs replaces request ids.
func withoutIDs(s string) string {
	const mark = "Request ID: "
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, mark)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		b.WriteString(mark + "*")
		s = after[16:]
	}
}

func TestOnFailure(t *testing.T) {
	t.Parallel()
	const body = "Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: first}}, B: {Type: AWS::S3::Bucket, DependsOn: A, Properties: {BucketName: X}}}"
	yes := true
	for _, c := range []struct {
		in      Input
		status  Status
		buckets int
	}{
		{Input{OnFailure: "DELETE"}, DeleteComplete, 0},
		{Input{OnFailure: "DO_NOTHING"}, CreateFailed, 1},
		{Input{DisableRollback: &yes}, CreateFailed, 1},
		{Input{OnFailure: "ROLLBACK"}, RollbackComplete, 0},
	} {
		e := newEnv(t)
		c.in.Name, c.in.Template = "s", body
		s := e.createWith(root(source), c.in)
		e.want(s, c.status, "")
		if n := len(e.Store.Buckets()); n != c.buckets {
			t.Errorf("%+v: %d buckets", c.in, n)
		}
		if c.in.DisableRollback != nil {
			s := e.update(source, "s", strings.Replace(body, "BucketName: X", "BucketName: second", 1))
			e.want(s, UpdateComplete, "")
			e.bucket("second")
		}
	}
}

func TestDeleteNotEmpty(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create(source, "s", `
Resources:
  R: {Type: AWS::IAM::Role, Properties: {RoleName: r, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: full, Tags: [{Key: role, Value: !Ref R}]}}
  C: {Type: AWS::S3::Bucket, Properties: {BucketName: empty}}
`)
	e.object("full", "a")
	s := e.remove(source, "s")
	e.want(s, DeleteFailed, "The following resource(s) failed to delete: [B]. ")
	if want := "B DELETE_FAILED: The bucket you tried to delete is not empty (Service: S3, Status Code: 409, "; !strings.Contains(e.story(s), want) {
		t.Errorf("events:\n%s", e.story(s))
	}
	e.bucket("full")
	if _, err := e.Store.Bucket("empty"); err == nil {
		t.Error("the empty bucket was not deleted")
	}
	if _, err := e.IAM.GetRole(source, "r"); err != nil {
		t.Error("the role was deleted though the bucket that needs it is there")
	}
	ctx := t.Context()
	code(t, e.Delete(ctx, root(source), Deletion{Name: "s", Retain: []string{"C"}}), "ValidationError", "The resource C is not in the DELETE_FAILED state and cannot be retained.")
	if err := e.Delete(ctx, root(source), Deletion{Name: "s", Retain: []string{"B"}}); err != nil {
		t.Fatal(err)
	}
	e.want(e.end(source, s.ID), DeleteComplete, "")
	e.bucket("full")
	if _, err := e.IAM.GetRole(source, "r"); err == nil {
		t.Error("the role is left")
	}
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", twoRoles)
	e.want(s, CreateComplete, "")
	id := s.Outputs[1].Value
	if _, err := e.Update(t.Context(), root(source), Input{
		Name: "s", UsePrevious: true, Capabilities: all, Parameters: []Parameter{{Key: "Suffix", Value: "b"}, {Key: "Path", UsePrevious: true}},
	}); err != nil {
		t.Fatal(err)
	}
	s = e.end(source, s.ID)
	e.want(s, UpdateComplete, "")
	if s.Outputs[0].Value != "arn:aws:iam::111111111111:role/role-b" || s.Outputs[1].Value != id {
		t.Errorf("outputs %v", s.Outputs)
	}
	if _, err := e.IAM.GetRole(source, "role-a"); err == nil {
		t.Error("the old role is left")
	}
	r, err := e.IAM.GetRole(source, "role-b")
	if err != nil || r.Inline["inline"] == nil {
		t.Errorf("the new role: %v, %v", r, err)
	}
	if !strings.Contains(e.story(s), "R UPDATE_IN_PROGRESS: "+newPhysical) {
		t.Errorf("events:\n%s", e.story(s))
	}
	// A replacement that would need the same name fails and changes nothing.
	if _, err := e.Update(t.Context(), root(source), Input{
		Name: "s", UsePrevious: true, Capabilities: all, Parameters: []Parameter{{Key: "Suffix", Value: "b"}, {Key: "Path", Value: "/p/"}},
	}); err != nil {
		t.Fatal(err)
	}
	s = e.end(source, s.ID)
	e.want(s, UpdateRollbackComplete, "")
	if !strings.Contains(e.story(s), "R UPDATE_FAILED: CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename role-b and update the stack again.") {
		t.Errorf("events:\n%s", e.story(s))
	}
	if s.Parameters["Path"] != "/" {
		t.Errorf("parameters %v", s.Parameters)
	}
	e.want(e.remove(source, "s"), DeleteComplete, "")
	if _, err := e.IAM.GetRole(source, "role-b"); err == nil {
		t.Error("the role is left")
	}
}

// An update that fails half way brings back what was, of every kind.
func TestUpdateRollsBack(t *testing.T) {
	t.Parallel()
	const before = `
Resources:
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: bbb, Tags: [{Key: k, Value: before}]}}
  R: {Type: AWS::IAM::Role, DependsOn: B, Properties: {Description: before, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  N: {Type: AWS::IAM::Role, DependsOn: B, Properties: {RoleName: n1, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  Q: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: !Ref B, PolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: "111111111111"}, Action: "s3:GetObject", Resource: !Sub "${B.Arn}/*"}]}}}
`
	after := strings.NewReplacer("before", "after", "n1", "n2", "s3:GetObject", "s3:PutObject").Replace(before) + `
  New: {Type: AWS::S3::Bucket, DependsOn: [Q, R, N], Properties: {BucketName: new}}
  Bad: {Type: AWS::S3::Bucket, DependsOn: New, Properties: {Colour: red}}
`
	e := newEnv(t)
	was := e.create(source, "s", before)
	e.want(was, CreateComplete, "")
	doc := string(e.bucket("bbb").Documents[bucket.Policy])
	s := e.update(source, "s", after)
	e.want(s, UpdateRollbackComplete, "")
	if got := e.bucket("bbb"); string(got.Documents[bucket.Policy]) != doc || !strings.Contains(string(got.Documents[bucket.Tagging]), "<Value>before<") {
		t.Errorf("the bucket was not restored: %s", got.Documents)
	}
	if r, err := e.IAM.GetRole(source, s.Resource("R").Physical); err != nil || r.Description != "before" {
		t.Errorf("the role was not restored: %v, %v", r, err)
	}
	if _, err := e.IAM.GetRole(source, "n1"); err != nil {
		t.Error("the old role is gone")
	}
	if _, err := e.IAM.GetRole(source, "n2"); err == nil {
		t.Error("the new role is left")
	}
	if _, err := e.Store.Bucket("new"); err == nil {
		t.Error("the new bucket is left")
	}
	ignore := cmp.Options{cmpopts.IgnoreFields(Resource{}, "Status", "Reason", "Updated"), cmpopts.EquateEmpty()}
	if d := cmp.Diff(was.Resources, s.Resources, ignore); d != "" {
		t.Errorf("resources (-before +after):\n%s", d)
	}
	good := after[:strings.Index(after, "  Bad:")]
	e.want(e.update(source, "s", good), UpdateComplete, "")
	if _, err := e.IAM.GetRole(source, "n1"); err == nil {
		t.Error("the old role is left")
	}
	// Removing resources from the template deletes them, dependents first.
	s = e.update(source, "s", before[:strings.Index(before, "  R:")])
	e.want(s, UpdateComplete, "")
	if len(s.Resources) != 1 || e.bucket("bbb").Documents[bucket.Policy] != nil {
		t.Errorf("left: %v", s.Resources)
	}
}

func TestTagsAndMetadata(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	s := e.createWith(root(source), Input{Name: "s", Template: oneBucket, Tags: []Tag{{"team", "a"}}})
	if doc := string(e.bucket("one").Documents[bucket.Tagging]); !strings.Contains(doc, "<Tag><Key>team</Key><Value>a</Value></Tag>") ||
		!strings.Contains(doc, "<Key>aws:cloudformation:stack-id</Key><Value>"+s.ID+"</Value>") {
		t.Errorf("tags: %s", doc)
	}
	id, err := e.Update(ctx, root(source), Input{Name: "s", UsePrevious: true, Tags: []Tag{{"team", "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	e.want(e.end(source, id), UpdateComplete, "")
	if doc := string(e.bucket("one").Documents[bucket.Tagging]); !strings.Contains(doc, "<Value>b</Value>") {
		t.Errorf("tags: %s", doc)
	}
	// Tags that are not given stay; metadata and policies count as changes.
	e.want(e.update(source, "s", strings.Replace(oneBucket, "Properties", "Metadata: {a: b}, DeletionPolicy: Retain, Properties", 1)), UpdateComplete, "")
	e.want(e.remove(source, "s"), DeleteComplete, "")
	e.bucket("one")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	in := Input{Name: "s", Template: oneBucket, Token: "t1"}
	first, err := e.Create(ctx, root(source), in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Create(ctx, root(source), in)
	if err != nil || again != first {
		t.Errorf("the same token gave %q, %v", again, err)
	}
	e.end(source, first)
	for range 2 {
		if err := e.Delete(ctx, root(source), Deletion{Name: first, Token: "t2"}); err != nil {
			t.Fatal(err)
		}
	}
	e.want(e.end(source, first), DeleteComplete, "")
	events, _, err := e.Events(source, first, "", 1)
	if err != nil || events[0].Token != "t2" || events[0].Status != DeleteComplete {
		t.Errorf("last event %+v, %v", events, err)
	}
	// The name is free again.
	e.want(e.create(source, "s", oneBucket), CreateComplete, "")
}

func TestEventPages(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", twoRoles)
	whole, next, err := e.Events(source, "s", "", 100)
	if err != nil || next != "" {
		t.Fatal(err, next)
	}
	var paged []Event
	token := ""
	for {
		page, next, err := e.Events(source, s.ID, token, 2)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page...)
		if token = next; token == "" {
			break
		}
	}
	if d := cmp.Diff(whole, paged); d != "" {
		t.Error(d)
	}
	if whole[0].Status != CreateComplete || whole[len(whole)-1].Reason != userInitiated {
		t.Error("events are not newest first")
	}
}

func TestProtection(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	e.createWith(root(source), Input{Name: "s", Template: oneBucket, Protected: true})
	code(t, e.Delete(ctx, root(source), Deletion{Name: "s"}), "ValidationError", "Stack [s] cannot be deleted while TerminationProtection is enabled")
	if _, err := e.Protect(ctx, source, "s", false); err != nil {
		t.Fatal(err)
	}
	e.want(e.remove(source, "s"), DeleteComplete, "")
}

// session is a session of a role that may do actions, and nothing else.
func (e *env) session(account, name string, actions ...string) *iam.Caller {
	e.t.Helper()
	r := role.Role{
		Identity: identity.Identity{Account: account, Name: name, Inline: map[string][]byte{"p": []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}]}`)}},
		Trust:    []byte(`{"Statement":[{"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	}
	made, err := e.IAM.CreateRole(e.t.Context(), r)
	if err != nil {
		e.t.Fatal(err)
	}
	return &iam.Caller{Principal: made.Session("test")}
}

// Everything is done in the caller's name, with the caller's rights.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	const versioned = "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: bbb, VersioningConfiguration: {Status: Enabled}}}}"
	e := newEnv(t)
	weak := e.session(source, "weak", "s3:CreateBucket", "s3:DeleteBucket")
	s := e.createWith(weak, Input{Name: "s", Template: versioned})
	e.want(s, RollbackComplete, "")
	if want := "User: arn:aws:sts::111111111111:assumed-role/weak/test is not authorized to perform: s3:PutBucketVersioning"; !strings.Contains(e.story(s), want) {
		t.Errorf("events:\n%s", e.story(s))
	}
	e.remove(source, "s")
	enough := e.session(source, "enough", "s3:CreateBucket", "s3:PutBucketVersioning")
	e.want(e.createWith(enough, Input{Name: "s", Template: versioned}), CreateComplete, "")

	// A session policy limits the session.
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:CreateBucket","Resource":"*"}]}`), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	limited := *enough
	limited.Session = []policy.Source{{Kind: policy.SessionPolicy, Name: "session policy", Account: source, Document: d}}
	e.want(e.createWith(&limited, Input{Name: "s2", Template: strings.Replace(versioned, "BucketName: bbb", "BucketName: bb2", 1)}), RollbackComplete, "")

	// With a role for CloudFormation the caller need only be allowed to pass it.
	passer := e.session(source, "passer", "iam:PassRole")
	in := Input{Name: "s3", Template: strings.Replace(versioned, "BucketName: bbb", "BucketName: bb3", 1), RoleARN: "arn:aws:iam::111111111111:role/enough"}
	e.want(e.createWith(passer, in), CreateComplete, "")
	in.Name = "s4"
	_, err = e.Create(t.Context(), weak, in)
	if !errors.Is(err, fault.Denied) {
		t.Errorf("a caller passed a role without the right to: %v", err)
	}
}

// A stack answers to its own ARN only: a policy that denies an action on that
// ARN must not be got around by another spelling.
func TestARNIsExact(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", "Resources: {B: {Type: AWS::S3::Bucket}}")
	if _, err := e.Stack(source, s.ID); err != nil {
		t.Error(err)
	}
	for _, id := range []string{
		strings.Replace(s.ID, "arn:aws:", "arn:aws-cn:", 1), strings.Replace(s.ID, "arn:aws:", "arn:x:", 1), s.ID + "/", strings.ToUpper(s.ID),
	} {
		if _, err := e.Stack(source, id); !isNotFound(err) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// What a template makes of a few words is bounded for all resources together.
func TestResolvedSize(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var b strings.Builder
	b.WriteString("Resources:\n")
	for _, name := range strings.Split("abcdefghij", "") {
		b.WriteString("  " + name + ": {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub ['" + strings.Repeat("${a}", 500) +
			"', {a: '" + strings.Repeat("x", 1000) + "'}]}}\n")
	}
	_, err := e.Create(t.Context(), root(source), Input{Name: "s", Template: b.String()})
	code(t, err, "ValidationError", "Template error: the properties of all resources together have more than 4194304 bytes")
}

// A template with the policy of another account's bucket learns nothing of it.
func TestForeignBucketPolicy(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const bucketPolicy = `P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: bbb, PolicyDocument: {Statement: [{Effect: Deny, Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::bbb/*"}]}}}`
	e.want(e.create(destination, "d", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: bbb}}}"), CreateComplete, "")
	const refused = "The specified method is not allowed against this resource"
	without := e.create(source, "s1", "Resources: {"+bucketPolicy+"}")
	e.want(e.create(destination, "p", "Resources: {"+bucketPolicy+"}"), CreateComplete, "")
	with := e.create(source, "s2", "Resources: {"+bucketPolicy+"}")
	for _, s := range []*Stack{without, with} {
		if e.want(s, RollbackComplete, ""); !strings.Contains(e.story(s), refused) {
			t.Errorf("events:\n%s", e.story(s))
		}
	}
}

func TestIAMKinds(t *testing.T) {
	t.Parallel()
	const body = `
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      Path: /service-role/
      MaxSessionDuration: 7200
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
      Tags: [{Key: a, Value: b}]
      AssumeRolePolicyDocument: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
  M:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: shared
      Roles: [!Ref R]
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*", Condition: {Bool: {"aws:SecureTransport": true}}}]}
Outputs: {R: {Value: !GetAtt R.Arn}, M: {Value: !Ref M}, A: {Value: !GetAtt M.PolicyArn}}
`
	e := newEnv(t)
	s := e.create(source, "s", body)
	e.want(s, CreateComplete, "")
	name := s.Resource("R").Physical
	if !strings.HasPrefix(name, "s-R-") || s.Outputs[0].Value != "arn:aws:iam::111111111111:role/service-role/"+name {
		t.Errorf("role %q, outputs %v", name, s.Outputs)
	}
	if s.Outputs[1].Value != "arn:aws:iam::111111111111:policy/shared" || s.Outputs[2].Value != s.Outputs[1].Value {
		t.Errorf("outputs %v", s.Outputs)
	}
	r, err := e.IAM.GetRole(source, name)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Attached) != 2 || r.MaxSession.Hours() != 2 || r.Tags["a"] != "b" {
		t.Errorf("role %+v", r)
	}
	// A policy that someone else attached stops the deletion of the role.
	if err := e.IAM.PutInline(t.Context(), identity.RoleKind, source, name, "foreign", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`)); err != nil {
		t.Fatal(err)
	}
	s = e.remove(source, "s")
	e.want(s, DeleteFailed, "[R]")
	if !strings.Contains(e.story(s), "R DELETE_FAILED: Cannot delete entity, must delete policies first (Service: Iam, Status Code: 409, Error Code: DeleteConflict") {
		t.Errorf("events:\n%s", e.story(s))
	}
	if err := e.IAM.DeleteInline(t.Context(), identity.RoleKind, source, name, "foreign"); err != nil {
		t.Fatal(err)
	}
	e.want(e.remove(source, "s"), DeleteComplete, "")
}

func TestPublicPolicy(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", `
Resources:
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: bbb, PublicAccessBlockConfiguration: {BlockPublicPolicy: true}}}
  P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: !Ref B, PolicyDocument: {Statement: [{Effect: Allow, Principal: "*", Action: "s3:GetObject", Resource: !Sub "${B.Arn}/*"}]}}}
`)
	e.want(s, RollbackComplete, "")
	if !strings.Contains(e.story(s), "because public policies are prevented by the BlockPublicPolicy setting") {
		t.Errorf("events:\n%s", e.story(s))
	}
}

// Many callers at once: one of them makes the stack, and nothing is lost.
func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			if _, err := e.Create(t.Context(), root(source), Input{Name: "s", Template: oneBucket}); err == nil {
				mu.Lock()
				made++
				mu.Unlock()
			} else if fault.CodeOf(err) != "AlreadyExistsException" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d stacks were made", made)
	}
	for range 8 {
		wg.Go(func() {
			if err := e.Delete(t.Context(), root(source), Deletion{Name: "s"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := e.Stacks(source)
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	e.want(e.end(source, all[0].ID), DeleteComplete, "")
}

// A name is free as soon as its stack is deleted.
func TestNameIsFree(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for range 20 {
		e.want(e.create(source, "s", oneBucket), CreateComplete, "")
		e.want(e.remove(source, "s"), DeleteComplete, "")
	}
	// Deleting a stack that is being made waits for it.
	if _, err := e.Create(t.Context(), root(source), Input{Name: "s", Template: oneBucket}); err != nil {
		t.Fatal(err)
	}
	if err := e.Delete(t.Context(), root(source), Deletion{Name: "s"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(t.Context(), source, "s"); err != nil && !errors.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	if n := len(e.Store.Buckets()); n != 0 {
		t.Errorf("%d buckets are left", n)
	}
}

// After Stop nothing is begun.
func TestStopped(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Stop()
	if _, err := e.Create(t.Context(), root(source), Input{Name: "s", Template: oneBucket}); !errors.Is(err, fault.Closed) {
		t.Errorf("got %v, want fault.Closed", err)
	}
}

// What is given with NoEcho is not shown in events.
func TestSecrets(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.createWith(root(source), Input{
		Name: "s", Parameters: []Parameter{{Key: "P", Value: `top "secret"`}},
		Template: "Parameters: {P: {Type: String, NoEcho: true}}\nResources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: one, LifecycleConfiguration: {Rules: [{Id: !Sub 'x${P}', Status: Enabled, ExpirationInDays: 1}]}}}}",
	})
	e.want(s, CreateComplete, "")
	events, _, err := e.Events(source, "s", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range events {
		if strings.Contains(string(ev.Properties), "secret") {
			t.Errorf("event %s shows %s", ev.ID, ev.Properties)
		}
	}
	shown, err := s.Shown()
	if err != nil || shown[0].Value != "****" {
		t.Errorf("shown %v, %v", shown, err)
	}
	if set, err := lifecycle.Parse(e.bucket("one").Documents[bucket.Lifecycle]); err != nil || set.Rules[0].ID != `xtop "secret"` {
		t.Errorf("rules: %+v, %v", set, err)
	}
}
