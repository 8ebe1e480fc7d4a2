package acl

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanned(t *testing.T) {
	t.Parallel()
	full := Grant{ID: "o", Permission: FullControl}
	for _, tt := range []struct {
		name, bucketOwner string
		want              List
		public, beyond    bool
	}{
		{"private", "", nil, false, false},
		{"public-read", "", List{full, {Group: AllUsers, Permission: Read}}, true, true},
		{"public-read-write", "b", List{full, {Group: AllUsers, Permission: Read}, {Group: AllUsers, Permission: Write}}, true, true},
		{"authenticated-read", "b", List{full, {Group: AuthenticatedUsers, Permission: Read}}, true, true},
		{"aws-exec-read", "", List{full, {ID: BundleReader, Permission: Read}}, false, true},
		{"log-delivery-write", "", List{full, {Group: LogDelivery, Permission: Write}, {Group: LogDelivery, Permission: ReadACP}}, false, true},
		{"log-delivery-write", "b", nil, false, false},
		{"bucket-owner-read", "b", List{full, {ID: "b", Permission: Read}}, false, true},
		{"bucket-owner-full-control", "b", List{full, {ID: "b", Permission: FullControl}}, false, true},
		{"bucket-owner-full-control", "o", nil, false, false},
		{"bucket-owner-read", "", nil, false, false},
	} {
		got, ok := Canned(tt.name, "o", tt.bucketOwner)
		if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
			t.Errorf("%s: %v %s", tt.name, ok, diff)
		}
		if got.Public() != tt.public || got.Beyond("o") != tt.beyond {
			t.Errorf("%s: public %v, beyond %v", tt.name, got.Public(), got.Beyond("o"))
		}
		for _, g := range got {
			if !g.Permission.Valid() || g.Group != "" && !ValidGroup(g.Group) {
				t.Errorf("%s: %+v", tt.name, g)
			}
		}
	}
	for _, bad := range []string{"", "PRIVATE", "public"} {
		if _, ok := Canned(bad, "o", ""); ok {
			t.Errorf("%q is canned", bad)
		}
	}
	if Permission("ALL").Valid() || ValidGroup("AllUsers") {
		t.Error("what is not valid is")
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	l := List{
		{ID: "o", Permission: FullControl},
		{ID: "a", Permission: Read},
		{ID: "a", Permission: WriteACP},
		{Group: AuthenticatedUsers, Permission: Write},
		{Group: AllUsers, Permission: ReadACP},
		{Group: LogDelivery, Permission: Read},
	}
	anonymous, signed := Caller{}, Caller{ID: "x", Signed: true}
	a := Caller{ID: "a", Signed: true}
	for _, tt := range []struct {
		caller Caller
		p      Permission
		want   Grant
		ok     bool
	}{
		{Caller{ID: "o", Signed: true}, WriteACP, Grant{ID: "o", Permission: FullControl}, true},
		{Caller{ID: "o", Signed: true}, Write, Grant{Group: AuthenticatedUsers, Permission: Write}, true},
		{a, Read, Grant{ID: "a", Permission: Read}, true},
		{a, WriteACP, Grant{ID: "a", Permission: WriteACP}, true},
		{signed, Read, Grant{}, false},
		{signed, Write, Grant{Group: AuthenticatedUsers, Permission: Write}, true},
		{signed, ReadACP, Grant{Group: AllUsers, Permission: ReadACP}, true},
		{anonymous, Write, Grant{}, false},
		{anonymous, ReadACP, Grant{Group: AllUsers, Permission: ReadACP}, true},
		{anonymous, Read, Grant{}, false},
		{Caller{Strict: true}, ReadACP, Grant{}, false},
		{Caller{ID: "x", Signed: true, Strict: true}, Write, Grant{}, false},
		{Caller{ID: "a", Signed: true, Strict: true}, Read, Grant{ID: "a", Permission: Read}, true},
	} {
		if got, ok := l.Find(tt.caller, tt.p); got != tt.want || ok != tt.ok {
			t.Errorf("%+v %s: %+v %v", tt.caller, tt.p, got, ok)
		}
	}
	if _, ok := List(nil).Find(a, Read); ok || List(nil).Or("o")[0] != l[0] || len(List{}.Or("o")) != 0 {
		t.Error("a list that is not there")
	}
}
