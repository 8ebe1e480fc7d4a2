package iam

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/vfs"
	"twinbucket/policy"
	"twinbucket/role"
)

// ann makes a user and returns it as a caller.
func (w *world) ann(path string) *Caller {
	w.t.Helper()
	u, err := w.CreateUser(w.ctx, identity.User{Identity: identity.Identity{Account: src, Path: path, Name: "ann"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return &Caller{Principal: u.Principal()}
}

func TestUsersDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.ann("/team/")
	if _, err := w.CreateGroup(w.ctx, identity.Group{Identity: identity.Identity{Account: src, Name: "Devs"}}); err != nil {
		t.Fatal(err)
	}
	may := func(want bool, action, key string, bucketPolicy ...string) {
		t.Helper()
		a := Access{Action: action, Resource: "arn:aws:s3:::b/" + key, ResourceAccount: src}
		if len(bucketPolicy) > 0 {
			a.Policy = []byte(bucketPolicy[0])
		}
		if err := w.Authorize(ann, a); (err == nil) != want {
			t.Errorf("%s %s: %v", action, key, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const read = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`
	const noSecrets = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::b/secret"}}`
	may(false, "s3:GetObject", "k")
	must(w.PutInline(w.ctx, identity.GroupKind, src, "devs", "read", []byte(read)))
	may(false, "s3:GetObject", "k")
	must(w.Join(w.ctx, src, "ann", "devs"))
	may(true, "s3:GetObject", "k")
	must(w.PutInline(w.ctx, identity.UserKind, src, "ann", "no", []byte(noSecrets)))
	may(false, "s3:GetObject", "secret")
	must(w.UpdateGroup(w.ctx, src, "DEVS", func(g *identity.Group) error { g.Name = "ops"; return nil }))
	may(true, "s3:GetObject", "k")

	// A boundary cuts what the policies allow, but not what the bucket's policy
	// gives to the user by name.
	must(w.UpdateUser(w.ctx, src, "ann", func(u *identity.User) error {
		u.Boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
		return nil
	}))
	must(w.Attach(w.ctx, identity.UserKind, src, "ann", "arn:aws:iam::aws:policy/AdministratorAccess"))
	may(true, "s3:GetObject", "k")
	may(false, "s3:PutObject", "k")
	may(true, "s3:PutObject", "k", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/team/ann"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}`)
	may(false, "s3:PutObject", "k", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}`)

	must(w.Leave(w.ctx, src, "ann", "ops"))
	must(w.DeleteInline(w.ctx, identity.GroupKind, src, "ops", "read"))
	must(w.DeleteGroup(w.ctx, src, "ops"))

	// Another user of the same name is another user.
	must(w.Detach(w.ctx, identity.UserKind, src, "ann", "arn:aws:iam::aws:policy/AdministratorAccess"))
	must(w.DeleteInline(w.ctx, identity.UserKind, src, "ann", "no"))
	must(w.DeleteUser(w.ctx, src, "ann"))
	again := w.ann("/team/")
	must(w.Attach(w.ctx, identity.UserKind, src, "ann", "arn:aws:iam::aws:policy/AdministratorAccess"))
	may(false, "s3:GetObject", "k")
	ann = again
	may(true, "s3:GetObject", "k")
}

func TestUsersAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ann("/")
	if _, err := w.CreateGroup(w.ctx, identity.Group{Identity: identity.Identity{Account: src, Name: "devs"}}); err != nil {
		t.Fatal(err)
	}
	key, err := w.CreateKey(w.ctx, src, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Join(w.ctx, src, "ann", "devs"); err != nil {
		t.Fatal(err)
	}
	if err := w.UpdateUser(w.ctx, src, "ann", func(u *identity.User) error { u.Name = "bob"; return nil }); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if _, err := w.GetUser(src, "ann"); fault.CodeOf(err) != "NoSuchEntity" {
		t.Errorf("the old name: %v", err)
	}
	account, user, ok := w.KeyOwner(key.AccessKey)
	if keys, err := w.Keys(src, "bob"); !ok || account != src || user != "bob" || err != nil || len(keys) != 1 || keys[0].Secret != key.Secret {
		t.Errorf("after a restart: %s/%s, %v", account, user, err)
	}
	if members, _ := w.Members(src, "devs", "", 10); len(members) != 1 || members[0].Name != "bob" {
		t.Errorf("the group has %v", members)
	}
	if err := w.DeleteUser(w.ctx, src, "bob"); fault.CodeOf(err) != "DeleteConflict" {
		t.Errorf("delete with a key and a group: %v", err)
	}
}

// TestRenamesAreWhole makes the k-th operation on the journal fail, with all
// that follow, for every k, and cuts the power: whoever was being renamed has
// one name, and is in one group.
func TestRenamesAreWhole(t *testing.T) {
	t.Parallel()
	for k := int64(1); ; k++ {
		mem, faults := vfs.Memory(), &vfs.Faults{Under: "journal"}
		w := worldOn(t, faults.Wrap(mem))
		w.ann("/")
		if _, err := w.CreateGroup(w.ctx, identity.Group{Identity: identity.Identity{Account: src, Name: "devs"}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Join(w.ctx, src, "ann", "devs"); err != nil {
			t.Fatal(err)
		}
		before := faults.Count()
		faults.FailFrom(k)
		toBob := w.UpdateUser(w.ctx, src, "ann", func(u *identity.User) error { u.Name = "bob"; return nil })
		toOps := w.UpdateGroup(w.ctx, src, "devs", func(g *identity.Group) error { g.Name = "ops"; return nil })
		seen := faults.Count() - before
		for _, disk := range []vfs.FS{mem.Crash(0, nil), mem.Crash(100, rand.New(rand.NewPCG(uint64(k), 1)))} {
			after := &world{t: t, ctx: w.ctx, disk: disk, clock: w.clock}
			after.start()
			users, _ := after.ListUsers(src, "/", "", 10)
			groups, _ := after.ListGroups(src, "/", "", 10)
			if len(users) != 1 || len(groups) != 1 || !slices.Equal(users[0].Groups, []string{groups[0].Name}) {
				t.Fatalf("at k=%d: users %v, groups %v", k, users, groups)
			}
			if toBob == nil && users[0].Name != "bob" || toOps == nil && groups[0].Name != "ops" {
				t.Errorf("at k=%d: after %v and %v there are user %s and group %s", k, toBob, toOps, users[0].Name, groups[0].Name)
			}
			after.stop()
		}
		if seen < k {
			if k < 4 {
				t.Fatalf("only %d operations were seen", seen)
			}
			return
		}
	}
}

func TestPoliciesNameUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.ann("/team/")
	for principal, want := range map[string]bool{
		`"arn:aws:iam::111111111111:user/team/ann"`: true, `"arn:aws:iam::111111111111:user/ann"`: false,
		`"` + ann.UserID + `"`: true, `"AIDAEXAMPLEEXAMPLE123"`: false,
	} {
		doc, err := policy.Parse([]byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":`+principal+`},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`), policy.Resource)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.CheckPrincipals(doc, src); (err == nil) != want {
			t.Errorf("%s: %v", principal, err)
		}
	}
}

// A document that was taken once and is refused today denies everything, and
// does not keep the server from starting.
func TestStoredDocumentsThatAreRefusedToday(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("reader", trustSrc, readSrc)
	r, err := w.GetRole(src, "reader")
	if err != nil {
		t.Fatal(err)
	}
	broken := r.Clone()
	broken.Inline = map[string][]byte{"p": []byte("{}"), "q": []byte(readSrc)}
	if err := w.roles.Update(w.ctx, nameKey(src, "reader"), func(stored *role.Role) error { *stored = *broken; return nil }); err != nil {
		t.Fatal(err)
	}
	w.restart()
	c := &Caller{Principal: broken.Session("x")}
	if err := w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/k", ResourceAccount: src}); err == nil {
		t.Error("a role with a policy that cannot be read may read")
	}
	broken.Inline, broken.Trust = map[string][]byte{"q": []byte(readSrc)}, []byte("{}")
	if err := w.roles.Update(w.ctx, nameKey(src, "reader"), func(stored *role.Role) error { *stored = *broken; return nil }); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if err := w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/k", ResourceAccount: src}); err != nil {
		t.Errorf("a good policy: %v", err)
	}
	root, _ := w.root(src)
	if _, err := w.AssumeRole(w.ctx, root, AssumeRole{RoleARN: r.ARN(), Name: "xx"}); err == nil {
		t.Error("a role with a trust policy that cannot be read is assumed")
	}
}

// A trust policy is for the user that it named when it was put.
func TestTrustIsBoundToWhoItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.ann("/")
	trust := `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/ann"},"Action":"sts:AssumeRole"}}`
	r := w.role("r", trust)
	if got := string(w.Unbind(r.Trust)); got != trust {
		t.Errorf("the trust policy is shown as %s", got)
	}
	assume := func(c *Caller) error {
		_, err := w.AssumeRole(w.ctx, c, AssumeRole{RoleARN: r.ARN(), Name: "xx"})
		return err
	}
	if err := assume(ann); err != nil {
		t.Error(err)
	}
	if err := w.DeleteUser(w.ctx, src, "ann"); err != nil {
		t.Fatal(err)
	}
	if got := string(w.Unbind(r.Trust)); !strings.Contains(got, ann.UserID) {
		t.Errorf("without the user it is shown as %s", got)
	}
	again := w.ann("/")
	if err := assume(again); err == nil {
		t.Error("another user of that name assumes the role")
	}
	if err := w.UpdateRole(w.ctx, src, "r", func(r *role.Role) error { r.Trust = []byte(trust); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := assume(again); err != nil {
		t.Error(err)
	}
}

// A key whose id was chosen before is made once, however often it is asked for.
func TestAddKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.CreateUser(w.ctx, identity.User{Identity: identity.Identity{Account: src, Name: "ann"}}); err != nil {
		t.Fatal(err)
	}
	id := NewKeyID()
	first, err := w.AddKey(w.ctx, src, "ann", identity.Key{AccessKey: id, Inactive: true})
	if err != nil || first.AccessKey != id || len(first.Secret) != 40 || !first.Inactive {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := w.AddKey(w.ctx, src, "ann", identity.Key{AccessKey: id})
	if err != nil || again != first {
		t.Errorf("%+v, %v; at first %+v", again, err, first)
	}
	if u, err := w.GetUser(src, "ann"); err != nil || len(u.Keys) != 1 {
		t.Errorf("%+v, %v", u, err)
	}
	_, err = w.AddKey(w.ctx, src, "nobody", identity.Key{AccessKey: id})
	wantError(t, err, fault.NotFound, "NoSuchEntity", "The user with name nobody cannot be found.")
}

// Nobody is in a group that does not exist.
func TestGroupsOfUsersExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := identity.User{Identity: identity.Identity{Account: src, Name: "ann"}, Groups: []string{"staff"}}
	_, err := w.CreateUser(w.ctx, u)
	wantError(t, err, fault.NotFound, "NoSuchEntity", "The group with name staff cannot be found.")
	if _, err := w.CreateGroup(w.ctx, identity.Group{Identity: identity.Identity{Account: src, Name: "staff"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateUser(w.ctx, u); err != nil {
		t.Error(err)
	}
}
