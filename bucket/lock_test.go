package bucket

import (
	"testing"
	"time"
)

func TestDefaultRetention(t *testing.T) {
	t.Parallel()
	const head, tail = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>", "</ObjectLockConfiguration>"
	day := time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC)
	for doc, want := range map[string]struct {
		Retention
		until time.Time
	}{
		"": {Retention{}, day},
		"<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>2</Days></DefaultRetention></Rule>":   {Retention{Mode: "GOVERNANCE", Days: 2}, day.AddDate(0, 0, 2)},
		"<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>1</Years></DefaultRetention></Rule>": {Retention{Mode: "COMPLIANCE", Years: 1}, day.AddDate(1, 0, 0)},
	} {
		b := &Bucket{Documents: map[Document][]byte{ObjectLock: []byte(head + doc + tail)}}
		got := b.DefaultRetention()
		if got != want.Retention || !got.Until(day).Equal(want.until) || !b.Locked() {
			t.Errorf("%s: %+v until %v", doc, got, got.Until(day))
		}
	}
	if b := (&Bucket{}); b.Locked() || b.DefaultRetention().Mode != "" {
		t.Error("a new bucket has Object Lock")
	}
}
