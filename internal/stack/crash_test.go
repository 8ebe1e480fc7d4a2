package stack

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/vfs"
)

const crashBefore = `
Resources:
  A: {Type: AWS::S3::Bucket, Properties: {BucketName: aaa}}
  Old: {Type: AWS::S3::Bucket, DependsOn: A, Properties: {BucketName: old}}
  R: {Type: AWS::IAM::Role, DependsOn: A, Properties: {RoleName: r1, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Roles: [!Ref R], PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}
`

// crashAfter changes A, replaces R, moves P, drops Old, adds New, M and Q.
const crashAfter = `
Resources:
  A: {Type: AWS::S3::Bucket, Properties: {BucketName: aaa, OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}}}
  R: {Type: AWS::IAM::Role, DependsOn: A, Properties: {RoleName: r2, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Roles: [!Ref R], PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}
  New: {Type: AWS::S3::Bucket, DependsOn: P, Properties: {BucketName: new}}
  M: {Type: AWS::IAM::ManagedPolicy, DependsOn: New, Properties: {ManagedPolicyName: mmm, Roles: [!Ref R], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}
  Q: {Type: AWS::S3::BucketPolicy, DependsOn: M, Properties: {Bucket: !Ref New, PolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: "111111111111"}, Action: "s3:*", Resource: !GetAtt New.Arn}]}}}
`

const crashUsersBefore = `
Resources:
  G: {Type: AWS::IAM::Group, Properties: {GroupName: g1}}
  H: {Type: AWS::IAM::Group, Properties: {GroupName: hhh, Policies: [{PolicyName: p, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}]}}
  U: {Type: AWS::IAM::User, Properties: {UserName: u1, Groups: [!Ref G]}}
  V: {Type: AWS::IAM::User, Properties: {UserName: vvv}}
  K: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U}}
  A: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !Ref H, Users: [!Ref V]}}
  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Users: [!Ref U], Groups: [!Ref G], PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}
`

// crashUsersAfter replaces U with its key, turns the new one off, moves V and
// P, drops G, adds W, M and O.
const crashUsersAfter = `
Resources:
  H: {Type: AWS::IAM::Group, Properties: {GroupName: hhh, Path: /h/}}
  U: {Type: AWS::IAM::User, Properties: {UserName: u2, Groups: [!Ref H], Tags: [{Key: k, Value: v}]}}
  V: {Type: AWS::IAM::User, Properties: {UserName: vvv}}
  W: {Type: AWS::IAM::User, DependsOn: U, Properties: {UserName: www}}
  K: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U, Status: Inactive}}
  A: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !Ref H, Users: [!Ref W]}}
  P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Users: [!Ref W], Groups: [!Ref H], PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:Get*", Resource: "*"}]}}}
  M: {Type: AWS::IAM::ManagedPolicy, DependsOn: K, Properties: {ManagedPolicyName: mmm, Users: [!Ref U], Groups: [!Ref H], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}
  Q: {Type: AWS::IAM::UserPolicy, DependsOn: M, Properties: {PolicyName: q, UserName: !Ref U, PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}
`

var every = flag.Int64("every", 4, "crash at every n-th operation on the disk")

// world is what there is: buckets, identities with their policies, managed
// policies.
func (e *env) world() []string {
	var all []string
	for _, b := range e.Store.Buckets() {
		all = append(all, fmt.Sprintf("bucket %s %s %d", b.Name, b.Versioning, len(b.Documents)))
	}
	roles, _ := e.IAM.ListRoles(source, "", "", 100)
	for _, r := range roles {
		all = append(all, fmt.Sprintf("role %s %v %v", r.Name, r.Policies(), r.Attached))
	}
	users, _ := e.IAM.ListUsers(source, "", "", 100)
	for _, u := range users {
		all = append(all, fmt.Sprintf("user %s %v %v in %v with keys %v", u.ARN(), u.Policies(), u.Attached, u.Groups, states(u)))
	}
	groups, _ := e.IAM.ListGroups(source, "", "", 100)
	for _, g := range groups {
		all = append(all, fmt.Sprintf("group %s %v %v", g.ARN(), g.Policies(), g.Attached))
	}
	policies, _ := e.IAM.ListPolicies(source, "", "", 100)
	for _, p := range policies {
		all = append(all, "policy "+p.Name)
	}
	slices.Sort(all)
	return all
}

// states tells whether the access keys of a user are on; their ids are random.
func states(u *identity.User) []bool {
	var on []bool
	for _, k := range u.Keys {
		on = append(on, !k.Inactive)
	}
	return on
}

// secrets checks that the access keys of a stack are the users', with the
// secrets that the stack tells.
func (e *env) secrets(s *Stack) {
	e.t.Helper()
	for _, r := range s.Resources {
		if r.Type != "AWS::IAM::AccessKey" || r.Status != CreateComplete && r.Status != UpdateComplete {
			continue
		}
		_, owner, ok := e.IAM.KeyOwner(r.Physical)
		if !ok {
			e.t.Errorf("nobody has the key %s of stack %s", r.Physical, s.Name)
			continue
		}
		keys := e.user(owner).Keys
		if i, err := keys.Find(r.Physical); err != nil || keys[i].Secret != r.Attributes["SecretAccessKey"] {
			e.t.Errorf("the stack tells another secret of key %s: %v", r.Physical, err)
		}
	}
}

// Whenever the process ends in an operation, the next one brings the stack to
// an end: nothing is left half done, nothing is left over.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	t.Run("resources", func(t *testing.T) {
		t.Parallel()
		crashAnywhere(t, crashBefore, crashAfter, strings.NewReplacer("aaa", "ttt", "r2", "rt", "new", "tnew", "mmm", "tmm"))
	})
	t.Run("users", func(t *testing.T) {
		t.Parallel()
		crashAnywhere(t, crashUsersBefore, crashUsersAfter, strings.NewReplacer("hhh", "thh", "u2", "ut", "vvv", "tvv", "www", "tww", "mmm", "tmm"))
	})
}

// crashAnywhere tries it with a stack that is updated from one template to
// another, and one that is made from the other under names of its own.
func crashAnywhere(t *testing.T, crashBefore, crashAfter string, other *strings.Replacer) {
	bad := crashAfter + "  Bad: {Type: AWS::S3::Bucket, DependsOn: Q, Properties: {BucketName: BAD}}\n"
	create := func(body string) func(*env) error {
		return func(e *env) error {
			_, err := e.Create(e.t.Context(), root(source), Input{Name: "t", Template: body, Capabilities: all})
			return err
		}
	}
	update := func(body string) func(*env) error {
		return func(e *env) error {
			_, err := e.Update(e.t.Context(), root(source), Input{Name: "s", Template: body, Capabilities: all})
			return err
		}
	}
	for _, c := range []struct {
		name, stack string
		do          func(*env) error
		end         Status
		before      bool // the world ends as it was
	}{
		{"create", "t", create(other.Replace(crashAfter)), CreateComplete, false},
		{"create fails", "t", create(other.Replace(bad)), RollbackComplete, true},
		{"update", "s", update(crashAfter), UpdateComplete, false},
		{"update fails", "s", update(bad), UpdateRollbackComplete, true},
		{"delete", "s", func(e *env) error { return e.Delete(e.t.Context(), root(source), Deletion{Name: "s"}) }, DeleteComplete, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := vfs.Memory()
			e := open(t, base)
			e.want(e.create(source, "s", crashBefore), CreateComplete, "")
			before := e.world()
			e.close()
			var after []string
			known := false
			look := func(e *env) {
				got := e.world()
				if !known {
					after, known = got, true
					if c.before {
						after = before
					}
				}
				if d := gocmp.Diff(after, got); d != "" && gocmp.Diff(before, got) != "" {
					t.Errorf("neither what was nor what was to be (-after +got):\n%s", d)
				}
			}
			fs, _ := crashAt(t, base, 0, c.stack, c.do) // nothing fails
			if !recovered(t, fs, c.stack, c.end, look) {
				t.Fatal("the operation did not come to its end without faults")
			}
			for k := int64(1); ; k += *every {
				fs, failed := crashAt(t, base, k, c.stack, c.do)
				recovered(t, fs, c.stack, c.end, look)
				if t.Failed() {
					t.Fatalf("k=%d", k)
				}
				if !failed {
					if k < 20 {
						t.Errorf("only %d points to crash at", k)
					}
					return
				}
			}
		})
	}
}

// crashAt does something to a stack on a copy of base while from the k-th
// operation on the disk on all fail (0: none), and returns what is on the disk
// after that, and whether any failed.
func crashAt(t *testing.T, base vfs.Mem, k int64, stack string, do func(*env) error) (vfs.Mem, bool) {
	t.Helper()
	fs := base.Crash(0, nil)
	faults := &vfs.Faults{Under: "journal"}
	e := open(t, faults.Wrap(fs))
	opened := faults.Count()
	if k > 0 {
		faults.FailFrom(k)
	}
	if err := do(e); err == nil {
		if _, err := e.Wait(t.Context(), source, stack); err != nil && !errors.Is(err, fault.NotFound) {
			t.Logf("k=%d: %v", k, err)
		}
	}
	e.Stop()
	failed := k > 0 && faults.Count()-opened >= k
	crashed := fs.Crash(0, nil)
	if err := e.Store.Close(); err != nil && !failed {
		t.Error(err)
	}
	return crashed, failed
}

// recovered opens a crashed store, starts the engine, waits for the stack and
// calls look. It reports whether the stack came to the given end.
func recovered(t *testing.T, fs vfs.FS, stack string, end Status, look func(*env)) bool {
	t.Helper()
	r := open(t, fs)
	defer r.close()
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stacks, err := r.Stacks(source)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(stacks, func(a, b *Stack) int { return cmp.Compare(a.Name, b.Name) })
	done := false
	for _, s := range stacks {
		s = r.end(source, s.ID)
		r.secrets(s)
		switch {
		case s.Op != nil:
			t.Errorf("stack %s is stuck in %s: %+v", s.Name, s.Status, s.Op)
		case s.Name == stack && s.Status == end:
			done = true
		case s.Status != CreateComplete:
			t.Errorf("stack %s is %s (%s)\n%s", s.Name, s.Status, s.Reason, r.story(s))
		}
	}
	look(r)
	return done
}
