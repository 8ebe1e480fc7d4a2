package replicate

import (
	"context"
	"slices"
	"strings"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/ledger"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
	"twinbucket/object"
)

// Failures says which failed deliveries of a bucket are meant: those that agree
// with every field that is not "".
type Failures struct {
	Prefix      string `json:"prefix,omitempty"` // of keys
	Destination string `json:"destinationBucket,omitempty"`
	Rule        string `json:"ruleId,omitempty"`
	Code        string `json:"code,omitempty"`
}

// Place is a version in the order of listings; the zero Place is before all.
type Place struct {
	Key       string `json:"key,omitempty"`
	VersionID string `json:"versionId,omitempty"`
}

// Retried is what came of a step of Retry.
type Retried struct {
	Scanned int       `json:"scanned"` // versions that were looked at
	Failed  int       `json:"failed"`  // deliveries that are meant
	Retried int       `json:"retried"` // of them, those that wait again
	Refused int       `json:"refused"` // of them, those that the caller may not have tried again
	Causes  []Failure `json:"causes,omitempty"`
	Next    *Place    `json:"next,omitempty"` // where to go on; nil at the end
}

// Failure counts deliveries that failed in a lane with one code.
type Failure struct {
	ledger.Lane
	Code      string `json:"code"`
	Count     int    `json:"count"`
	Key       string `json:"key"` // the first of them
	VersionID string `json:"versionId"`
	Reason    string `json:"reason"`
}

const (
	// retryStep bounds how many versions one Retry looks at, and so how long it
	// takes; the caller goes on from where it ended.
	retryStep = 50_000
	retryPage = 1000
)

// Retry has failed deliveries of a bucket's versions tried again, as many as one
// step finds behind after. May says of each version whether the caller may have
// it replicated. With dry it only says what it would do.
func (e *Engine) Retry(ctx context.Context, src *bucket.Bucket, which Failures, after Place, dry bool, may func(*store.Object) error) (Retried, error) {
	var out Retried
	for out.Scanned < retryStep {
		page, err := e.store.ListVersions(ctx, src.Name, store.VersionsOptions{Prefix: which.Prefix, AfterKey: after.Key, AfterID: after.VersionID, Max: retryPage})
		if err != nil {
			return out, err
		}
		var again []store.Retry
		for _, v := range page.Versions {
			out.Scanned++
			failed := which.of(v.Object)
			if len(failed) == 0 {
				continue
			}
			out.count(v.Object, failed)
			if may(v.Object) != nil {
				out.Refused += len(failed)
				continue
			}
			again = append(again, store.Retry{Source: v.Object, Destinations: destinations(failed)})
		}
		if !dry {
			n, err := e.store.Retry(ctx, again)
			if out.Retried += n; err != nil {
				return out, err
			}
		}
		if !page.Truncated {
			return out, nil
		}
		after = Place{page.NextKey, page.NextID}
	}
	out.Next = &after
	return out, nil
}

// of returns the deliveries of a version that are meant.
func (f *Failures) of(o *store.Object) (failed []object.Delivery) {
	for _, d := range o.Deliveries {
		if d.Status == object.Failed && agree(f.Destination, d.Bucket) && agree(f.Rule, d.Rule) && agree(f.Code, d.Code) {
			failed = append(failed, d)
		}
	}
	return failed
}

func agree(want, have string) bool { return want == "" || want == have }

func destinations(ds []object.Delivery) []string {
	names := make([]string, len(ds))
	for i, d := range ds {
		names[i] = d.Bucket
	}
	return names
}

func (r *Retried) count(o *store.Object, failed []object.Delivery) {
	for _, d := range failed {
		r.Failed++
		lane := ledger.Lane{Source: o.Bucket, Destination: d.Bucket, Rule: d.Rule}
		i := slices.IndexFunc(r.Causes, func(f Failure) bool { return f.Lane == lane && f.Code == d.Code })
		if i < 0 {
			i = len(r.Causes)
			r.Causes = append(r.Causes, Failure{Lane: lane, Code: d.Code, Key: o.Key, VersionID: o.ID, Reason: d.Reason})
		}
		r.Causes[i].Count++
	}
}

// final are the codes that no change of a policy, a rule or a bucket takes away.
var final = []string{"DstObjectHardDeleted", "DstVersionNotFound", "SrcVersionNotFound"}

// settling is how long after a change the causes of failures are looked at: what
// mends one is often several changes.
const settling = time.Second

// mend has what failed tried again once its cause is gone: whenever a bucket or an
// identity changes it asks, for what is FAILED, what asks each delivery.
func (e *Engine) mend(ctx context.Context) error {
	for {
		buckets, identities := e.store.BucketsChanged(), e.roles.iam.Changed()
		if err := e.mendAll(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("what had failed cannot be tried again; the next change of a bucket or an identity has it tried", "cause", err)
		}
		select {
		case <-buckets:
		case <-identities:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := wake.Sleep(ctx, settling); err != nil {
			return err
		}
	}
}

// mendAll goes through the buckets of which something failed.
func (e *Engine) mendAll(ctx context.Context) error {
	var sources []string
	e.store.EachLane(func(l ledger.Lane, c ledger.Counts) {
		if c.Failed > 0 && !slices.Contains(sources, l.Source) {
			sources = append(sources, l.Source)
		}
	})
	slices.SortFunc(sources, strings.Compare)
	for _, name := range sources {
		n, err := e.mendBucket(ctx, name)
		if err != nil {
			return err
		}
		if n > 0 {
			e.log.Info("what had failed is tried again: its cause is gone", "bucket", name, "deliveries", n)
		}
	}
	return nil
}

// mendBucket retries what of a bucket would not fail any more.
func (e *Engine) mendBucket(ctx context.Context, name string) (retried int, err error) {
	var after Place
	for {
		if err := e.Yield(ctx); err != nil {
			return retried, err
		}
		page, err := e.store.ListVersions(ctx, name, store.VersionsOptions{AfterKey: after.Key, AfterID: after.VersionID, Max: retryPage})
		if _, gone := e.store.Bucket(name); gone != nil {
			return retried, nil
		}
		if err != nil {
			return retried, err
		}
		var again []store.Retry
		for _, v := range page.Versions {
			var mended []string
			for _, d := range v.Deliveries {
				if d.Status == object.Failed && !slices.Contains(final, d.Code) && e.deliver(v.Object, d).Outcome.Status != object.Failed {
					mended = append(mended, d.Bucket)
				}
			}
			if len(mended) > 0 {
				again = append(again, store.Retry{Source: v.Object, Destinations: mended})
			}
		}
		n, err := e.store.Retry(ctx, again)
		if retried += n; err != nil || !page.Truncated {
			return retried, err
		}
		after = Place{page.NextKey, page.NextID}
	}
}
