package iamapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/arn"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/policy"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const (
	src = "111111111111"
	dst = "222222222222"

	trustS3   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	trustRoot = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	readAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:List*"],"Resource":"*"}]}`
)

// world is a door with two accounts behind it, at a fixed time.
type world struct {
	t    *testing.T
	door http.Handler
	iam  *iam.Service
	now  time.Time
	root map[string]sigv4.Credentials // by account
}

func newWorld(t *testing.T) *world {
	s, err := store.Open(vfs.Memory(), "data", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, now: time.Date(2026, 6, 1, 12, 30, 0, 0, time.UTC), root: map[string]sigv4.Credentials{}}
	if w.iam, err = iam.New(catalog.New(s), func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"src": src, "dst": dst} {
		a, err := w.iam.EnsureAccount(t.Context(), name, id)
		if err != nil {
			t.Fatal(err)
		}
		w.root[id] = sigv4.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}
	}
	w.door = New(w.iam, "us-east-1")
	return w
}

// form makes parameters from "Name=value" texts. The first is the action.
func form(service, action string, params ...string) url.Values {
	f := url.Values{"Action": {action}, "Version": {apis[service].version}}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		f.Set(name, value)
	}
	return f
}

// send signs and sends a request.
func (w *world) send(cred sigv4.Credentials, service string, f url.Values) *httptest.ResponseRecorder {
	body := f.Encode()
	r := httptest.NewRequest(http.MethodPost, "http://localhost:9000/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if cred.AccessKey != "" {
		sum := sha256.Sum256([]byte(body))
		sigv4.Sign(r, cred, "us-east-1", service, hex.EncodeToString(sum[:]), w.now)
	}
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	return rec
}

// iamCall sends an IAM request as the root user of src and returns the status
// and the body.
func (w *world) iamCall(action string, params ...string) (int, string) {
	rec := w.send(w.root[src], "iam", form("iam", action, params...))
	return rec.Code, rec.Body.String()
}

// must is iamCall that has to succeed.
func (w *world) must(action string, params ...string) string {
	w.t.Helper()
	code, body := w.iamCall(action, params...)
	if code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", action, code, body)
	}
	return body
}

// secrets are what differs from run to run, and what stands for it in golden
// files.
var secrets = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`<RequestId>[0-9A-F]{16}</RequestId>`), "<RequestId>REQUEST</RequestId>"},
	{regexp.MustCompile(`(AROA|ANPA|AIDA|AGPA)[A-Z2-7]{17}\b`), "${1}EXAMPLEID"},
	{regexp.MustCompile(`(ASIA|AKIA)[A-Z2-7]{16}\b`), "${1}EXAMPLEKEY"},
	{regexp.MustCompile(`<SecretAccessKey>[^<]{40}</SecretAccessKey>`), "<SecretAccessKey>SECRET</SecretAccessKey>"},
	{regexp.MustCompile(`<SessionToken>[^<]{100,}</SessionToken>`), "<SessionToken>TOKEN</SessionToken>"},
}

// pretty puts each element on a line of its own and hides what differs.
func pretty(body string) string {
	for _, s := range secrets {
		body = s.pattern.ReplaceAllString(body, s.stands)
	}
	lines := strings.Split(strings.ReplaceAll(body, "><", ">\n<"), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if lines[i] == "</"+strings.TrimPrefix(lines[i-1], "<") {
			lines = slices.Replace(lines, i-1, i+1, lines[i-1]+lines[i])
		}
	}
	return strings.Join(lines, "\n")
}

// golden compares a transcript with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -rewrite writes it anew):\n%s", file, diff)
	}
}

// transcript runs requests of account src in order and returns them with
// their answers. A request is its action and parameters.
func (w *world) transcript(service string, requests [][]string) string {
	var b strings.Builder
	for _, q := range requests {
		rec := w.send(w.root[src], service, form(service, q[0], q[1:]...))
		b.WriteString("# " + strings.Join(q, "\n#   ") + "\n")
		b.WriteString(http.StatusText(rec.Code) + "\n" + pretty(rec.Body.String()) + "\n\n")
		if err := xml.Unmarshal(rec.Body.Bytes(), new(struct{})); err != nil {
			w.t.Errorf("%s: not XML: %v", q[0], err)
		}
	}
	return b.String()
}

func TestGoldenRoles(t *testing.T) {
	t.Parallel()
	const role, policy = "RoleName=repl", "PolicyArn=arn:aws:iam::111111111111:policy/team/reader"
	golden(t, "roles.golden", newWorld(t).transcript("iam", [][]string{
		{
			"CreateRole", role, "Path=/service-role/", "Description=copies <things>", "AssumeRolePolicyDocument=" + trustS3,
			"MaxSessionDuration=7200", "Tags.member.1.Key=team", "Tags.member.1.Value=storage",
		},
		{"CreateRole", role, "AssumeRolePolicyDocument=" + trustS3},
		{"CreateRole", "RoleName=bad", "AssumeRolePolicyDocument=" + readAll},
		{"GetRole", role},
		{"PutRolePolicy", role, "PolicyName=p", "PolicyDocument=" + readAll},
		{"PutRolePolicy", role, "PolicyName=p", "PolicyDocument={"},
		{"GetRolePolicy", role, "PolicyName=p"},
		{"GetRolePolicy", role, "PolicyName=q"},
		{"ListRolePolicies", role},
		{"CreatePolicy", "PolicyName=reader", "Path=/team/", "Description=reads", "PolicyDocument=" + readAll},
		{"AttachRolePolicy", role, policy},
		{"AttachRolePolicy", role, "PolicyArn=arn:aws:iam::aws:policy/None"},
		{"AttachRolePolicy", role, "PolicyArn=none"},
		{"ListAttachedRolePolicies", role},
		{"GetPolicy", policy},
		{"GetPolicyVersion", policy, "VersionId=v1"},
		{"GetPolicyVersion", policy, "VersionId=v2"},
		{"ListPolicyVersions", policy},
		{"ListPolicies", "Scope=Local"},
		{"PutRolePermissionsBoundary", role, "PermissionsBoundary=arn:aws:iam::aws:policy/AmazonS3FullAccess"},
		{"UpdateRole", role, "Description=copies more", "MaxSessionDuration=3600"},
		{"UpdateAssumeRolePolicy", role, "PolicyDocument=" + trustRoot},
		{"UpdateRoleDescription", role, "Description=copies all"},
		{"DeleteRolePermissionsBoundary", role},
		{"DeleteRolePermissionsBoundary", role},
		{"TagRole", role, "Tags.member.1.Key=Team", "Tags.member.1.Value=s", "Tags.member.2.Key=env", "Tags.member.2.Value="},
		{"ListRoleTags", role},
		{"UntagRole", role, "TagKeys.member.1=team"},
		{"ListRoleTags", role},
		{"ListRoles"},
		{"ListInstanceProfilesForRole", role},
		{"DeleteRole", role},
		{"DetachRolePolicy", role, policy},
		{"DetachRolePolicy", role, policy},
		{"DeleteRole", role},
		{"DeleteRolePolicy", role, "PolicyName=p"},
		{"DeleteRole", role},
		{"DeleteRole", role},
		{"DeletePolicy", policy},
		{"DeletePolicy", policy},
		{"GetUser"},
		{"GetUser", "UserName=ann"},
	}))
}

func TestGoldenPolicyVersions(t *testing.T) {
	t.Parallel()
	const policy, all = "PolicyArn=arn:aws:iam::111111111111:policy/reader", `PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	golden(t, "versions.golden", newWorld(t).transcript("iam", [][]string{
		{"CreatePolicy", "PolicyName=reader", "PolicyDocument=" + readAll},
		{"CreatePolicyVersion", policy, all},
		{"CreatePolicyVersion", policy, all, "SetAsDefault=true"},
		{"CreatePolicyVersion", policy, all, "SetAsDefault=perhaps"},
		{"CreatePolicyVersion", policy, "PolicyDocument={"},
		{"CreatePolicyVersion", policy},
		{"CreatePolicyVersion", "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", all},
		{"GetPolicy", policy},
		{"GetPolicyVersion", policy, "VersionId=v1"},
		{"GetPolicyVersion", policy, "VersionId=v3"},
		{"GetPolicyVersion", policy, "VersionId=3"},
		{"ListPolicyVersions", policy},
		{"SetDefaultPolicyVersion", policy, "VersionId=v2"},
		{"SetDefaultPolicyVersion", policy, "VersionId=v4"},
		{"CreatePolicyVersion", policy, all},
		{"CreatePolicyVersion", policy, all},
		{"CreatePolicyVersion", policy, all},
		{"DeletePolicyVersion", policy, "VersionId=v2"},
		{"DeletePolicyVersion", policy, "VersionId=v9"},
		{"DeletePolicy", policy},
		{"DeletePolicyVersion", policy, "VersionId=v1"},
		{"DeletePolicyVersion", policy, "VersionId=v3"},
		{"DeletePolicyVersion", policy, "VersionId=v4"},
		{"DeletePolicyVersion", policy, "VersionId=v5"},
		{"ListPolicyVersions", policy},
		{"DeletePolicy", policy},
		{"ListPolicyVersions", policy},
	}))
}

func TestGoldenSTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("CreateRole", "RoleName=ops", "AssumeRolePolicyDocument="+trustRoot)
	w.must("CreateRole", "RoleName=repl", "AssumeRolePolicyDocument="+trustS3)
	w.must("CreateRole", "RoleName=traced", "AssumeRolePolicyDocument="+strings.Replace(trustRoot, "sts:TagSession", "sts:SetSourceIdentity", 1))
	const ops, name = "RoleArn=arn:aws:iam::111111111111:role/ops", "RoleSessionName=test"
	golden(t, "sts.golden", w.transcript("sts", [][]string{
		{"GetCallerIdentity"},
		{"AssumeRole", ops, name},
		{
			"AssumeRole", ops, name, "DurationSeconds=900", "Policy=" + readAll, "PolicyArns.member.1.arn=arn:aws:iam::aws:policy/AdministratorAccess",
			"Tags.member.1.Key=team", "Tags.member.1.Value=red",
		},
		{"AssumeRole", "RoleArn=arn:aws:iam::111111111111:role/repl", name},
		{"AssumeRole", "RoleArn=arn:aws:iam::111111111111:role/none", name},
		{"AssumeRole", ops},
		{"AssumeRole", ops, "RoleSessionName=x"},
		{"AssumeRole", ops, name, "DurationSeconds=7200"},
		{"AssumeRole", ops, name, "DurationSeconds=long"},
		{"AssumeRole", ops, name, "SourceIdentity=ann"},
		{"AssumeRole", ops, name, "SourceIdentity="},
		{"AssumeRole", "RoleArn=arn:aws:iam::111111111111:role/traced", name, "SourceIdentity=ann"},
		{"AssumeRole", ops, name, "Tags.member.1.Key=team", "Tags.member.1.Value=red", "TransitiveTagKeys.member.1=Team"},
		{"AssumeRole", ops, name, "Tags.member.1.Key=team", "Tags.member.1.Value=red", "TransitiveTagKeys.member.1=cost"},
		{"AssumeRole", ops, name, "Tags.member.1.Key=team", "Tags.member.1.Value=red", "Tags.member.2.Key=Team", "Tags.member.2.Value=blue"},
		{"AssumeRole", ops, name, "SerialNumber=arn:aws:iam::111111111111:mfa/ann", "TokenCode=123456"},
		{"AssumeRole", ops, name, "SerialNumber=arn:aws:iam::111111111111:mfa/ann"},
		{"AssumeRole", ops, name, "SerialNumber=arn:aws:iam::111111111111:mfa/ann", "TokenCode=12345a"},
		{"AssumeRole", ops, name, "ProvidedContexts.member.1.ProviderArn=x"},
		{"DecodeAuthorizationMessage", "EncodedMessage=abc"},
		{"DecodeAuthorizationMessage"},
		{"GetAccessKeyInfo", "AccessKeyId=AKIAIOSFODNN7EXAMPLE"},
		{"GetAccessKeyInfo", "AccessKeyId=ASIAIOSFODNN7EXAMPLE"},
		{"GetAccessKeyInfo", "AccessKeyId=AKIA"},
		{"GetFederationToken", "Name=bob", "Policy=" + readAll, "DurationSeconds=900"},
		{"GetFederationToken", "Name=b"},
		{"GetFederationToken"},
		{"GetSessionToken"},
		{"GetSessionToken", "SerialNumber=GAHT12345678", "TokenCode=123456"},
		{"GetSessionToken", "DurationSeconds=10"},
		{"AssumeRoot"},
		{"Nonsense"},
	}))
}

// Whose a key is, every account is told, if its caller may ask.
func TestGetAccessKeyInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann")
	session, err := w.iam.GetSessionToken(&iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: src}}, 0, iam.MFA{})
	if err != nil {
		t.Fatal(err)
	}
	temporary := sigv4.Credentials{AccessKey: session.AccessKey, Secret: session.Secret, Token: session.Token}
	w.must("CreateRole", "RoleName=ops", "AssumeRolePolicyDocument="+trustRoot)
	w.must("PutRolePolicy", "RoleName=ops", "PolicyName=ask", `PolicyDocument={"Statement":{"Effect":"Allow","Action":"sts:GetAccessKeyInfo","Resource":"*"}}`)
	assumed, err := w.iam.AssumeRole(t.Context(), &iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: src, ARN: arn.Root(src)}}, iam.AssumeRole{RoleARN: "arn:aws:iam::111111111111:role/ops", Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ops := sigv4.Credentials{AccessKey: assumed.AccessKey, Secret: assumed.Secret, Token: assumed.Token}
	for _, c := range []struct {
		name string
		cred sigv4.Credentials
		key  string
		want string
	}{
		{"a root user's", w.root[src], w.root[dst].AccessKey, "<Account>222222222222</Account>"},
		{"a user's", w.root[dst], ann.AccessKey, "<Account>111111111111</Account>"},
		{"the session's own", ops, ops.AccessKey, "<Account>111111111111</Account>"},
		{"without permission", ann, ann.AccessKey, "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: sts:GetAccessKeyInfo because no identity-based policy allows the sts:GetAccessKeyInfo action"},
		{"with what GetSessionToken gave", temporary, ann.AccessKey, "Cannot call GetAccessKeyInfo with session credentials"},
	} {
		if rec := w.send(c.cred, "sts", form("sts", "GetAccessKeyInfo", "AccessKeyId="+c.key)); !strings.Contains(rec.Body.String(), c.want) {
			t.Errorf("%s: %s", c.name, rec.Body)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger := sigv4.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", Secret: "x"}
	tests := []struct {
		name    string
		cred    sigv4.Credentials
		service string
		form    url.Values
		status  int
		want    []string
	}{
		{"unsigned", sigv4.Credentials{}, "iam", form("iam", "ListRoles"), 403, []string{"<Code>MissingAuthenticationToken</Code>"}},
		{"unknown key", stranger, "sts", form("sts", "GetCallerIdentity"), 403, []string{"<Code>InvalidClientTokenId</Code>", `xmlns="https://sts.amazonaws.com/doc/2011-06-15/"`}},
		{"no action", w.root[src], "iam", url.Values{}, 400, []string{"<Code>MissingAction</Code>"}},
		{"other version", w.root[src], "iam", url.Values{"Action": {"ListRoles"}, "Version": {"2011-06-15"}}, 400, []string{"<Code>InvalidAction</Code>", "Could not find operation ListRoles for version 2011-06-15"}},
		{"action of sts at iam", w.root[src], "iam", form("iam", "AssumeRole"), 400, []string{"<Code>InvalidAction</Code>"}},
		{"not offered", w.root[src], "iam", form("iam", "CreateLoginProfile"), 501, []string{"<Code>NotImplemented</Code>", "CreateLoginProfile is not offered", "ListRoles"}},
		{"marker", w.root[src], "iam", form("iam", "ListRoles", "Marker=%"), 400, []string{"Invalid Marker."}},
		{"max items", w.root[src], "iam", form("iam", "ListRoles", "MaxItems=1001"), 400, []string{"Value at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000"}},
		{"max items text", w.root[src], "iam", form("iam", "ListRoles", "MaxItems=x"), 400, []string{"<Code>MalformedInput</Code>"}},
		{"path prefix", w.root[src], "iam", form("iam", "ListRoles", "PathPrefix=none"), 400, []string{"The specified value for pathPrefix is invalid."}},
		{"no tag key", w.root[src], "iam", form("iam", "TagRole", "RoleName=none", "Tags.member.1.Value=a"), 400, []string{"Value at 'tags.1.member.key' failed to satisfy constraint: Member must not be null"}},
		{"no tag value", w.root[src], "iam", form("iam", "TagRole", "RoleName=none", "Tags.member.1.Key=a"), 400, []string{"Value at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"}},
		{"tag key", w.root[src], "iam", form("iam", "TagRole", "RoleName=none", "Tags.member.1.Key=a", "Tags.member.1.Value=", "Tags.member.2.Key=*", "Tags.member.2.Value="), 400, []string{"Value at 'tags.2.member.key' failed to satisfy constraint: Member must satisfy regular expression"}},
		{"untagged key", w.root[src], "iam", form("iam", "UntagRole", "RoleName=none", "TagKeys.member.1=*"), 400, []string{"Value at 'tagKeys' failed to satisfy constraint"}},
		{"policy name", w.root[src], "iam", form("iam", "PutRolePolicy", "RoleName=none", "PolicyName=a/b", "PolicyDocument="+readAll), 400, []string{"The specified value for policyName is invalid."}},
		{"no role name", w.root[src], "iam", form("iam", "GetRole"), 400, []string{"Value at 'roleName' failed to satisfy constraint: Member must not be null"}},
		{"wrong service", w.root[src], "s3", form("iam", "ListRoles"), 403, []string{"<Code>SignatureDoesNotMatch</Code>"}},
	}
	for _, tt := range tests {
		rec := w.send(tt.cred, tt.service, tt.form)
		body := rec.Body.String()
		missing := slices.DeleteFunc(slices.Clone(tt.want), func(s string) bool { return strings.Contains(body, s) })
		if rec.Code != tt.status || len(missing) > 0 {
			t.Errorf("%s: %d, want %d; missing %q in\n%s", tt.name, rec.Code, tt.status, missing, body)
		}
	}
}

// TestGetRequest: the query protocol may also come in the URL.
func TestGetRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, "http://localhost:9000/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	sigv4.Sign(r, w.root[src], "us-east-1", "sts", sigv4.EmptyPayload, w.now)
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	if body, _ := io.ReadAll(rec.Body); rec.Code != http.StatusOK || !strings.Contains(string(body), "<Account>111111111111</Account>") {
		t.Errorf("%d %s", rec.Code, body)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []string{"c", "a", "e", "b", "d"}
	for _, name := range names {
		w.must("CreateRole", "RoleName="+name, "AssumeRolePolicyDocument="+trustS3)
	}
	for _, name := range names {
		w.must("CreatePolicy", "PolicyName="+name, "PolicyDocument="+readAll)
		w.must("PutRolePolicy", "RoleName=a", "PolicyName="+name, "PolicyDocument="+readAll)
	}
	const a = "PolicyArn=arn:aws:iam::111111111111:policy/a"
	for range 10 {
		w.must("CreatePolicyVersion", a, "PolicyDocument="+readAll, "SetAsDefault=true")
		if p, err := w.iam.GetPolicy(src, strings.TrimPrefix(a, "PolicyArn=")); err != nil || len(p.Versions) == iam.MaxVersions {
			w.must("DeletePolicyVersion", a, "VersionId="+p.Spare())
		}
	}
	w.must("CreatePolicyVersion", a, "PolicyDocument="+readAll)
	tests := []struct {
		action, element string
		params          []string
		want            string
	}{
		{"ListRoles", "RoleName", nil, "ab cd e"},
		{"ListPolicies", "PolicyName", []string{"Scope=Local"}, "ab cd e"},
		{"ListPolicies", "PolicyName", nil, "ab cd eAdministratorAccess AmazonS3FullAccessAmazonS3ReadOnlyAccess IAMFullAccessIAMReadOnlyAccess"},
		{"ListRolePolicies", "member", []string{"RoleName=a"}, "ab cd e"},
		{"ListPolicyVersions", "VersionId", []string{a}, "v12v11 v10v9 v8"},
		{"ListRoles", "RoleName", []string{"PathPrefix=/none/"}, ""},
		{"ListPolicies", "PolicyName", []string{"OnlyAttached=true"}, ""},
	}
	for _, tt := range tests {
		value := regexp.MustCompile(`<` + tt.element + `>([^<]*)<`)
		marker := regexp.MustCompile(`<IsTruncated>true</IsTruncated><Marker>([^<]*)<`)
		var pages []string
		params := append([]string{"MaxItems=2"}, tt.params...)
		for range 10 {
			body := w.must(tt.action, params...)
			page := ""
			for _, m := range value.FindAllStringSubmatch(body, -1) {
				page += m[1]
			}
			pages = append(pages, page)
			m := marker.FindStringSubmatch(body)
			if m == nil {
				break
			}
			params = append(params[:len(tt.params)+1:len(tt.params)+1], "Marker="+m[1])
		}
		if got := strings.Join(pages, " "); got != tt.want {
			t.Errorf("%s %v: pages %q, want %q", tt.action, tt.params, got, tt.want)
		}
	}
}

// between returns what stands in s between two texts.
func between(s, before, behind string) string {
	_, rest, _ := strings.Cut(s, before)
	text, _, _ := strings.Cut(rest, behind)
	return text
}

// TestAuthorized: each action is asked for, on the ARN of what it is about.
func TestAuthorized(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("CreateRole", "RoleName=ops", "AssumeRolePolicyDocument="+trustRoot)
	w.must("CreateRole", "RoleName=target", "Path=/p/", "AssumeRolePolicyDocument="+trustS3)
	root, err := w.iam.Authenticate(signed(w, w.root[src]), "sts")
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.iam.AssumeRole(t.Context(), root, iam.AssumeRole{RoleARN: "arn:aws:iam::111111111111:role/ops", Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	session := sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret, Token: s.Token}
	params := []string{
		"RoleName=target", "PolicyName=p", "PolicyDocument=" + readAll, "AssumeRolePolicyDocument=" + trustS3, "Description=x",
		"PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", "VersionId=v1", "PermissionsBoundary=arn:aws:iam::aws:policy/AdministratorAccess",
		"Tags.member.1.Key=a", "Tags.member.1.Value=b", "TagKeys.member.1=a", "UserName=ann", "GroupName=team", "Status=Active",
		"PolicySourceArn=arn:aws:iam::111111111111:role/p/target",
	}
	w.must("CreateUser", "UserName=ann", "Path=/p/")
	w.must("CreateGroup", "GroupName=team", "Path=/p/")
	params = append(params, "AccessKeyId="+between(w.must("CreateAccessKey", "UserName=ann"), "<AccessKeyId>", "<"))
	resources := map[string]string{
		"CreateRole": "role/target", "ListRoles": "role/", "CreatePolicy": "policy/p", "ListPolicies": "policy/", "ListEntitiesForPolicy": "aws", "ListOpenIDConnectProviders": "oidc-provider/*", "GetAccountSummary": "*", "SimulateCustomPolicy": "*", "GetContextKeysForCustomPolicy": "*",
		"CreateUser": "user/ann", "ListUsers": "user/", "CreateGroup": "group/team", "ListGroups": "group/",
		"GetPolicy": "aws", "GetPolicyVersion": "aws", "ListPolicyVersions": "aws", "DeletePolicy": "aws",
		"CreatePolicyVersion": "aws", "SetDefaultPolicyVersion": "aws", "DeletePolicyVersion": "aws",
	}
	for name := range iamActions {
		resource := "arn:aws:iam::111111111111:role/p/target"
		switch {
		case strings.Contains(name, "Group") && name != "ListGroupsForUser":
			resource = "arn:aws:iam::111111111111:group/p/team"
		case strings.Contains(name, "User") || strings.Contains(name, "AccessKey"):
			resource = "arn:aws:iam::111111111111:user/p/ann"
		}
		if r, ok := resources[name]; ok {
			resource = "arn:aws:iam::111111111111:" + r
			switch r {
			case "aws":
				resource = "arn:aws:iam::aws:policy/AdministratorAccess"
			case "*":
				resource = "*"
			}
		}
		want := "User: arn:aws:sts::111111111111:assumed-role/ops/test is not authorized to perform: iam:" + name + " on resource: " + resource +
			" because no identity-based policy allows the iam:" + name + " action"
		rec := w.send(session, "iam", form("iam", name, params...))
		if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: %d %s\nwant %s", name, rec.Code, rec.Body, want)
		}
	}
	rec := w.send(session, "sts", form("sts", "GetCallerIdentity"))
	if !strings.Contains(rec.Body.String(), "<Arn>arn:aws:sts::111111111111:assumed-role/ops/test</Arn>") {
		t.Errorf("GetCallerIdentity: %s", rec.Body)
	}
	// A trust policy knows from where the request comes.
	for address, want := range map[string]int{"192.0.2.0/24": 200, "198.51.100.0/24": 403} {
		w.must("UpdateAssumeRolePolicy", "RoleName=target", `PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/ops"},"Action":"sts:AssumeRole","Condition":{"IpAddress":{"aws:SourceIp":"`+address+`"}}}}`)
		rec := w.send(session, "sts", form("sts", "AssumeRole", "RoleArn=arn:aws:iam::111111111111:role/p/target", "RoleSessionName=test"))
		if rec.Code != want {
			t.Errorf("assuming from %s: %d %s", address, rec.Code, rec.Body)
		}
	}
	w.must("PutRolePolicy", "RoleName=ops", "PolicyName=p",
		`PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}}}}`)
	for name, want := range map[string]int{"AmazonS3ReadOnlyAccess": 200, "AdministratorAccess": 403} {
		rec := w.send(session, "iam", form("iam", "AttachRolePolicy", "RoleName=target", "PolicyArn=arn:aws:iam::aws:policy/"+name))
		if rec.Code != want {
			t.Errorf("attaching %s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

// TestOtherAccount: an account sees its own roles only.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("CreateRole", "RoleName=ops", "AssumeRolePolicyDocument="+trustRoot)
	for action, want := range map[string]string{"GetRole": "NoSuchEntity", "DeleteRole": "NoSuchEntity", "ListRoles": "<Roles></Roles>"} {
		rec := w.send(w.root[dst], "iam", form("iam", action, "RoleName=ops"))
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: %s", action, rec.Body)
		}
	}
}

// signed returns an empty signed request to STS.
func signed(w *world, cred sigv4.Credentials) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost:9000/", nil)
	sigv4.Sign(r, cred, "us-east-1", "sts", sigv4.EmptyPayload, w.now)
	return r
}
