// Package fault holds the one error type of Twinbucket.
//
// An Error says which operation failed, how (its Kind), on which thing, and,
// where a person can act, a Hint: the next thing to do. Kinds are stable and
// are errors themselves, so callers test with errors.Is:
//
//	if errors.Is(err, fault.NotFound) { ... }
//
// Where AWS has a name for the failure (NoSuchKey, InvalidArgument, ...), Code
// carries it; HTTP statuses belong to the doors.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says how an operation failed. The zero Kind is Other.
type Kind uint8

// The kinds. Act on these, never on messages.
const (
	Other        Kind = iota // unclassified
	Invalid                  // the request or document is wrong; repeating it cannot help
	NotFound                 // the thing does not exist
	Exists                   // the thing exists already
	Denied                   // no permission
	Unknown                  // the caller's identity could not be established
	Conflict                 // the thing's state forbids this now
	Precondition             // a condition the caller set does not hold
	TooLarge                 // over a limit
	Unsupported              // understood, and not offered here
	Busy                     // passing trouble: try again later
	Damaged                  // stored data failed its checksum
	NoSpace                  // no room left
	Closed                   // the component has been closed
)

var kindNames = [...]string{
	Other: "failed", Invalid: "invalid", NotFound: "not found", Exists: "already exists",
	Denied: "access denied", Unknown: "not authenticated", Conflict: "conflict",
	Precondition: "precondition failed", TooLarge: "too large", Unsupported: "not supported",
	Busy: "temporarily unavailable", Damaged: "damaged data", NoSpace: "no space left", Closed: "closed",
}

// String returns the kind in plain words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

// Error is a failure. Every field but Kind may be empty.
type Error struct {
	Op         string        // the operation, as package.verb: "store.put"
	Kind       Kind          // how it failed
	Code       string        // AWS's code, such as "NoSuchBucket"
	Thing      string        // what it failed on: a bucket, an ARN, a file
	Message    string        // AWS's or our sentence for the caller
	Hint       string        // what the caller can do about it
	RetryAfter time.Duration // when Kind is Busy: how long to wait; 0 if unknown
	Details    []Detail      // what AWS tells beside the message, in its order
	Err        error         // the cause
}

// Detail is a fact that AWS tells beside a failure's message, under its name
// for it: ArgumentName, StringToSign, MaxSizeAllowed.
type Detail struct{ Name, Value string }

// Error formats the failure on one line, cause last; the hint is not part of it.
func (e *Error) Error() string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(e.Op)
	add(e.Thing)
	switch {
	case e.Message != "" && e.Code != "":
		add(e.Code + ": " + e.Message)
	case e.Message != "":
		add(e.Message)
	case e.Code != "":
		add(e.Code)
	case e.Err == nil || e.Kind != Other:
		add(e.Kind.String())
	}
	if e.Err != nil {
		add(e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's Kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && e.Kind == k
}

// New returns an Error with AWS's code and a message.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Newf is New with a formatted message.
func Newf(kind Kind, code, format string, args ...any) *Error {
	return New(kind, code, fmt.Sprintf(format, args...))
}

// Wrap adds an operation and a thing to err and keeps the kind, code, message
// and hint of the Error inside it, if there is one. Wrap of nil is nil.
func Wrap(op, thing string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Thing: thing, Kind: KindOf(err), RetryAfter: RetryAfter(err), Err: err}
}

// On sets the thing and returns e, for use where an Error is made.
func (e *Error) On(thing string) *Error {
	e.Thing = thing
	return e
}

// WithHint sets the hint and returns e, for use where an Error is made.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// With adds a detail and returns e, for use where an Error is made.
func (e *Error) With(name, value string) *Error {
	e.Details = append(e.Details, Detail{name, value})
	return e
}

// KindOf returns the kind of the outermost Error in err's chain that has one.
func KindOf(err error) Kind {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			var k Kind
			if errors.As(err, &k) {
				return k
			}
			return Other
		}
		if e.Kind != Other {
			return e.Kind
		}
		err = e.Err
	}
	return Other
}

// find returns the first non-empty value of field along err's chain.
func find(err error, field func(*Error) string) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if v := field(e); v != "" {
			return v
		}
		err = e.Err
	}
	return ""
}

// CodeOf returns AWS's code for err, or "" if it has none.
func CodeOf(err error) string { return find(err, func(e *Error) string { return e.Code }) }

// HintOf returns the outermost hint, or "".
func HintOf(err error) string { return find(err, func(e *Error) string { return e.Hint }) }

// MessageOf returns the outermost message for the caller, or "".
func MessageOf(err error) string { return find(err, func(e *Error) string { return e.Message }) }

// DetailsOf returns the details of the outermost Error in err's chain that has
// any; do not modify them.
func DetailsOf(err error) []Detail {
	var e *Error
	for err != nil && errors.As(err, &e) {
		if len(e.Details) > 0 {
			return e.Details
		}
		err = e.Err
	}
	return nil
}

// RetryAfter returns how long err asks to wait, or 0.
func RetryAfter(err error) time.Duration {
	var e *Error
	for err != nil && errors.As(err, &e) {
		if e.RetryAfter > 0 {
			return e.RetryAfter
		}
		err = e.Err
	}
	return 0
}
