package cfnapi

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/stack"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
	"twinbucket/policy"
	"twinbucket/role"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "111111111111"

// env is the door on a store in memory.
type env struct {
	t      *testing.T
	door   http.Handler
	stacks *stack.Engine
	store  *store.Store
	iam    *iam.Service
	key    iam.Account
}

func newEnv(t *testing.T) *env {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	s, err := store.Open(vfs.Memory(), "/data", store.Options{Log: quiet, CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c := catalog.New(s)
	who, err := iam.New(c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := who.EnsureAccount(t.Context(), "source", account)
	if err != nil {
		t.Fatal(err)
	}
	stacks := stack.New(stack.Deps{Store: s, Catalog: c, IAM: who, Region: "eu-west-1", Log: quiet})
	t.Cleanup(func() {
		stacks.Stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &env{
		t: t, stacks: stacks, store: s, iam: who, key: key,
		door: New(Config{Stacks: stacks, IAM: who, Store: s, Region: "eu-west-1", Domains: []string{"tb.example.com"}, Log: quiet}),
	}
}

// post sends a request in the name of the account's root user.
func (e *env) post(params ...string) (int, string) {
	e.t.Helper()
	form := url.Values{"Version": {version}, "Action": {params[0]}}
	for _, p := range params[1:] {
		k, v, _ := strings.Cut(p, "=")
		form.Set(k, v)
	}
	return e.send(form, sigv4.Credentials{AccessKey: e.key.AccessKey, Secret: e.key.Secret})
}

func (e *env) send(form url.Values, cred sigv4.Credentials) (int, string) {
	e.t.Helper()
	body := form.Encode()
	r := httptest.NewRequest(http.MethodPost, "http://twinbucket.test/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sum := sha256.Sum256([]byte(body))
	if cred.AccessKey != "" {
		sigv4.Sign(r, cred, "eu-west-1", "cloudformation", hex.EncodeToString(sum[:]), time.Now())
	}
	w := httptest.NewRecorder()
	e.door.ServeHTTP(w, r)
	data, err := io.ReadAll(w.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return w.Code, string(data)
}

// ok is post of a request that has to succeed.
func (e *env) ok(params ...string) string {
	e.t.Helper()
	status, body := e.post(params...)
	if status != http.StatusOK {
		e.t.Fatalf("%s: %d %s", params[0], status, body)
	}
	return body
}

// end waits for a stack.
func (e *env) end(name string) *stack.Stack {
	e.t.Helper()
	s, err := e.stacks.Wait(e.t.Context(), account, name)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// What differs from run to run.
var (
	uuids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	request = regexp.MustCompile(`<RequestId>[0-9A-F]{16}</RequestId>`)
	random  = regexp.MustCompile(`(shop-[A-Za-z]+-)[A-Z0-5]{12}`)
	between = regexp.MustCompile(`><`)
)

// golden compares an answer with a golden file, one element a line.
func golden(t *testing.T, name, body string) {
	t.Helper()
	body = uuids.ReplaceAllString(body, "UUID")
	body = times.ReplaceAllString(body, "TIME")
	body = request.ReplaceAllString(body, "<RequestId>ID</RequestId>")
	body = random.ReplaceAllString(body, "${1}RANDOM")
	body = between.ReplaceAllString(body, ">\n<") + "\n"
	file := filepath.Join("testdata", name+".xml")
	if *update {
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), body); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

const shop = `
Description: A role and a bucket
Metadata: {Team: shop}
Parameters:
  Name: {Type: String, Default: shop-data, Description: of the bucket, AllowedValues: [shop-data, shop-more]}
  Secret: {Type: String, NoEcho: true}
Resources:
  Role:
    Type: AWS::IAM::Role
    Metadata: {Why: tests}
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}
  Bucket:
    Type: AWS::S3::Bucket
    DependsOn: Role
    Properties: {BucketName: !Ref Name}
Outputs:
  Arn: {Description: of the bucket, Value: !GetAtt Bucket.Arn, Export: {Name: shop-arn}}
`

// Each answer of a stack's life is as in its golden file.
func TestLife(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	template := "TemplateBody=" + shop
	_, body := e.post("DescribeStacks", "StackName=shop")
	golden(t, "none", body)
	golden(t, "validate", e.ok("ValidateTemplate", template))
	golden(t, "summary", e.ok("GetTemplateSummary", template))
	golden(t, "create-change-set", e.ok("CreateChangeSet", "StackName=shop", "ChangeSetName=first", "ChangeSetType=CREATE", template, "Tags=",
		"Parameters.member.1.ParameterKey=Secret", "Parameters.member.1.ParameterValue=hush",
		"Capabilities.member.1=CAPABILITY_IAM", "Description=the first"))
	golden(t, "review", e.ok("DescribeStacks", "StackName=shop"))
	golden(t, "change-set", e.ok("DescribeChangeSet", "StackName=shop", "ChangeSetName=first"))
	golden(t, "execute", e.ok("ExecuteChangeSet", "StackName=shop", "ChangeSetName=first", "DisableRollback=false"))
	e.end("shop")
	golden(t, "created", e.ok("DescribeStacks", "StackName=shop"))
	golden(t, "events", e.ok("DescribeStackEvents", "StackName=shop"))
	golden(t, "resources", e.ok("DescribeStackResources", "StackName=shop"))
	golden(t, "resource", e.ok("DescribeStackResource", "StackName=shop", "LogicalResourceId=Role"))
	golden(t, "list-resources", e.ok("ListStackResources", "StackName=shop"))
	golden(t, "change-sets", e.ok("ListChangeSets", "StackName=shop"))
	if body := e.ok("GetTemplate", "StackName=shop"); !strings.Contains(body, "AWS::S3::Bucket") {
		t.Errorf("GetTemplate: %s", body)
	}
	golden(t, "update", e.ok("UpdateStack", "StackName=shop", "UsePreviousTemplate=true", "Capabilities.member.1=CAPABILITY_IAM",
		"Parameters.member.1.ParameterKey=Secret", "Parameters.member.1.UsePreviousValue=true",
		"Parameters.member.2.ParameterKey=Name", "Parameters.member.2.ParameterValue=shop-more",
		"Tags.member.1.Key=team", "Tags.member.1.Value=shop"))
	e.end("shop")
	golden(t, "updated", e.ok("DescribeStacks", "StackName=shop"))
	e.ok("CreateChangeSet", "StackName=shop", "ChangeSetName=second", "UsePreviousTemplate=true", "Capabilities.member.1=CAPABILITY_IAM",
		"Parameters.member.1.ParameterKey=Secret", "Parameters.member.1.UsePreviousValue=true")
	golden(t, "modify", e.ok("DescribeChangeSet", "StackName=shop", "ChangeSetName=second"))
	golden(t, "delete-change-set", e.ok("DeleteChangeSet", "StackName=shop", "ChangeSetName=second"))
	golden(t, "list", e.ok("ListStacks"))
	id := e.end("shop").ID
	golden(t, "delete", e.ok("DeleteStack", "StackName=shop"))
	if s := e.end(id); s.Status != stack.DeleteComplete {
		t.Errorf("the stack is %s", s.Status)
	}
	golden(t, "deleted", e.ok("DescribeStacks", "StackName="+id))
	if body := e.ok("DescribeStacks"); strings.Contains(body, "<member>") {
		t.Errorf("a deleted stack is described: %s", body)
	}
	if body := e.ok("ListStacks", "StackStatusFilter.member.1=DELETE_COMPLETE"); !strings.Contains(body, id) {
		t.Errorf("a deleted stack is not listed: %s", body)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const one = "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: one}}}"
	e.ok("CreateStack", "StackName=there", one)
	e.end("there")
	for _, c := range []struct {
		status int
		code   string
		text   string
		params []string
	}{
		{400, "ValidationError", "Stack with id nope does not exist", []string{"DescribeStacks", "StackName=nope"}},
		{400, "ValidationError", "Stack with id arn:aws:cloudformation:eu-west-1:222222222222:stack/there/x does not exist", []string{"DescribeStacks", "StackName=arn:aws:cloudformation:eu-west-1:222222222222:stack/there/x"}},
		{400, "AlreadyExistsException", "Stack [there] already exists", []string{"CreateStack", "StackName=there", one}},
		{400, "ValidationError", "No updates are to be performed.", []string{"UpdateStack", "StackName=there", one}},
		{400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]", []string{"CreateStack", "StackName=x", "TemplateBody=" + shop, "Parameters.member.1.ParameterKey=Secret", "Parameters.member.1.ParameterValue=x"}},
		{400, "ValidationError", "Parameters: [Secret] must have values", []string{"CreateStack", "StackName=x", "TemplateBody=" + shop, "Capabilities.member.1=CAPABILITY_IAM"}},
		{400, "ValidationError", "Either Template URL or Template Body must be specified.", []string{"ValidateTemplate"}},
		{400, "ValidationError", "Template format error: YAML not well-formed. (line 2)", []string{"ValidateTemplate", "TemplateBody=x: 1\na: b: c"}},
		{400, "ValidationError", "1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null", []string{"CreateStack", one}},
		{400, "ValidationError", "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200", []string{"ValidateTemplate", "TemplateBody=" + strings.Repeat("#", 51201)}},
		{400, "ValidationError", "TemplateURL must reference a valid S3 object to which you have access.", []string{"ValidateTemplate", "TemplateURL=https://example.com/x"}},
		{404, "ChangeSetNotFound", "ChangeSet [c] does not exist", []string{"DescribeChangeSet", "StackName=there", "ChangeSetName=c"}},
		{400, "ValidationError", "Resource Z does not exist for stack there", []string{"DescribeStackResource", "StackName=there", "LogicalResourceId=Z"}},
		{400, "ValidationError", "Stack for bucket-x does not exist", []string{"DescribeStackResources", "PhysicalResourceId=bucket-x"}},
		{400, "ValidationError", "DisableRollback must be true or false", []string{"CreateStack", "StackName=x", one, "DisableRollback=perhaps"}},
		{400, "ValidationError", "NextToken is not valid: x", []string{"ListStacks", "NextToken=x"}},
		{501, "NotImplemented", "The parameter TimeoutInMinutes is not supported.", []string{"CreateStack", "StackName=x", one, "TimeoutInMinutes=5"}},
		{501, "NotImplemented", "The parameter NotificationARNs is not supported.", []string{"CreateStack", "StackName=x", one, "NotificationARNs.member.1=arn:aws:sns:eu-west-1:111111111111:t"}},
		{501, "NotImplemented", "ContinueUpdateRollback is not offered by this server.", []string{"ContinueUpdateRollback", "StackName=there"}},
		{400, "InvalidAction", "Could not find operation Frobnicate for version 2010-05-15", []string{"Frobnicate"}},
	} {
		status, body := e.post(c.params...)
		want := fmt.Sprintf("<Code>%s</Code><Message>%s</Message>", c.code, c.text)
		if status != c.status || !strings.Contains(body, want) {
			t.Errorf("%v:\n got %d %s\nwant %d %s", c.params, status, body, c.status, want)
		}
	}
	if status, body := e.send(url.Values{"Action": {"ListStacks"}, "Version": {version}}, sigv4.Credentials{}); status != 403 || !strings.Contains(body, "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("unsigned: %d %s", status, body)
	}
}

// A template too long for a request is read from a bucket, as the caller.
func TestTemplateURL(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	if err := e.store.CreateBucket(ctx, &bucket.Bucket{Name: "templates", Owner: account, Region: "eu-west-1"}); err != nil {
		t.Fatal(err)
	}
	body := "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: one}}}\n" + strings.Repeat("# long\n", 10_000)
	if _, err := e.store.Put(ctx, store.Put{
		Version: object.Version{Bucket: "templates", Key: "a/b.template", Owner: account}, Body: strings.NewReader(body), Size: int64(len(body)),
	}); err != nil {
		t.Fatal(err)
	}
	for i, address := range []string{
		"https://s3.eu-west-1.amazonaws.com/templates/a/b.template", "http://127.0.0.1:9000/templates/a/b.template",
		"https://templates.s3.amazonaws.com/a/b.template", "https://templates.s3.eu-west-1.amazonaws.com/a/b.template",
		"https://s3-eu-west-1.amazonaws.com/templates/a/b.template", "https://templates.s3.dualstack.eu-west-1.amazonaws.com./a/b.template",
		"http://localhost:9000/templates/a/b.template", "http://[::1]:9000/templates/a/b.template", "http://templates.s3.localhost:9000/a/b.template",
		"https://TB.example.com/templates/a/b.template", "https://templates.tb.example.com/a/b.template", "http://twinbucket.test/templates/a/b.template",
	} {
		name := fmt.Sprintf("s%d", i)
		e.ok("CreateChangeSet", "ChangeSetType=CREATE", "ChangeSetName=c", "StackName="+name, "TemplateURL="+address)
	}
	for _, address := range []string{
		"https://s3.amazonaws.com/templates/none", "https://s3.amazonaws.com/other/x", "ftp://localhost/templates/a/b.template", "https://s3.amazonaws.com/templates",
		// Another server's, whatever is here under the same name.
		"https://example.com/templates/a/b.template", "https://s3.amazonaws.com.example.com/templates/a/b.template", "http://192.0.2.1:9000/templates/a/b.template",
		"https://ec2.amazonaws.com/templates/a/b.template", "https://templates.example.com/a/b.template", "/templates/a/b.template",
	} {
		if status, body := e.post("ValidateTemplate", "TemplateURL="+address); status != 400 || !strings.Contains(body, "<Message>TemplateURL must reference a valid S3 object to which you have access.</Message>") {
			t.Errorf("%s: %d %s", address, status, body)
		}
	}
	// Read as the caller, who may not.
	session := e.session(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`)
	status, answer := e.send(url.Values{"Action": {"ValidateTemplate"}, "Version": {version}, "TemplateURL": {"https://s3.amazonaws.com/templates/a/b.template"}}, session)
	if status != 400 || !strings.Contains(answer, "<Message>S3 error: Access Denied</Message>") {
		t.Errorf("without s3:GetObject: %d %s", status, answer)
	}
}

// Actions are authorized on the stack's ARN.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const one = "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: one}}}"
	e.ok("CreateStack", "StackName=app", one)
	e.end("app")
	e.ok("CreateStack", "StackName=passwords", strings.Replace(one, "one", "two", 1))
	e.end("passwords")
	session := e.session(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"arn:aws:cloudformation:eu-west-1:111111111111:stack/app*/*"}]}`)
	for _, c := range []struct {
		status int
		params url.Values
	}{
		{200, url.Values{"Action": {"DescribeStacks"}, "StackName": {"app"}}},
		{200, url.Values{"Action": {"DescribeStacks"}, "StackName": {e.end("app").ID}}},
		{400, url.Values{"Action": {"DescribeStacks"}, "StackName": {"app2"}}}, // allowed to ask
		{403, url.Values{"Action": {"DescribeStacks"}, "StackName": {"passwords"}}},
		{403, url.Values{"Action": {"DescribeStacks"}}},
		{403, url.Values{"Action": {"GetTemplate"}, "StackName": {e.end("passwords").ID}}},
		{403, url.Values{"Action": {"DeleteStack"}, "StackName": {"passwords"}}},
		{403, url.Values{"Action": {"ValidateTemplate"}, "TemplateBody": {one}}},
	} {
		c.params.Set("Version", version)
		status, body := e.send(c.params, session)
		if status != c.status {
			t.Errorf("%v: %d, want %d\n%s", c.params, status, c.status, body)
		}
	}
}

// A policy that denies executing a change set by its name means it however it
// is named in the request.
func TestChangeSetByARN(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const body = "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket}}"
	e.ok("CreateChangeSet", "StackName=app", "ChangeSetName=risky", "ChangeSetType=CREATE", body)
	set, err := e.stacks.ChangeSet(account, "app", "risky")
	if err != nil {
		t.Fatal(err)
	}
	session := e.session(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"cloudformation:ExecuteChangeSet","Resource":"*","Condition":{"StringEquals":{"cloudformation:ChangeSetName":"risky"}}}]}`)
	for _, form := range []url.Values{
		{"StackName": {"app"}, "ChangeSetName": {"risky"}},
		{"StackName": {"app"}, "ChangeSetName": {set.ID}},
		{"ChangeSetName": {set.ID}},
	} {
		form.Set("Action", "ExecuteChangeSet")
		form.Set("Version", version)
		if status, answer := e.send(form, session); status != http.StatusForbidden {
			t.Errorf("%v: %d\n%s", form, status, answer)
		}
	}
}

// session returns credentials of a role with that policy.
func (e *env) session(document string) sigv4.Credentials {
	e.t.Helper()
	ctx := e.t.Context()
	r := role.Role{
		Identity: identity.Identity{Account: account, Name: "test", Inline: map[string][]byte{"p": []byte(document)}},
		Trust:    []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}`),
	}
	made, err := e.iam.CreateRole(ctx, r)
	if err != nil {
		e.t.Fatal(err)
	}
	root := &iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: account, ARN: arn.Root(account), UserID: account}}
	s, err := e.iam.AssumeRole(ctx, root, iam.AssumeRole{RoleARN: made.ARN(), Name: "test"})
	if err != nil {
		e.t.Fatal(err)
	}
	return sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret, Token: s.Token}
}

func TestExportsAndImports(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const resources = "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: net-bucket}}}\n"
	e.ok("CreateStack", "StackName=net", "TemplateBody="+resources+"Outputs: {Name: {Value: !Ref B, Export: {Name: net}}}")
	id := e.end("net").ID
	if status, body := e.post("ListImports", "ExportName=net"); status != 400 || !strings.Contains(body, "<Message>Export 'net' is not imported by any stack.</Message>") {
		t.Errorf("%d %s", status, body)
	}
	e.ok("CreateStack", "StackName=app", "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Join [-, [app, !ImportValue net]]}}}")
	e.end("app")
	if got, want := e.ok("ListExports"), "<ListExportsResult><Exports><member><ExportingStackId>"+id+"</ExportingStackId><Name>net</Name><Value>net-bucket</Value></member></Exports></ListExportsResult>"; !strings.Contains(got, want) {
		t.Errorf("%s lacks %s", got, want)
	}
	if got, want := e.ok("ListImports", "ExportName=net"), "<ListImportsResult><Imports><member>app</member></Imports></ListImportsResult>"; !strings.Contains(got, want) {
		t.Errorf("%s lacks %s", got, want)
	}
	if _, err := e.store.Bucket("app-net-bucket"); err != nil {
		t.Error(err)
	}
}
