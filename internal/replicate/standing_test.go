package replicate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/internal/ledger"
	"twinbucket/internal/replicate"
	"twinbucket/internal/testenv"
)

// twoRules is the scenario's configuration with a second rule, to Reports.
var twoRules = strings.Replace(testenv.Config, "</ReplicationConfiguration>",
	`<Rule><ID>more "of it"</ID><Priority>2</Priority><Filter><Prefix>m/</Prefix></Filter><Status>Enabled</Status>`+
		`<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>`+
		`<Destination><Bucket>arn:aws:s3:::`+testenv.Reports+`</Bucket></Destination></Rule></ReplicationConfiguration>`, 1)

// TestStandings follows two rules, of which one is taken away.
func TestStandings(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Bucket("other", testenv.Source)
	e.Document(testenv.SrcBucket, bucket.Replication, twoRules)
	e.Document("other", bucket.Replication, testenv.Config)
	all := ledger.Lane{Source: testenv.SrcBucket, Destination: testenv.DstBucket, Rule: "all"}
	more := ledger.Lane{Source: testenv.SrcBucket, Destination: testenv.Reports, Rule: `more "of it"`}
	other := ledger.Lane{Source: "other", Destination: testenv.DstBucket, Rule: "all"}
	now := time.Now()
	hold := func(step, source string, want ...replicate.Standing) {
		t.Helper()
		engine := replicate.New(replicate.Config{Store: e.Store, IAM: e.IAM, Rules: e.Rules, Now: func() time.Time { return now }})
		have, err := engine.Standings(t.Context(), source)
		e.Must(err)
		for i := range have {
			have[i].Last = 0
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", step, diff)
		}
	}
	at := func(l ledger.Lane, c ledger.Counts, latency time.Duration) replicate.Standing {
		return replicate.Standing{Entry: ledger.Entry{Lane: l, Counts: c}, Latency: latency}
	}
	hold("nothing was put", "", at(other, ledger.Counts{}, 0), at(all, ledger.Counts{}, 0), at(more, ledger.Counts{}, 0))
	a := e.Put(testenv.SrcBucket, "m/a", "12345")
	e.Put(testenv.SrcBucket, "b", "123")
	now = a.Modified.Add(time.Minute)
	hold("two are put", testenv.SrcBucket,
		at(all, ledger.Counts{Pending: 2, PendingBytes: 8}, time.Minute),
		at(more, ledger.Counts{Pending: 1, PendingBytes: 5}, time.Minute))
	hold("nothing in another bucket", "other", at(other, ledger.Counts{}, 0))
	now = a.Modified.Add(-time.Minute)
	hold("the clock was put back", testenv.SrcBucket,
		at(all, ledger.Counts{Pending: 2, PendingBytes: 8}, 0),
		at(more, ledger.Counts{Pending: 1, PendingBytes: 5}, 0))
	now = a.Modified.Add(time.Minute)
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	hold("the rule is gone, and one waits", testenv.SrcBucket,
		at(all, ledger.Counts{Pending: 2, PendingBytes: 8}, time.Minute),
		at(more, ledger.Counts{Pending: 1, PendingBytes: 5}, time.Minute))
	e.Start()
	e.Settled(a)
	e.Settled(e.Head(testenv.SrcBucket, "b", ""))
	carried := at(all, ledger.Counts{Completed: 2, CompletedBytes: 8}, 0)
	hold("the rule is gone, and one has failed", testenv.SrcBucket, carried, at(more, ledger.Counts{Failed: 1, Failures: 1}, 0))
	_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, a.Key, a.ID, testenv.Source)
	e.Must(err)
	hold("the rule is gone, and so is what failed", testenv.SrcBucket, carried)
	e.Document(testenv.SrcBucket, bucket.Replication, twoRules)
	hold("the rule is back", testenv.SrcBucket, carried, at(more, ledger.Counts{Failures: 1}, 0))
	testenv.Wait(t, func() (int, bool) { n := e.Replicate.InFlight(); return n, n == 0 })
}
