package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/vfs"
)

// people is a template with a user of everything: a group, a key, policies of
// each type.
const people = `
Parameters: {Serial: {Type: Number, Default: 1}, Status: {Type: String, Default: Active}, Path: {Type: String, Default: /}}
Resources:
  G: {Type: AWS::IAM::Group, Properties: {GroupName: staff, Path: !Ref Path, Policies: [{PolicyName: own, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:ListBucket", Resource: "*"}]}}]}}
  H: {Type: AWS::IAM::Group}
  U:
    Type: AWS::IAM::User
    Properties:
      UserName: ann
      Path: !Ref Path
      Groups: [!Ref G]
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
      PermissionsBoundary: arn:aws:iam::aws:policy/AmazonS3FullAccess
      Policies: [{PolicyName: own, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:PutObject", Resource: "*"}]}}]
      Tags: [{Key: team, Value: red}]
  K: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U, Serial: !Ref Serial, Status: !Ref Status}}
  A: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !Ref H, Users: [!Ref U]}}
  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: several, Users: [!Ref U], Groups: [!Ref G, !Ref H], PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}}}
  M: {Type: AWS::IAM::ManagedPolicy, Properties: {ManagedPolicyName: shared, Users: [!Ref U], Groups: [!Ref H], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}}}
  O: {Type: AWS::IAM::UserPolicy, Properties: {PolicyName: one, UserName: !Ref U, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}}}
  Q: {Type: AWS::IAM::GroupPolicy, Properties: {PolicyName: two, GroupName: !Ref G, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}}}
Outputs:
  User: {Value: !GetAtt U.Arn}
  Group: {Value: !GetAtt G.Arn}
  Key: {Value: !Ref K}
  Secret: {Value: !GetAtt K.SecretAccessKey}
  Own: {Value: !Ref O}
  Addition: {Value: !GetAtt A.Id}
`

// user returns a user, whom the stack s made.
func (e *env) user(name string) *identity.User {
	e.t.Helper()
	u, err := e.IAM.GetUser(source, name)
	if err != nil {
		e.t.Fatal(err)
	}
	return u
}

// output returns an output of a stack.
func output(s *Stack, name string) string {
	for _, o := range s.Outputs {
		if o.Name == name {
			return o.Value
		}
	}
	return ""
}

func TestUsers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.createWith(root(source), Input{Name: "s", Template: people, Capabilities: all, Tags: []Tag{{"team", "blue"}, {"cost", "1"}}})
	e.want(s, CreateComplete, "")
	generated := s.Resource("H").Physical
	if !strings.HasPrefix(generated, "s-H-") {
		t.Errorf("generated name %q", generated)
	}
	u := e.user("ann")
	got := fmt.Sprintln(u.Policies(), u.Attached, u.Boundary, u.Groups, u.Tags, len(u.Keys))
	want := fmt.Sprintln("[one own several]", "[arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess arn:aws:iam::111111111111:policy/shared]",
		"arn:aws:iam::aws:policy/AmazonS3FullAccess", []string{"staff", generated}, "map[cost:1 team:red]", 1)
	if got != want {
		t.Errorf("user %s, want %s", got, want)
	}
	g, err := e.IAM.GetGroup(source, "staff")
	if err != nil || !slices.Equal(g.Policies(), []string{"own", "several", "two"}) {
		t.Errorf("group %+v, %v", g, err)
	}
	for name, want := range map[string]string{
		"User": "arn:aws:iam::111111111111:user/ann", "Group": "arn:aws:iam::111111111111:group/staff", "Own": "one|ann",
		"Key": u.Keys[0].AccessKey, "Secret": u.Keys[0].Secret, "Addition": s.Resource("A").Physical,
	} {
		if got := output(s, name); got != want || got == "" {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	with := func(p ...Parameter) *Stack {
		t.Helper()
		id, err := e.Update(t.Context(), root(source), Input{Name: "s", UsePrevious: true, Parameters: p, Capabilities: all})
		if err != nil {
			t.Fatal(err)
		}
		s := e.end(source, id)
		e.want(s, UpdateComplete, "")
		return s
	}
	// A state is changed in place, and the secret is known as before.
	s = with(Parameter{Key: "Status", Value: "Inactive"})
	if k := e.user("ann").Keys[0]; !k.Inactive || k.AccessKey != output(s, "Key") || k.Secret != output(s, "Secret") || k.Secret != u.Keys[0].Secret {
		t.Errorf("key %+v, outputs %v", k, s.Outputs)
	}
	// Another serial is another key, and the first one goes.
	s = with(Parameter{Key: "Serial", Value: "2"})
	keys := e.user("ann").Keys
	if len(keys) != 1 || keys[0].Inactive || keys[0].AccessKey != output(s, "Key") || keys[0].Secret != output(s, "Secret") || keys[0].AccessKey == u.Keys[0].AccessKey {
		t.Errorf("keys %+v, outputs %v", keys, s.Outputs)
	}
	// A path is changed in place: whoever it is stays.
	s = with(Parameter{Key: "Serial", Value: "2"}, Parameter{Key: "Path", Value: "/p/"})
	if moved := e.user("ann"); moved.ID != u.ID || output(s, "User") != "arn:aws:iam::111111111111:user/p/ann" || output(s, "Group") != "arn:aws:iam::111111111111:group/p/staff" {
		t.Errorf("user %+v, outputs %v", moved, s.Outputs)
	}
	e.want(e.remove(source, "s"), DeleteComplete, "")
	users, _ := e.IAM.ListUsers(source, "", "", 10)
	groups, _ := e.IAM.ListGroups(source, "", "", 10)
	policies, _ := e.IAM.ListPolicies(source, "", "", 10)
	if len(users)+len(groups)+len(policies) > 0 {
		t.Errorf("left: %v %v %v", users, groups, policies)
	}
}

// An update changes what the template changed, and leaves alone what others
// gave.
func TestUpdatedUsers(t *testing.T) {
	t.Parallel()
	template := func(properties string) string {
		return `
Resources:
  G: {Type: AWS::IAM::Group, Properties: {GroupName: ggg}}
  H: {Type: AWS::IAM::Group, Properties: {GroupName: hhh}}
  U: {Type: AWS::IAM::User, DependsOn: [G, H], Properties: {UserName: ann` + properties + `}}
`
	}
	e := newEnv(t)
	e.want(e.create(source, "s", template(`, Groups: [ggg], Tags: [{Key: a, Value: b}], ManagedPolicyArns: ["arn:aws:iam::aws:policy/IAMReadOnlyAccess"]`)), CreateComplete, "")
	err := e.IAM.UpdateUser(t.Context(), source, "ann", func(u *identity.User) error {
		u.Groups = append(u.Groups, "hhh")
		u.Tags["hand"] = "made"
		u.Attached = append(u.Attached, "arn:aws:iam::aws:policy/AmazonS3FullAccess")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e.want(e.update(source, "s", template(`, Tags: [{Key: a, Value: c}]`)), UpdateComplete, "")
	u := e.user("ann")
	if got := fmt.Sprint(u.Groups, u.Tags, u.Attached); got != "[hhh] map[a:c hand:made] [arn:aws:iam::aws:policy/AmazonS3FullAccess]" {
		t.Errorf("user %s", got)
	}
	// Another name is another user.
	s := e.update(source, "s", strings.Replace(template(""), "ann", "bob", 1))
	e.want(s, UpdateComplete, "One or more resources could not be deleted.")
	if !strings.Contains(e.story(s), "U DELETE_FAILED: Cannot delete entity, must detach all policies first") {
		t.Errorf("events:\n%s", e.story(s))
	}
}

// What others gave a user or group stops its deletion.
func TestUsersInUse(t *testing.T) {
	t.Parallel()
	const template = `
Resources:
  G: {Type: AWS::IAM::Group, Properties: {GroupName: ggg}}
  U: {Type: AWS::IAM::User, Properties: {UserName: ann, Policies: [{PolicyName: own, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}]}}
`
	for _, c := range []struct {
		name, resource, want string
		give                 func(*env) error
	}{
		{"a key", "U", "Cannot delete entity, must delete access keys first", func(e *env) error {
			_, err := e.IAM.CreateKey(e.t.Context(), source, "ann")
			return err
		}},
		{"a group", "U", "Cannot delete entity, must remove users from group first", func(e *env) error {
			if _, err := e.IAM.CreateGroup(e.t.Context(), identity.Group{Identity: identity.Identity{Account: source, Name: "other"}}); err != nil {
				return err
			}
			return e.IAM.Join(e.t.Context(), source, "ann", "other")
		}},
		{"a policy", "G", "Cannot delete entity, must delete policies first", func(e *env) error {
			return e.IAM.PutInline(e.t.Context(), identity.GroupKind, source, "ggg", "foreign", []byte(`{"Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`))
		}},
		{"a member", "G", "Cannot delete entity, must remove users from group first", func(e *env) error {
			if _, err := e.IAM.CreateUser(e.t.Context(), identity.User{Identity: identity.Identity{Account: source, Name: "bob"}}); err != nil {
				return err
			}
			return e.IAM.Join(e.t.Context(), source, "bob", "ggg")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.want(e.create(source, "s", template), CreateComplete, "")
			if err := c.give(e); err != nil {
				t.Fatal(err)
			}
			s := e.remove(source, "s")
			e.want(s, DeleteFailed, "["+c.resource+"]")
			if want := c.resource + " DELETE_FAILED: " + c.want + " (Service: Iam, Status Code: 409, Error Code: DeleteConflict"; !strings.Contains(e.story(s), want) {
				t.Errorf("no %s in:\n%s", want, e.story(s))
			}
			if c.resource == "U" && len(e.user("ann").Inline) != 1 {
				t.Error("the user that is left has lost its policy")
			}
		})
	}
}

// What is there already is not taken over.
func TestUsersThatExist(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.want(e.create(source, "there", people), CreateComplete, "")
	before := e.world()
	for _, c := range []struct{ template, want string }{
		{"U: {Type: AWS::IAM::User, Properties: {UserName: Ann}}", "Ann already exists"},
		{"U: {Type: AWS::IAM::Group, Properties: {GroupName: staff}}", "staff already exists"},
		{`U: {Type: AWS::IAM::UserPolicy, Properties: {PolicyName: one, UserName: ann, PolicyDocument: {Statement: [{Effect: Deny, Action: "s3:*", Resource: "*"}]}}}`, "one|ann already exists"},
		{"U: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: staff, Users: [ann, nobody]}}", "The user with name nobody cannot be found"},
		{"K: {Type: AWS::IAM::AccessKey, Properties: {UserName: ann}}\n  L: {Type: AWS::IAM::AccessKey, DependsOn: K, Properties: {UserName: ann}}", "Cannot exceed quota for AccessKeysPerUser: 2"},
		{`U: {Type: AWS::IAM::Policy, Properties: {PolicyName: own, Users: [ann], Groups: [staff], Roles: [nobody], PolicyDocument: {Statement: [{Effect: Deny, Action: "s3:*", Resource: "*"}]}}}`, "The role with name nobody cannot be found"},
	} {
		s := e.create(source, "s", "Resources:\n  "+c.template+"\n")
		e.want(s, RollbackComplete, "")
		if !strings.Contains(e.story(s), " CREATE_FAILED: "+c.want) {
			t.Errorf("no %q in:\n%s", c.want, e.story(s))
		}
		e.remove(source, "s")
		if after := e.world(); !slices.Equal(before, after) {
			t.Errorf("%s: %v, before it %v", c.template, after, before)
		}
	}
	document, err := e.IAM.GetInline(identity.UserKind, source, "ann", "own")
	if err != nil || !strings.Contains(string(document), "PutObject") {
		t.Errorf("policy %s, %v", document, err)
	}
}

// An update of a membership that fails leaves everybody where they were.
func TestMembershipRollsBack(t *testing.T) {
	t.Parallel()
	template := func(addition string) string {
		return `
Resources:
  G: {Type: AWS::IAM::Group, Properties: {GroupName: ggg}}
  H: {Type: AWS::IAM::Group, Properties: {GroupName: hhh}}
  U: {Type: AWS::IAM::User, Properties: {UserName: uuu}}
  V: {Type: AWS::IAM::User, Properties: {UserName: vvv}}
  A: {Type: AWS::IAM::UserToGroupAddition, DependsOn: [G, H, U, V], Properties: ` + addition + `}
`
	}
	e := newEnv(t)
	e.want(e.create(source, "s", template("{GroupName: ggg, Users: [uuu]}")), CreateComplete, "")
	before := e.world()
	weak := e.session(source, "weak", "iam:AddUserToGroup")
	before = append(before, "role weak [p] []")
	slices.Sort(before)
	for _, c := range []struct {
		who            *iam.Caller
		addition, want string
	}{
		{root(source), "{GroupName: hhh, Users: [vvv, nobody]}", "The user with name nobody cannot be found"},
		{weak, "{GroupName: hhh, Users: [vvv]}", "is not authorized to perform: iam:RemoveUserFromGroup on resource: arn:aws:iam::111111111111:group/ggg"},
	} {
		if _, err := e.Update(t.Context(), c.who, Input{Name: "s", Template: template(c.addition), Capabilities: all}); err != nil {
			t.Fatal(err)
		}
		s := e.end(source, "s")
		e.want(s, UpdateRollbackComplete, "")
		if !strings.Contains(e.story(s), c.want) {
			t.Errorf("no %q in:\n%s", c.want, e.story(s))
		}
		if after := e.world(); !slices.Equal(before, after) {
			t.Errorf("%s: %v, before it %v", c.addition, after, before)
		}
	}
	e.want(e.update(source, "s", template("{GroupName: hhh, Users: [vvv]}")), UpdateComplete, "")
	if u, v := e.user("uuu"), e.user("vvv"); len(u.Groups) != 0 || !slices.Equal(v.Groups, []string{"hhh"}) {
		t.Errorf("in groups: %v, %v", u.Groups, v.Groups)
	}
}

// Each type needs the actions that IAM asks for, and no others.
func TestUserAuthorization(t *testing.T) {
	t.Parallel()
	const document = `PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}`
	for _, c := range []struct {
		name, template string
		actions        string // that make it, and delete it
	}{
		{"user", `{Type: AWS::IAM::User, Properties: {UserName: new}}`, "CreateUser DeleteUser"},
		{
			"user with everything", `{Type: AWS::IAM::User, Properties: {UserName: new, Groups: [there], Tags: [{Key: a, Value: b}], PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess", ManagedPolicyArns: ["arn:aws:iam::aws:policy/AdministratorAccess"], Policies: [{PolicyName: p, ` + document + `}]}}`,
			"CreateUser TagUser PutUserPolicy AttachUserPolicy AddUserToGroup DeleteUser DeleteUserPolicy DetachUserPolicy RemoveUserFromGroup",
		},
		{
			"group", `{Type: AWS::IAM::Group, Properties: {GroupName: new, ManagedPolicyArns: ["arn:aws:iam::aws:policy/AdministratorAccess"], Policies: [{PolicyName: p, ` + document + `}]}}`,
			"CreateGroup PutGroupPolicy AttachGroupPolicy DeleteGroup DeleteGroupPolicy DetachGroupPolicy",
		},
		{"key", `{Type: AWS::IAM::AccessKey, Properties: {UserName: there, Status: Inactive}}`, "CreateAccessKey UpdateAccessKey DeleteAccessKey"},
		{"addition", `{Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: there, Users: [there]}}`, "AddUserToGroup RemoveUserFromGroup"},
		{"policy", `{Type: AWS::IAM::Policy, Properties: {PolicyName: p, Users: [there], Groups: [there], ` + document + `}}`, "PutUserPolicy PutGroupPolicy DeleteUserPolicy DeleteGroupPolicy"},
		{"managed policy", `{Type: AWS::IAM::ManagedPolicy, Properties: {Users: [there], Groups: [there], ` + document + `}}`, "CreatePolicy AttachUserPolicy AttachGroupPolicy DeletePolicy DetachUserPolicy DetachGroupPolicy"},
		{"user policy", `{Type: AWS::IAM::UserPolicy, Properties: {PolicyName: p, UserName: there, ` + document + `}}`, "PutUserPolicy DeleteUserPolicy"},
		{"group policy", `{Type: AWS::IAM::GroupPolicy, Properties: {PolicyName: p, GroupName: there, ` + document + `}}`, "PutGroupPolicy DeleteGroupPolicy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.want(e.create(source, "base", "Resources: {U: {Type: AWS::IAM::User, Properties: {UserName: there}}, G: {Type: AWS::IAM::Group, Properties: {GroupName: there}}}"), CreateComplete, "")
			var acts []string
			for _, act := range strings.Fields(c.actions) {
				acts = append(acts, "iam:"+act)
			}
			try := func(role string, allowed []string) *Stack {
				t.Helper()
				who := e.session(source, role, append(allowed, "s3:GetObject")...)
				s := e.createWith(who, Input{Name: "s", Template: "Resources: {X: " + c.template + "}", Capabilities: all})
				if s.Status == CreateComplete {
					if err := e.Delete(t.Context(), who, Deletion{Name: s.ID}); err != nil {
						t.Fatal(err)
					}
					s = e.end(source, s.ID)
				}
				return s
			}
			e.want(try("all", slices.Clone(acts)), DeleteComplete, "")
			for i, act := range acts {
				s := try(fmt.Sprint("without", i), slices.Delete(slices.Clone(acts), i, i+1))
				if s.Status == DeleteComplete || !strings.Contains(e.story(s), "is not authorized to perform: "+act) {
					t.Errorf("without %s: %s\n%s", act, s.Status, e.story(s))
				}
				e.want(e.remove(source, s.ID), DeleteComplete, "")
			}
		})
	}
}

// IAM takes nothing of GetSessionToken, by way of a stack either, also after a
// restart: it would make a lasting key of one that ends.
func TestTemporaryCallersMakeNoKeys(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	e := open(t, fs)
	e.want(e.create(source, "base", "Resources: {U: {Type: AWS::IAM::User, Properties: {UserName: ann}}}"), CreateComplete, "")
	caller := root(source)
	caller.Verified = &sigv4.Verified{Token: "x"}
	key := "Resources: {B: {Type: AWS::S3::Bucket}, K: {Type: AWS::IAM::AccessKey, DependsOn: B, Properties: {UserName: ann}}}"
	if _, err := e.Create(t.Context(), caller, Input{Name: "s", Template: key, Capabilities: all}); err != nil {
		t.Fatal(err)
	}
	e.close()
	e = open(t, fs)
	defer e.close()
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := e.end(source, "s")
	e.want(s, RollbackComplete, "")
	if !strings.Contains(e.story(s), "K CREATE_FAILED: The security token included in the request is invalid (Service: Iam, Status Code: 403, Error Code: InvalidClientTokenId") {
		t.Errorf("events:\n%s", e.story(s))
	}
	if keys := e.user("ann").Keys; len(keys) != 0 {
		t.Errorf("keys %v", keys)
	}
}

// Conditions on the boundary and the tags of what is made decide, as they do
// for calls of IAM.
func TestUserConditions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := e.session(source, "delegate", "s3:GetObject")
	document := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:CreateUser","iam:PutUserPolicy"],"Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/AmazonS3FullAccess"}}},
		{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}},
		{"Effect":"Allow","Action":"iam:DeleteUser*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}]}`
	if err := e.IAM.PutInline(t.Context(), identity.RoleKind, source, "delegate", "p", []byte(document)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		properties string
		want       Status
	}{
		{`PermissionsBoundary: "arn:aws:iam::aws:policy/AmazonS3FullAccess", Tags: [{Key: team, Value: red}]`, CreateComplete},
		{`PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess", Tags: [{Key: team, Value: red}]`, RollbackComplete},
		{`Tags: [{Key: team, Value: red}]`, RollbackComplete},
		{`PermissionsBoundary: "arn:aws:iam::aws:policy/AmazonS3FullAccess", Tags: [{Key: team, Value: blue}]`, RollbackComplete},
		{`PermissionsBoundary: "arn:aws:iam::aws:policy/AmazonS3FullAccess", Tags: [{Key: team, Value: red}, {Key: more, Value: x}]`, RollbackComplete},
	} {
		template := `Resources: {U: {Type: AWS::IAM::User, Properties: {UserName: ann, ` + c.properties + `, Policies: [{PolicyName: p, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}]}}}`
		s := e.createWith(r, Input{Name: "s", Template: template, Capabilities: all})
		e.want(s, c.want, "")
		if err := e.Delete(t.Context(), r, Deletion{Name: s.ID}); err != nil {
			t.Fatal(err)
		}
		e.want(e.end(source, s.ID), DeleteComplete, "")
	}
}

// What is said of a session by conditions outlives a restart.
func TestActorsAreKept(t *testing.T) {
	t.Parallel()
	c := root(source)
	c.SourceIdentity, c.Issued, c.Tags = "ann", time.Now().UTC(), map[string]string{"team": "red"}
	data, err := json.Marshal(actorOf(c))
	if err != nil {
		t.Fatal(err)
	}
	var kept actor
	if err := json.Unmarshal(data, &kept); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c.Principal, kept.caller().Principal); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
