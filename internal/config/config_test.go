package config

import (
	"testing"

	"twinbucket/fault"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Key{
		"my-key":                      {ID: "my-key"},
		"111111111111/my-key":         {Account: "111111111111", ID: "my-key"},
		"111111111111/k=team/backups": {Account: "111111111111", ID: "k", Alias: "team/backups"},
		"k=alias/b":                   {ID: "k", Alias: "b"},
	} {
		if got, err := ParseKey(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "/k", "1/k", "111111111111/", "k=", "k=aws/s3", "a b", "111111111111/a/b", "k=a b"} {
		if k, err := ParseKey(bad); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%q: %+v, %v", bad, k, err)
		}
	}
}

func TestDisableKey(t *testing.T) {
	t.Parallel()
	keys := []Key{{ID: "k"}, {Account: "111111111111", ID: "k"}}
	if err := DisableKey(keys, "111111111111/k"); err != nil || keys[0].Disabled || !keys[1].Disabled {
		t.Errorf("%+v, %v", keys, err)
	}
	for _, name := range []string{"", "other", "222222222222/k"} {
		if err := DisableKey(keys, name); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParseAccount(t *testing.T) {
	t.Parallel()
	if a, err := ParseAccount("source=111111111111"); err != nil || a != (Account{"source", "111111111111"}) {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{"", "source", "=111111111111", "source=1", "a b=111111111111", "a]=111111111111", "source=11111111111a"} {
		if _, err := ParseAccount(bad); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
