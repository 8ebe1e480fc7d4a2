package config

import (
	"testing"

	"twinbucket/fault"
)

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
