package iam

import (
	"errors"
	"testing"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/internal/sigv4"
)

// works reports whether an access key lets its owner in.
func (w *world) works(k identity.Key) bool {
	_, err := w.login(sigv4.Credentials{AccessKey: k.AccessKey, Secret: k.Secret})
	return err == nil
}

// rootKeys returns the keys of src's root user.
func (w *world) rootKeys() identity.Keys {
	w.t.Helper()
	keys, err := w.Keys(src, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

func TestRootKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.rootKeys()[0]
	second, err := w.CreateKey(w.ctx, src, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateKey(w.ctx, src, ""); fault.CodeOf(err) != "LimitExceeded" {
		t.Errorf("a third key: %v", err)
	}
	if len(w.rootKeys()) != 2 || !w.works(first) || !w.works(second) {
		t.Errorf("%+v", w.rootKeys())
	}
	shown := func(want identity.Key) {
		t.Helper()
		if _, cred := w.root(src); cred.AccessKey != want.AccessKey || cred.Secret != want.Secret {
			t.Errorf("the account shows %s, not %s", cred.AccessKey, want.AccessKey)
		}
	}
	shown(first)
	off := func(keys *identity.Keys) error { (*keys)[0].Inactive = true; return nil }
	if err := w.UpdateKeys(w.ctx, src, "", off); err != nil {
		t.Fatal(err)
	}
	shown(second)
	for range 2 {
		if w.works(first) || !w.works(second) {
			t.Error("the key that is off works, or the other does not")
		}
		w.restart()
	}
	_, err = w.login(sigv4.Credentials{AccessKey: first.AccessKey, Secret: first.Secret})
	wantError(t, err, fault.Unknown, "InvalidAccessKeyId", "does not exist in our records")
	if hint := "the key of the root user of account src is inactive: turn it on with UpdateAccessKey"; fault.HintOf(err) != hint {
		t.Error(fault.HintOf(err))
	}
	if err := w.UpdateKeys(w.ctx, src, "", func(keys *identity.Keys) error { *keys = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	shown(identity.Key{})
	w.restart()
	if len(w.rootKeys()) != 0 || w.works(second) {
		t.Error("a key that was deleted is there")
	}
	if account, user, ok := w.KeyOwner(second.AccessKey); ok {
		t.Errorf("it belongs to %s/%s", account, user)
	}

	// Whoever has the data directory gets in again.
	a, err := w.RotateKey(w.ctx, "src")
	if err != nil || len(w.rootKeys()) != 1 || !w.works(w.rootKeys()[0]) {
		t.Errorf("%+v, %v", a, err)
	}
	shown(w.rootKeys()[0])
	if _, err := w.Keys("333333333333", ""); fault.CodeOf(err) != "NoSuchEntity" {
		t.Errorf("keys of no account: %v", err)
	}
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.rootKeys()[0]
	second, err := w.CreateKey(w.ctx, src, "")
	if err != nil {
		t.Fatal(err)
	}
	var published []Account
	fails := error(nil)
	w.SetPublisher(func(all []Account) error { published = all; return fails })
	a, err := w.RotateKey(w.ctx, "src")
	if err != nil || len(a.Keys) != 1 || !w.works(a.Keys[0]) || w.works(first) || w.works(second) {
		t.Errorf("%+v, %v", a, err)
	}
	if len(published) != 2 || published[0].AccessKey != a.AccessKey || a.AccessKey == first.AccessKey {
		t.Errorf("%s, and published is %+v", a.AccessKey, published)
	}
	_, err = w.RotateKey(w.ctx, "nobody")
	wantError(t, err, fault.NotFound, "", `there is no account "nobody"`)
	if fault.HintOf(err) != "the accounts are: src, dst" {
		t.Error(fault.HintOf(err))
	}

	// A second key changes nothing of what is published.
	published = nil
	if _, err := w.CreateKey(w.ctx, src, ""); err != nil || published != nil {
		t.Errorf("%+v, %v", published, err)
	}
	// What was recorded holds, whether or not it could be published.
	fails = errors.New("no room")
	if _, err := w.RotateKey(w.ctx, "src"); !errors.Is(err, fails) || w.works(a.Keys[0]) || !w.works(w.rootKeys()[0]) {
		t.Errorf("%+v, %v", w.rootKeys(), err)
	}
}

func TestAddAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	published := 0
	w.SetPublisher(func(all []Account) error { published = len(all); return nil })
	a, made, err := w.AddAccount(w.ctx, "third", "333333333333")
	if err != nil || !made || published != 3 || !w.works(a.Keys[0]) {
		t.Errorf("%+v, %v, %v", a, made, err)
	}
	published = 0
	if again, made, err := w.AddAccount(w.ctx, "third", "333333333333"); err != nil || made || again.AccessKey != a.AccessKey || published != 3 {
		t.Errorf("%+v, %v, %v", again, made, err)
	}
	if _, made, err := w.AddAccount(w.ctx, "third", "444444444444"); !errors.Is(err, fault.Exists) || made || len(w.Accounts()) != 3 {
		t.Errorf("%v, %v", made, err)
	}
}

// TestAccountsOfBefore: a record of before there were several keys is read.
func TestAccountsOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := map[string]any{"name": "old", "id": "333333333333", "created": w.clock.Now(), "accessKey": "AKIAIOSFODNN7EXAMPLE", "secret": "s"}
	if _, err := catalog.Of[map[string]any](catalog.New(w.store), accountKind).Put(w.ctx, "333333333333", old, 0); err != nil {
		t.Fatal(err)
	}
	w.restart()
	want := identity.Key{AccessKey: "AKIAIOSFODNN7EXAMPLE", Secret: "s", Created: w.clock.Now()}
	if keys, err := w.Keys("333333333333", ""); err != nil || len(keys) != 1 || keys[0] != want || !w.works(want) {
		t.Errorf("%+v, %v", keys, err)
	}
}
