package verify

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/internal/compare"
	"twinbucket/internal/s3api"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// world is the reference scenario behind S3's API, with a client for each account.
type world struct {
	*testenv.Env
	src, dst *client.Client
	// tamper changes what the destination answers; may be nil.
	tamper func(*http.Request, *http.Response)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Env: testenv.New(t)}
	w.Scenario()
	srv := httptest.NewServer(s3api.New(s3api.Config{Store: w.Store, IAM: w.IAM, Region: testenv.Region, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(srv.Close)
	for _, a := range w.IAM.Accounts() {
		conf := client.Config{Endpoint: srv.URL, Region: testenv.Region, Credentials: client.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}}
		if a.ID == testenv.Destination {
			conf.HTTP = &http.Client{Transport: w}
		}
		c, err := client.New(conf)
		w.Must(err)
		if a.ID == testenv.Source {
			w.src = c
		} else {
			w.dst = c
		}
	}
	return w
}

// RoundTrip implements http.RoundTripper for the destination's client.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && w.tamper != nil {
		w.tamper(r, resp)
	}
	return resp, err
}

// replicating is a world whose rules are on and whose engine runs.
func replicating(t *testing.T, configuration string) *world {
	t.Helper()
	w := newWorld(t)
	w.Document(testenv.SrcBucket, bucket.Replication, configuration)
	w.Start()
	return w
}

// there puts an object and waits until it is replicated, or is not.
func (w *world) there(key string, v object.Version) *object.Version {
	w.T.Helper()
	v.Bucket, v.Key = testenv.SrcBucket, key
	put, err := w.src.PutObject(w.T.Context(), client.Put{Version: v, Body: strings.NewReader("content of " + key)})
	w.Must(err)
	w.Settled(w.Head(put.Bucket, key, put.ID))
	return put
}

func (w *world) options() Options {
	return Options{
		Source: Side{w.src, testenv.SrcBucket}, Destination: Side{w.dst, testenv.DstBucket}, Depth: Bytes, Lag: 15 * time.Minute, Parallel: 4,
	}
}

// outcome is a comparison as tests look at it.
type outcome struct {
	*Summary
	findings []Finding
}

// run compares and returns the outcome.
func (w *world) run(o Options) outcome {
	w.T.Helper()
	var out outcome
	o.Found = func(f Finding) error {
		out.findings = append(out.findings, f)
		return nil
	}
	var err error
	out.Summary, err = Run(w.T.Context(), o)
	w.Must(err)
	return out
}

// classes are the classes of which there is one at least.
func (o *outcome) classes() string {
	var out []string
	for _, c := range Classes {
		if n := o.Classes[c]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d", c, n))
		}
	}
	return strings.Join(out, ", ")
}

// want compares classes and verdict.
func (o *outcome) want(t *testing.T, classes string, v Verdict) {
	t.Helper()
	if got := o.classes(); got != classes || o.Verdict != v {
		t.Errorf("%s: %s, want %s: %s\n%+v\n%+v", got, o.Verdict, classes, v, o.Unknown, o.findings)
	}
}

// config is a configuration of one rule.
func config(rule string) string {
	return `<ReplicationConfiguration><Role>` + testenv.ReplRole + `</Role>` + rule + `</ReplicationConfiguration>`
}

func ruleFor(id, filter, markers, more string) string {
	return `<Rule><ID>` + id + `</ID><Priority>` + fmt.Sprint(len(id)) + `</Priority><Filter>` + filter + `</Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>` + markers +
		`</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::` + testenv.DstBucket + `</Bucket>` + more + `</Destination></Rule>`
}

// returning is a configuration of the destination that carries changes of replicas
// back.
var returning = strings.NewReplacer(
	testenv.DstBucket, testenv.SrcBucket, testenv.Destination, testenv.Source,
	"<Destination>", "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria><Destination>",
).Replace(testenv.Config)

// TestEverythingReplicated: what replication brings is equal in all, whatever the
// key, the parts and the metadata, at every depth.
func TestEverythingReplicated(t *testing.T) {
	t.Parallel()
	w := replicating(t, testenv.Config)
	ctx := t.Context()
	keys := []string{"a", "ab", "a/b", "a//b", "/a", "a/", ".", "a\x01", "a%2Fb", "a+b", "a b", "a\uFFFE", "日本", strings.Repeat("k", 1024)}
	for _, key := range keys {
		w.there(key, object.Version{})
	}
	w.there("a", object.Version{
		Tags: []object.Tag{{Key: "z", Value: "1"}, {Key: "a", Value: "2"}}, Metadata: map[string]string{"m": "v"},
		Headers: object.Headers{ContentType: "text/x", Expires: "0", CacheControl: "no-store", RedirectLocation: "/x"},
	})
	deleted, err := w.src.DeleteObject(ctx, testenv.SrcBucket, "ab", "")
	w.Must(err)
	u, err := w.src.CreateMultipartUpload(ctx, &object.Version{Bucket: testenv.SrcBucket, Key: "parts"})
	w.Must(err)
	var parts []object.Part
	for i, size := range []int{5 << 20, 5<<20 + 7, 1} {
		p, err := w.src.UploadPart(ctx, u, i+1, strings.NewReader(strings.Repeat("x", size)))
		w.Must(err)
		parts = append(parts, p)
	}
	whole, err := w.src.CompleteMultipartUpload(ctx, u, parts)
	w.Must(err)
	w.Settled(w.Head(testenv.SrcBucket, "parts", whole.ID))
	testenv.Wait(t, func() (any, bool) {
		o, err := w.Store.Head(ctx, testenv.DstBucket, "ab", deleted.VersionID)
		return o, err == nil
	})
	for _, depth := range []Depth{List, Metadata, Bytes} {
		o := w.options()
		o.Depth = depth
		compared := int64(0)
		o.Compared = func(n int64) { compared += n }
		got := w.run(o)
		n := int64(len(keys) + 3)
		got.want(t, fmt.Sprintf("equal %d", n), Same)
		if got.Versions != n || got.Markers != 1 || compared != n || len(got.findings) > 0 || !slices.Equal(got.Rules, []string{"all"}) {
			t.Errorf("%s: %+v, compared %d", depth, got.Summary, compared)
		}
		if depth != List && got.Statuses[object.Completed] != n-1 { // S3 tells no status of markers
			t.Errorf("%s: %v", depth, got.Statuses)
		}
	}
}

// TestWhatBecameOfAVersion brings versions into every state.
func TestWhatBecameOfAVersion(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		config   string // "" is the scenario's
		do       func(w *world)
		set      func(*Options)
		want     string
		verdict  Verdict
		code     string
		reason   string // part of that of the first finding
		selected string // part of the first reason why one is not selected
	}{
		{name: "tags that were changed there", do: func(w *world) {
			v := w.there("k", object.Version{})
			w.Must(w.dst.PutObjectTagging(w.T.Context(), testenv.DstBucket, "k", v.ID, []object.Tag{{Key: "a", Value: "b"}}))
		}, want: "differs 1", verdict: Different},
		{name: "deleted there by its id", do: func(w *world) {
			v := w.there("k", object.Version{})
			_, err := w.dst.DeleteObject(w.T.Context(), testenv.DstBucket, "k", v.ID)
			w.Must(err)
		}, want: "removed 1", verdict: Different, reason: "was deleted at the destination by its id"},
		{name: "deleted here by its id", do: func(w *world) {
			v := w.there("k", object.Version{})
			_, err := w.src.DeleteObject(w.T.Context(), testenv.SrcBucket, "k", v.ID)
			w.Must(err)
		}, want: "orphan 1", verdict: Same},
		{name: "deleted here by its id, exactly", do: func(w *world) {
			v := w.there("k", object.Version{})
			_, err := w.src.DeleteObject(w.T.Context(), testenv.SrcBucket, "k", v.ID)
			w.Must(err)
		}, set: func(o *Options) { o.Exact = true }, want: "orphan 1", verdict: Different, reason: "its source version was deleted"},
		{name: "the destination's own", do: func(w *world) {
			w.Put(testenv.DstBucket, "own", "x")
		}, want: "own 1", verdict: Same},
		{name: "the destination's own, exactly", do: func(w *world) {
			w.Put(testenv.DstBucket, "own", "x")
		}, set: func(o *Options) { o.Exact = true }, want: "own 1", verdict: Different},
		{name: "refused", do: func(w *world) {
			w.Document(testenv.DstBucket, bucket.Policy, "")
			w.there("k", object.Version{})
		}, want: "failed 1", verdict: Different, code: "DstPutObjectNotPermitted", reason: "s3:ReplicateObject"},
		{name: "a change that is refused", do: func(w *world) {
			v := w.there("k", object.Version{})
			w.Document(testenv.DstBucket, bucket.Policy, "")
			w.Must(w.src.PutObjectTagging(w.T.Context(), testenv.SrcBucket, "k", v.ID, []object.Tag{{Key: "a", Value: "b"}}))
			w.Settled(w.Head(testenv.SrcBucket, "k", v.ID))
		}, want: "failed 1", verdict: Different, code: "DstPutTaggingNotPermitted"},
		{name: "a change of the replica that is refused", do: func(w *world) {
			v := w.there("k", object.Version{})
			w.Document(testenv.DstBucket, bucket.Replication, returning)
			w.Must(w.dst.PutObjectTagging(w.T.Context(), testenv.DstBucket, "k", v.ID, []object.Tag{{Key: "a", Value: "b"}}))
			w.Settled(w.Head(testenv.DstBucket, "k", v.ID))
		}, want: "failed 1", verdict: Different, code: "SrcBucketReplicationConfigMissing"},
		{name: "a change of the replica that is refused, seen from there", do: func(w *world) {
			v := w.there("k", object.Version{})
			w.Document(testenv.DstBucket, bucket.Replication, returning)
			w.Must(w.dst.PutObjectTagging(w.T.Context(), testenv.DstBucket, "k", v.ID, []object.Tag{{Key: "a", Value: "b"}}))
			w.Settled(w.Head(testenv.DstBucket, "k", v.ID))
			w.src, w.dst = w.dst, w.src
		}, set: turned, want: "failed 1", verdict: Different, code: "SrcBucketReplicationConfigMissing"},
		{name: "a replica whose source was deleted, with a change", do: func(w *world) {
			v := w.there("k", object.Version{})
			w.Document(testenv.DstBucket, bucket.Replication, returning)
			_, err := w.src.DeleteObject(w.T.Context(), testenv.SrcBucket, "k", v.ID)
			w.Must(err)
			w.Must(w.dst.PutObjectTagging(w.T.Context(), testenv.DstBucket, "k", v.ID, []object.Tag{{Key: "a", Value: "b"}}))
			w.Settled(w.Head(testenv.DstBucket, "k", v.ID))
		}, want: "orphan 1", verdict: Same},
		{name: "from before the rule", do: func(w *world) {
			w.Document(testenv.SrcBucket, bucket.Replication, "")
			w.there("k", object.Version{})
			w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
		}, want: "before-rule 1", verdict: Different, reason: "a Batch Replication job carries it"},
		{name: "from before the rule, which is no matter", do: func(w *world) {
			w.Document(testenv.SrcBucket, bucket.Replication, "")
			w.there("k", object.Version{})
			w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
		}, set: func(o *Options) { o.Ignore = []string{"before-rule"} }, want: "before-rule 1", verdict: Same},
		{name: "another prefix", config: config(ruleFor("logs", "<Prefix>logs/</Prefix>", "Disabled", "")), do: func(w *world) {
			w.there("k", object.Version{})
			w.there("logs/k", object.Version{})
		}, want: "equal 1, not-selected 1", verdict: Same, selected: `does not begin with "logs/"`},
		{name: "another tag", config: config(ruleFor("team", "<Tag><Key>team</Key><Value>x</Value></Tag>", "Disabled", "")), do: func(w *world) {
			w.there("k", object.Version{Tags: []object.Tag{{Key: "team", Value: "y"}}})
			w.there("l", object.Version{Tags: []object.Tag{{Key: "team", Value: "x"}}})
		}, want: "equal 1, not-selected 1", verdict: Same, selected: "has no tag team=x"},
		{name: "markers that no rule takes", config: config(ruleFor("x", "", "Disabled", "") + ruleFor("other", "<Prefix>o</Prefix>", "Enabled", "")), do: func(w *world) {
			w.there("k", object.Version{})
			_, err := w.src.DeleteObject(w.T.Context(), testenv.SrcBucket, "k", "")
			w.Must(err)
		}, want: "equal 1, not-selected 1", verdict: Same, selected: "DeleteMarkerReplication is Disabled"},
		{name: "a rule that changes the class", config: config(ruleFor("ia", "", "Disabled", "<StorageClass>STANDARD_IA</StorageClass>")), do: func(w *world) {
			w.there("k", object.Version{})
		}, want: "equal 1", verdict: Same},
		{name: "a class that no rule made", config: config(ruleFor("ia", "", "Disabled", "<StorageClass>STANDARD_IA</StorageClass>")), do: func(w *world) {
			w.there("k", object.Version{})
			w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
		}, want: "differs 1", verdict: Different},
		{name: "a class that no rule made is no matter", config: config(ruleFor("ia", "", "Disabled", "<StorageClass>STANDARD_IA</StorageClass>")), do: func(w *world) {
			w.there("k", object.Version{})
			w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
		}, set: func(o *Options) { o.Ignore = []string{"class"} }, want: "equal 1", verdict: Same},
		{name: "a rule that was removed", config: config(ruleFor("ia", "", "Disabled", "<StorageClass>STANDARD_IA</StorageClass>")), do: func(w *world) {
			w.there("k", object.Version{})
			w.Document(testenv.SrcBucket, bucket.Replication, config(ruleFor("logs", "<Prefix>logs/</Prefix>", "Disabled", "")))
		}, want: "equal 1", verdict: Same},
		{name: "no rules, and young", do: func(w *world) {
			w.Document(testenv.SrcBucket, bucket.Replication, "")
			w.there("k", object.Version{})
		}, want: "lagging 1", verdict: Same, reason: "younger than 15m"},
		{name: "no rules", do: func(w *world) {
			w.Document(testenv.SrcBucket, bucket.Replication, "")
			w.there("k", object.Version{})
		}, set: func(o *Options) { o.Lag = 0 }, want: "missing 1", verdict: Different, reason: "every version is expected"},
		{name: "a null version from before", do: func(w *world) {
			w.Versioning(testenv.SrcBucket, "")
			w.Put(testenv.SrcBucket, "k", "x")
			w.Versioning(testenv.SrcBucket, bucket.Enabled)
		}, want: "before-rule 1", verdict: Different},
		{name: "replicas that are not carried on", do: func(w *world) {
			v := w.there("k", object.Version{})
			w.Document(testenv.SrcBucket, bucket.Replication, "")
			// In the other direction: what is a replica here came from there.
			w.src, w.dst = w.dst, w.src
			_, err := w.dst.DeleteObject(w.T.Context(), testenv.SrcBucket, "k", v.ID)
			w.Must(err)
			w.Document(testenv.DstBucket, bucket.Replication, strings.ReplaceAll(testenv.Config, testenv.DstBucket, testenv.SrcBucket))
		}, set: turned, want: "not-selected 1", verdict: Same, selected: "it is a replica itself"},
		{name: "in the other direction", config: config(ruleFor("ia", "", "Disabled", "<StorageClass>STANDARD_IA</StorageClass>")), do: func(w *world) {
			w.there("k", object.Version{})
			w.src, w.dst = w.dst, w.src
		}, set: turned, want: "equal 1", verdict: Same},
		{name: "a prefix", do: func(w *world) {
			w.Put(testenv.DstBucket, "a/own", "x")
			w.there("b/k", object.Version{})
		}, set: func(o *Options) { o.Prefix, o.Exact = "b/", true }, want: "equal 1", verdict: Same},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.config == "" {
				tt.config = testenv.Config
			}
			w := replicating(t, tt.config)
			tt.do(w)
			o := w.options()
			if tt.set != nil {
				tt.set(&o)
			}
			got := w.run(o)
			got.want(t, tt.want, tt.verdict)
			if tt.code != "" && (len(got.findings) == 0 || got.findings[0].Code != tt.code || len(got.Failures) != 1 || got.Failures[0].Code != tt.code) {
				t.Errorf("%+v", got)
			}
			if tt.reason != "" && (len(got.findings) == 0 || !strings.Contains(got.findings[0].Reason, tt.reason)) {
				t.Errorf("%+v", got.findings)
			}
			if tt.selected != "" && (len(got.NotSelected) != 1 || !strings.Contains(got.NotSelected[0].Reason, tt.selected)) {
				t.Errorf("%+v", got.NotSelected)
			}
		})
	}
}

// turned compares the destination with the source.
func turned(o *Options) {
	o.Source.Bucket, o.Destination.Bucket = o.Destination.Bucket, o.Source.Bucket
}

// TestEveryAspect changes what the destination says of a replica in one aspect
// after the other: that one is reported.
func TestEveryAspect(t *testing.T) {
	t.Parallel()
	w := replicating(t, config(ruleFor("all", "", "Disabled", "<Account>"+testenv.Destination+"</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>")))
	for _, b := range []string{testenv.SrcBucket, testenv.DstBucket} {
		w.Document(b, bucket.OwnershipControls, "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
		w.Document(b, bucket.ObjectLock, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
	}
	override := "s3:ReplicateObject,s3:ObjectOwnerOverrideToBucketOwner " + arn.Object(testenv.DstBucket, "*")
	w.Role("repl", "s3.amazonaws.com", append(slices.Clone(testenv.ReplGrants), override, "s3:GetObjectRetention,s3:GetObjectLegalHold "+arn.Object(testenv.SrcBucket, "*"))...)
	w.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, override))
	v := w.there("k", object.Version{
		Tags: []object.Tag{{Key: "a", Value: "b"}}, Metadata: map[string]string{"m": "v"},
		Lock: object.Lock{Mode: object.Governance, Until: time.Now().AddDate(1, 0, 0).Truncate(time.Second), Hold: true},
	})
	// The source's list stays where it is.
	w.Must(w.src.PutObjectACL(t.Context(), testenv.SrcBucket, "k", v.ID, acl.CanonicalID(testenv.Source), acl.List{
		{ID: acl.CanonicalID(testenv.Source), Permission: acl.FullControl}, {Group: acl.AuthenticatedUsers, Permission: acl.Read},
	}))
	w.Settled(w.Head(testenv.SrcBucket, "k", v.ID))
	if got := w.run(w.options()); got.Verdict != Same {
		t.Fatalf("as it is: %+v\n%+v", got, got.findings)
	}
	header := func(name, value string) func(*http.Request, *http.Response) {
		return func(_ *http.Request, resp *http.Response) {
			resp.Header.Set(name, value)
		}
	}
	body := func(old, new string) func(*http.Request, *http.Response) {
		return func(_ *http.Request, resp *http.Response) {
			data, err := io.ReadAll(resp.Body)
			w.Must(err)
			resp.Body = io.NopCloser(strings.NewReader(strings.Replace(string(data), old, new, 1)))
		}
	}
	ofObject := func(change func(*http.Request, *http.Response)) func(*http.Request, *http.Response) {
		return func(r *http.Request, resp *http.Response) {
			if strings.HasSuffix(r.URL.Path, "/k") {
				change(r, resp)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		tamper func(*http.Request, *http.Response)
		want   compare.Aspect
	}{
		{"time", body("<LastModified>20", "<LastModified>19"), compare.Time},
		{"size", header("Content-Length", "1"), compare.Size},
		{"bytes", body("content of k", "content of K"), compare.Bytes},
		{"checksum", header("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA="), compare.Bytes},
		{"no checksum", header("X-Amz-Checksum-Crc64nvme", ""), compare.Checksums},
		{"parts", header("Etag", `"00000000000000000000000000000000-2"`), compare.Parts},
		{"class", header("X-Amz-Storage-Class", "STANDARD_IA"), compare.Class},
		{"header", header("Content-Type", "text/x"), compare.Headers},
		{"metadata", header("X-Amz-Meta-M", "w"), compare.Metadata},
		{"no metadata", header("X-Amz-Meta-M", ""), compare.Metadata},
		{"tags", body("<Value>b</Value>", "<Value>c</Value>"), compare.Tags},
		{"retention", header("X-Amz-Object-Lock-Retain-Until-Date", "2001-01-01T00:00:00Z"), compare.Lock},
		{"hold", header("X-Amz-Object-Lock-Legal-Hold", "OFF"), compare.Lock},
		{"owner", ofObject(body("<Owner><ID>", "<Owner><ID>0")), compare.Owner},
		{"grants", body(">FULL_CONTROL<", ">READ<"), compare.ACL},
		{"status", header("X-Amz-Replication-Status", ""), compare.Status},
	} {
		w.tamper = func(r *http.Request, resp *http.Response) {
			if r.Method == http.MethodHead && tt.name == "size" && strings.HasSuffix(r.URL.Path, "/k") {
				resp.ContentLength = 1
			}
			tt.tamper(r, resp)
		}
		got := w.run(w.options())
		if got.Verdict != Different || got.Classes[Differs] != 1 || got.Differences[tt.want] != 1 {
			t.Errorf("%s was not seen: %+v\n%+v", tt.name, got.Summary, got.findings)
		}
	}
}

// TestOnTheWay: what is PENDING is no difference; with time to wait it is looked at
// again until it has come.
func TestOnTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	w.Put(testenv.SrcBucket, "k", "x")
	w.Put(testenv.SrcBucket, "l", "x")
	o := w.options()
	got := w.run(o)
	got.want(t, "lagging 2", Same)
	if len(got.findings) != 2 || got.findings[0].Status != object.Pending || got.findings[0].Reason != "its status is PENDING" {
		t.Errorf("%+v", got.findings)
	}
	o.Wait = time.Millisecond
	got = w.run(o)
	got.want(t, "lagging 2", NotAllSeen)
	if got.Unsettled != 2 || len(got.findings) != 2 {
		t.Errorf("%+v", got)
	}
	o.Wait = time.Minute
	compared := int64(0)
	o.Compared = func(n int64) { compared += n }
	asked := false
	w.tamper = func(r *http.Request, _ *http.Response) {
		if r.Method == http.MethodHead && !asked && strings.HasSuffix(r.URL.Path, "/l") {
			asked = true
			w.Start()
		}
	}
	o.Parallel = 1
	got = w.run(o)
	got.want(t, "equal 2", Same)
	if compared != 2 || got.Versions != 2 {
		t.Errorf("%d compared; %+v", compared, got)
	}
}

// TestMarkersOnTheWay: S3 tells no status of delete markers, so their age counts.
func TestMarkersOnTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Put(testenv.SrcBucket, "k", "x")
	_, err := w.src.DeleteObject(t.Context(), testenv.SrcBucket, "k", "")
	w.Must(err)
	w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	o := w.options()
	got := w.run(o)
	got.want(t, "before-rule 1, lagging 1", Different)
	o.Lag = 0
	got = w.run(o)
	got.want(t, "missing 1, before-rule 1", Different)
}

// TestOtherDestinations: the status of a version sums up all its destinations;
// what Twinbucket tells of each decides.
func TestOtherDestinations(t *testing.T) {
	t.Parallel()
	two := []object.Delivery{{Bucket: "x", Status: object.Completed}, {Bucket: "y", Status: object.Failed, Code: "c", Reason: "r"}}
	for _, tt := range []struct {
		v    object.Version
		at   string
		want object.Status
		code string
	}{
		{object.Version{Status: object.Failed, Deliveries: two}, "x", object.Completed, ""},
		{object.Version{Status: object.Failed, Deliveries: two}, "y", object.Failed, "c"},
		{object.Version{Status: object.Failed, Deliveries: two}, "z", object.None, ""},
		{object.Version{Status: object.Failed}, "x", object.Failed, ""},
		{object.Version{Status: object.Replica, Deliveries: two}, "z", object.Replica, ""},
		{object.Version{Status: object.Pending, Returning: true, Deliveries: two}, "z", object.Replica, ""},
		{object.Version{Marker: true, Deliveries: two}, "x", object.Completed, ""},
	} {
		if got, code, _ := statusAt(&tt.v, tt.at); got != tt.want || code != tt.code {
			t.Errorf("%+v at %s: %s %s", tt.v, tt.at, got, code)
		}
	}
}

// TestWhatMayNotBeRead: the account of the source may list the destination and
// look at what is there, and nothing else; the rest is not known, with what to allow.
func TestWhatMayNotBeRead(t *testing.T) {
	t.Parallel()
	w := replicating(t, testenv.Config)
	v := w.there("k", object.Version{})
	w.there("l", object.Version{})
	reader := "arn:aws:iam::" + testenv.Source + ":root"
	allow := func(statements ...string) {
		repl, own := testenv.Policy(testenv.ReplRole, testenv.DstGrants...), testenv.Policy(reader, statements...)
		w.Document(testenv.DstBucket, bucket.Policy, strings.TrimSuffix(repl, "]}")+","+own[strings.Index(own, "[")+1:])
	}
	allow("s3:ListBucketVersions,s3:ListBucket "+arn.Bucket(testenv.DstBucket), "s3:GetObjectVersion "+arn.Object(testenv.DstBucket, "*"))
	o := w.options()
	o.Destination.Client = w.src
	got := w.run(o)
	got.want(t, "unknown 2", NotAllSeen)
	want := []Tally{
		{Action: "s3:GetObjectVersionTagging", Bucket: testenv.DstBucket, Count: 2},
		{Action: "s3:GetBucketAcl, s3:GetBucketOwnershipControls", Bucket: testenv.DstBucket, Count: 1},
	}
	if diff := cmp.Diff(want, got.Unknown, cmpopts.IgnoreFields(Tally{}, "Example")); diff != "" {
		t.Error(diff)
	}
	// A difference is one whatever else is not known.
	_, err := w.dst.DeleteObject(t.Context(), testenv.DstBucket, "k", v.ID)
	w.Must(err)
	got = w.run(o)
	got.want(t, "removed 1, unknown 1", Different)
	// Nothing but the listing.
	allow("s3:ListBucketVersions " + arn.Bucket(testenv.DstBucket))
	got = w.run(o)
	got.want(t, "removed 1, unknown 1", Different)
	if !slices.ContainsFunc(got.Unknown, func(t Tally) bool { return t.Action == "s3:GetObjectVersion" }) {
		t.Errorf("%+v", got.Unknown)
	}
	o.Depth = List
	got = w.run(o)
	got.want(t, "removed 1, equal 1", Different)
	// Not even that.
	allow("s3:GetObject " + arn.Object(testenv.DstBucket, "*"))
	got = w.run(o)
	got.want(t, "", NotAllSeen)
	if last := got.Unknown[len(got.Unknown)-1]; got.Complete || last.Action != "s3:ListBucketVersions" || last.Bucket != testenv.DstBucket {
		t.Errorf("%+v", got.Summary)
	}
}

// TestRulesThatMayNotBeRead: then every version is expected, and it is said.
func TestRulesThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	w := replicating(t, testenv.Config)
	w.there("k", object.Version{})
	other := "arn:aws:iam::" + testenv.Destination + ":root"
	w.Document(testenv.SrcBucket, bucket.Policy, testenv.Policy(other,
		"s3:ListBucketVersions,s3:ListBucket,s3:GetBucketObjectLockConfiguration "+arn.Bucket(testenv.SrcBucket), "s3:GetObjectVersion,s3:GetObjectVersionTagging "+arn.Object(testenv.SrcBucket, "*")))
	o := w.options()
	o.Source.Client = w.dst
	got := w.run(o)
	got.want(t, "equal 1", NotAllSeen)
	if len(got.Unknown) != 1 || got.Unknown[0].Action != "s3:GetReplicationConfiguration" {
		t.Errorf("%+v", got.Unknown)
	}
}

// TestCustomerKeys: what a customer's key encrypts is compared as far as it is told
// without the key.
func TestCustomerKeys(t *testing.T) {
	t.Parallel()
	w := replicating(t, testenv.Config)
	w.there("k", object.Version{})
	sealed := func(r *http.Request, resp *http.Response) {
		if strings.HasSuffix(r.URL.Path, "/k") && (r.Method == http.MethodHead || r.URL.RawQuery == "") {
			resp.StatusCode, resp.Status = http.StatusBadRequest, "400 Bad Request"
		}
	}
	w.tamper = sealed
	o := w.options()
	got := w.run(o)
	got.want(t, "customer-key 1", NotAllSeen)
	o.Ignore = []string{"customer-key"}
	got = w.run(o)
	got.want(t, "equal 1", Same)
	o.Ignore, o.Depth = nil, List
	got = w.run(o)
	got.want(t, "equal 1", Same)
}

// TestChangedWhileItWasListed: a listing may be older than what is there.
func TestChangedWhileItWasListed(t *testing.T) {
	t.Parallel()
	w := replicating(t, testenv.Config)
	v := w.there("k", object.Version{})
	w.tamper = func(r *http.Request, resp *http.Response) {
		if strings.Contains(r.URL.RawQuery, "versions=") {
			resp.Body = io.NopCloser(strings.NewReader("<ListVersionsResult/>"))
		}
	}
	o := w.options()
	got := w.run(o)
	got.want(t, "equal 1", Same)
	// The other way round: the source was deleted since.
	w.tamper = nil
	o.Source.Client = w.dst
	o.Source.Bucket, o.Destination.Bucket = testenv.DstBucket, testenv.SrcBucket
	o.Destination.Client = w.src
	w.tamper = func(r *http.Request, resp *http.Response) {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/k") || strings.Contains(r.URL.RawQuery, "tagging") {
			resp.StatusCode, resp.Status = http.StatusNotFound, "404 Not Found"
		}
	}
	got = w.run(o)
	got.want(t, "", Same)
	_ = v
}

// TestRoomForMany: what is in use does not grow with the buckets. It runs by
// itself, so that nothing else grows.
func TestRoomForMany(t *testing.T) {
	const pages = 30 // of 1,000 versions
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Method == http.MethodHead:
		case q.Has("versions"):
			page := 0
			_, _ = fmt.Sscanf(q.Get("key-marker"), "key-%d", &page) // the first page has none
			fmt.Fprintf(w, "<ListVersionsResult><IsTruncated>%v</IsTruncated><NextKeyMarker>key-%06d</NextKeyMarker>", page+1 < pages, page+1)
			for i := range 1000 {
				fmt.Fprintf(w, `<Version><Key>key-%06d-%03d</Key><VersionId>v</VersionId><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag><Size>7</Size></Version>`, page, i)
			}
			fmt.Fprint(w, "</ListVersionsResult>")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Config{Endpoint: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	var inUse []uint64
	n := int64(0)
	s, err := Run(t.Context(), Options{
		Source: Side{c, "src"}, Destination: Side{c, "dst"}, Depth: List,
		Compared: func(int64) {
			if n++; n%10_000 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				inUse = append(inUse, m.HeapAlloc)
			}
		},
	})
	if err != nil || s.Classes[Equal] != pages*1000 || s.Bytes != pages*1000*7 || s.Verdict != Same {
		t.Fatalf("%+v, %v", s, err)
	}
	if len(inUse) != 3 || inUse[2] > inUse[0]+2<<20 {
		t.Errorf("bytes in use: %v", inUse)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ignore string
		good   bool
	}{{"tags", true}, {"own", true}, {"", false}, {"tag", false}} {
		r := run{Options: Options{Ignore: []string{tt.ignore}}, skip: map[compare.Aspect]bool{}}
		if err := r.prepare(); (err == nil) != tt.good {
			t.Errorf("%q: %v", tt.ignore, err)
		}
	}
	if got := slices.Sorted(maps.Keys(newSummary(&Options{}, time.Time{}).Classes)); len(got) != len(Classes) {
		t.Error(got)
	}
}
