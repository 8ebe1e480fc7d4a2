package object

import "time"

// The modes of retention.
const (
	Governance = "GOVERNANCE" // who may bypass it can shorten it and delete
	Compliance = "COMPLIANCE" // nobody can
)

// Lock is a version's Object Lock state.
type Lock struct {
	Mode  string    // Governance, Compliance or ""
	Until time.Time // retain until; zero if Mode is ""
	Hold  bool      // legal hold
	// Released says that a legal hold was turned off: it is then shown as OFF,
	// and not as none.
	Released bool
}

// Retained reports whether the retention has not run out at now.
func (l *Lock) Retained(now time.Time) bool { return l.Mode != "" && now.Before(l.Until) }

// Protects reports whether the version must not be deleted at now. bypass is
// the right to bypass governance: it helps neither against Compliance nor
// against a legal hold.
func (l *Lock) Protects(now time.Time, bypass bool) bool {
	return l.Hold || l.Retained(now) && (l.Mode == Compliance || !bypass)
}

// Admits reports whether the retention may become the one of next at now.
// Compliance can only be extended, and so can Governance without bypass.
func (l *Lock) Admits(next Lock, now time.Time, bypass bool) bool {
	if !l.Retained(now) || bypass && l.Mode != Compliance {
		return true
	}
	return next.Mode == l.Mode && !next.Until.Before(l.Until)
}
