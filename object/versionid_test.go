package object

import (
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
)

func TestCheckID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		NullID:                         "",
		NewID(time.Now(), [12]byte{}):  "",
		strings.Repeat("a", 24):        "",
		strings.Repeat("Z", 1024):      "",
		"":                             "InvalidArgument",
		"short":                        "InvalidArgument",
		strings.Repeat("a", 1025):      "InvalidArgument",
		strings.Repeat("a", 24) + "/":  "InvalidArgument",
		strings.Repeat("a", 24) + " x": "InvalidArgument",
	} {
		if err := CheckID(id); fault.CodeOf(err) != want {
			t.Errorf("%.30q: %v, want %q", id, err, want)
		}
	}
}
