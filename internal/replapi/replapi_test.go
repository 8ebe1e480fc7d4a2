package replapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/prove"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is the door of a store in which two of three objects have failed.
type door struct {
	*testenv.Env
	url  string
	http *http.Client
}

func open(t *testing.T) *door {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, append(testenv.DstGrants, "!s3:ReplicateTags arn:aws:s3:::"+testenv.DstBucket+"/*")...))
	e.Start()
	for i, tags := range [][]object.Tag{{{Key: "k", Value: "v"}}, {{Key: "k", Value: "w"}}, nil} {
		e.Settled(e.Put(testenv.SrcBucket, fmt.Sprintf("key %d", i), "12345", tags...))
	}
	s := httptest.NewServer(New(Config{Engine: e.Replicate, Proofs: prove.New(prove.Config{Store: e.Store, Catalog: e.Catalog}), Store: e.Store, IAM: e.IAM, Region: testenv.Region}))
	t.Cleanup(s.Close)
	return &door{e, s.URL, s.Client()}
}

// as is a client of an account's root user.
func (d *door) as(account string) *client.Client {
	d.T.Helper()
	cfg := client.Config{Endpoint: d.url, HTTP: d.http}
	for _, a := range d.IAM.Accounts() {
		if a.ID == account {
			cfg.Credentials = client.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}
		}
	}
	c, err := client.New(cfg)
	d.Must(err)
	return c
}

func TestReplication(t *testing.T) {
	t.Parallel()
	d := open(t)
	got, err := d.as(testenv.Source).Replication(t.Context(), testenv.SrcBucket)
	d.Must(err)
	if len(got.Verified) > 0 {
		t.Errorf("before any look: %+v", got.Verified)
	}
	want := []client.Lane{{
		Source: testenv.SrcBucket, Destination: testenv.DstBucket, Rule: "all",
		Failed: 2, Completed: 1, CompletedBytes: 5, Failures: 2,
	}}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Error(diff)
	}
	if got, err := d.as(testenv.Destination).Replication(t.Context(), testenv.DstBucket); err != nil || len(got.Rules) != 0 {
		t.Errorf("of a bucket without a configuration: %v, %v", got, err)
	}
}

// TestVerified: what a pass has seen of the replicas is told.
func TestVerified(t *testing.T) {
	t.Parallel()
	d := open(t)
	o, err := d.Store.SetTags(t.Context(), testenv.DstBucket, "key 2", d.Head(testenv.SrcBucket, "key 2", "").ID, []object.Tag{{Key: "a", Value: "b"}})
	d.Must(err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- prove.New(prove.Config{Store: d.Store, Catalog: d.Catalog, Every: time.Millisecond, Log: slog.New(slog.DiscardHandler)}).Run(ctx, t.Context())
	}()
	got := testenv.Wait(t, func() (*client.Replication, bool) {
		got, err := d.as(testenv.Source).Replication(t.Context(), testenv.SrcBucket)
		d.Must(err)
		return got, len(got.Verified) > 0
	})
	stop()
	d.Must(<-ended)
	want := []client.Verified{{Destination: testenv.DstBucket, Replicas: 1, Differ: 1, Findings: []client.Spoilt{{
		Kind: "differs", Key: "key 2", VersionID: o.ID, Rule: "all",
		Differences: []client.Difference{{Aspect: "tags", Destination: `a="b"`}},
	}}}}
	if diff := cmp.Diff(want, got.Verified, cmpopts.IgnoreFields(client.Verified{}, "Began", "Finished")); diff != "" || got.Verified[0].Finished.IsZero() {
		t.Error(diff)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	d := open(t)
	retry := func(r client.Retry) (sum client.Retried) {
		t.Helper()
		steps := 0
		d.Must(d.as(testenv.Source).RetryReplication(t.Context(), testenv.SrcBucket, r, func(step client.Retried) { sum = step; steps++ }))
		if steps != 1 {
			t.Errorf("%d steps", steps)
		}
		return sum
	}
	cause := client.Cause{Destination: testenv.DstBucket, Rule: "all", Code: "DstPutTaggingNotPermitted", Count: 2, Key: "key 0"}
	got := retry(client.Retry{DryRun: true})
	want := client.Retried{Scanned: 3, Failed: 2, Causes: []client.Cause{cause}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(client.Cause{}, "VersionID", "Reason")); diff != "" {
		t.Error(diff)
	}
	if len(got.Causes) > 0 && !strings.Contains(got.Causes[0].Reason, "s3:ReplicateTags") {
		t.Errorf("the reason is %q", got.Causes[0].Reason)
	}
	// Each version is asked for, with its tags.
	d.Document(testenv.SrcBucket, bucket.Policy, strings.Replace(testenv.Policy("arn:aws:iam::"+testenv.Source+":root", "!s3:InitiateReplication arn:aws:s3:::"+testenv.SrcBucket+"/*"),
		`"Resource"`, `"Condition":{"StringEquals":{"s3:ExistingObjectTag/k":"w"}},"Resource"`, 1))
	d.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, testenv.DstGrants...))
	if got := retry(client.Retry{}); got.Retried != 1 || got.Refused != 1 {
		t.Errorf("%+v", got)
	}
	if now := d.Settled(d.Head(testenv.SrcBucket, "key 0", "")); now.Status != object.Completed {
		t.Errorf("%+v", now)
	}
	if now := d.Head(testenv.SrcBucket, "key 1", ""); now.Status != object.Failed {
		t.Errorf("%+v", now)
	}
}

// denyIf is a bucket policy that denies an action if a condition key has a value.
func denyIf(action, resource, key, value string) string {
	return `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"` + action + `","Resource":"` + resource + `","Condition":{"StringEquals":{"` + key + `":"` + value + `"}}}]}`
}

// signed are the condition keys of how the requests of a client are signed.
var signed = map[string]string{"s3:authType": "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256"}

// TestHowRequestsAreSigned: policies see it of these requests as of S3's.
func TestHowRequestsAreSigned(t *testing.T) {
	t.Parallel()
	d := open(t)
	c := d.as(testenv.Source)
	for key, value := range signed {
		d.Document(testenv.SrcBucket, bucket.Policy, denyIf("s3:GetReplicationConfiguration", arn.Bucket(testenv.SrcBucket), key, value))
		if _, err := c.Replication(t.Context(), testenv.SrcBucket); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s, standings: %v", key, err)
		}
		d.Document(testenv.SrcBucket, bucket.Policy, denyIf("s3:InitiateReplication", arn.Object(testenv.SrcBucket, "*"), key, value))
		err := c.RetryReplication(t.Context(), testenv.SrcBucket, client.Retry{DryRun: true}, func(step client.Retried) {
			if step.Refused != 2 {
				t.Errorf("%s, retry: %+v", key, step)
			}
		})
		d.Must(err)
	}
}

// TestRefused asks what must not be answered.
func TestRefused(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, tt := range map[string]struct {
		ask  func() error
		kind fault.Kind
		code string
	}{
		"no such bucket": {func() error {
			_, err := d.as(testenv.Source).Replication(t.Context(), "nothing-here")
			return err
		}, fault.NotFound, "NoSuchBucket"},
		"another account's status": {func() error {
			_, err := d.as(testenv.Destination).Replication(t.Context(), testenv.SrcBucket)
			return err
		}, fault.Denied, "AccessDenied"},
		"another account's retry": {func() error {
			return d.as(testenv.Destination).RetryReplication(t.Context(), testenv.SrcBucket, client.Retry{}, nil)
		}, fault.Denied, "AccessDenied"},
		"nobody": {func() error {
			_, err := d.as("").Replication(t.Context(), testenv.SrcBucket)
			return err
		}, fault.Denied, "MissingAuthenticationToken"},
		"AWS": {func() error {
			c, err := client.New(client.Config{})
			d.Must(err)
			return c.RetryReplication(t.Context(), testenv.SrcBucket, client.Retry{}, nil)
		}, fault.Unsupported, "NotImplemented"},
	} {
		if err := tt.ask(); fault.CodeOf(err) != tt.code || fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" && tt.kind != fault.Denied && tt.kind != fault.NotFound {
			t.Errorf("%s: %v (%v, hint %q)", name, err, fault.KindOf(err), fault.HintOf(err))
		}
	}
	if got := d.Head(testenv.SrcBucket, "key 0", ""); got.Status != object.Failed {
		t.Errorf("a refused retry made it %s", got.Status)
	}
}
