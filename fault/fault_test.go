package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{&Error{}, "failed"},
		{&Error{Kind: NotFound}, "not found"},
		{&Error{Op: "store.get", Kind: NotFound, Thing: "k"}, "store.get: k: not found"},
		{New(Invalid, "InvalidArgument", "no").On("x"), "x: InvalidArgument: no"},
		{&Error{Message: "no"}, "no"},
		{&Error{Code: "NoSuchKey"}, "NoSuchKey"},
		{&Error{Op: "a", Err: io.EOF}, "a: EOF"},
		{&Error{Op: "a", Kind: Busy, Err: io.EOF}, "a: temporarily unavailable: EOF"},
		{&Error{Kind: 200}, "kind 200"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	in := New(Invalid, "InvalidArgument", "no").With("ArgumentName", "a").With("ArgumentValue", "")
	got := DetailsOf(fmt.Errorf("outside: %w", Wrap("b", "thing", in)))
	if len(got) != 2 || got[0] != (Detail{"ArgumentName", "a"}) || got[1] != (Detail{"ArgumentValue", ""}) {
		t.Errorf("%+v", got)
	}
	if got := DetailsOf(io.EOF); got != nil {
		t.Errorf("of another error: %+v", got)
	}
}

func TestWrapKeepsWhatItWraps(t *testing.T) {
	t.Parallel()
	in := Newf(Busy, "SlowDown", "%d a second", 5).WithHint("wait %s", "a little")
	in.RetryAfter = time.Second
	err := fmt.Errorf("outside: %w", Wrap("b", "thing", fmt.Errorf("between: %w", in)))
	if !errors.Is(err, Busy) || errors.Is(err, Denied) || KindOf(err) != Busy || CodeOf(err) != "SlowDown" ||
		MessageOf(err) != "5 a second" || HintOf(err) != "wait a little" || RetryAfter(err) != time.Second {
		t.Errorf("%v: %v %q %q %q %v", err, KindOf(err), CodeOf(err), MessageOf(err), HintOf(err), RetryAfter(err))
	}
	if Wrap("op", "thing", nil) != nil {
		t.Error("nothing was wrapped into something")
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]Kind{
		nil: Other, io.EOF: Other, NotFound: NotFound, fmt.Errorf("x: %w", Closed): Closed,
		&Error{Err: &Error{Kind: Damaged}}: Damaged, &Error{Err: io.EOF}: Other,
	} {
		if got := KindOf(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	if CodeOf(io.EOF) != "" || HintOf(nil) != "" || RetryAfter(&Error{}) != 0 || !errors.Is(&Error{Err: io.EOF}, io.EOF) {
		t.Error("something was found where nothing is")
	}
	if Denied.Error() != "access denied" {
		t.Error(Denied.Error())
	}
}
