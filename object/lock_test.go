package object

import (
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	soon, later, past := now.Add(time.Hour), now.Add(2*time.Hour), now.Add(-time.Hour)
	for _, tt := range []struct {
		lock              Lock
		bypass, protected bool
		next              Lock
		admitted          bool
	}{
		{lock: Lock{}, next: Lock{Mode: Compliance, Until: soon}, admitted: true},
		{lock: Lock{Hold: true}, protected: true, next: Lock{Mode: Governance, Until: soon}, admitted: true},
		{lock: Lock{Hold: true}, bypass: true, protected: true, next: Lock{}, admitted: true},
		{lock: Lock{Released: true}, next: Lock{}, admitted: true},
		{lock: Lock{Mode: Governance, Until: soon}, protected: true, next: Lock{Mode: Governance, Until: later}, admitted: true},
		{lock: Lock{Mode: Governance, Until: soon}, protected: true, next: Lock{Mode: Governance, Until: soon}, admitted: true},
		{lock: Lock{Mode: Governance, Until: later}, protected: true, next: Lock{Mode: Governance, Until: soon}},
		{lock: Lock{Mode: Governance, Until: later}, protected: true, next: Lock{}},
		{lock: Lock{Mode: Governance, Until: soon}, protected: true, next: Lock{Mode: Compliance, Until: later}},
		{lock: Lock{Mode: Governance, Until: later}, bypass: true, next: Lock{Mode: Governance, Until: soon}, admitted: true},
		{lock: Lock{Mode: Governance, Until: later}, bypass: true, next: Lock{}, admitted: true},
		{lock: Lock{Mode: Governance, Until: soon}, bypass: true, next: Lock{Mode: Compliance, Until: later}, admitted: true},
		{lock: Lock{Mode: Governance, Until: past}, next: Lock{}, admitted: true},
		{lock: Lock{Mode: Compliance, Until: soon}, bypass: true, protected: true, next: Lock{Mode: Compliance, Until: later}, admitted: true},
		{lock: Lock{Mode: Compliance, Until: later}, bypass: true, protected: true, next: Lock{Mode: Compliance, Until: soon}},
		{lock: Lock{Mode: Compliance, Until: soon}, bypass: true, protected: true, next: Lock{Mode: Governance, Until: later}},
		{lock: Lock{Mode: Compliance, Until: soon}, bypass: true, protected: true, next: Lock{}},
		{lock: Lock{Mode: Compliance, Until: now}, next: Lock{}, admitted: true},
	} {
		if got := tt.lock.Protects(now, tt.bypass); got != tt.protected {
			t.Errorf("%+v, bypass %v: protected %v", tt.lock, tt.bypass, got)
		}
		if got := tt.lock.Admits(tt.next, now, tt.bypass); got != tt.admitted {
			t.Errorf("%+v to %+v, bypass %v: admitted %v", tt.lock, tt.next, tt.bypass, got)
		}
	}
}
