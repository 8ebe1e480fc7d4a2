package replicate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// send is a rule of version 2 to a bucket; more goes into its Destination.
func send(priority int, to, filter, markers, more string) string {
	return fmt.Sprintf("<Rule><ID>%d to %s</ID><Priority>%d</Priority><Filter>%s</Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>%s</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::%s</Bucket>%s</Destination></Rule>",
		priority, to, priority, filter, markers, to, more)
}

// legacy is a rule of version 1.
const legacy = "<Rule><ID>v1</ID><Prefix></Prefix><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::bbb</Bucket></Destination></Rule>"

func configure(e *testenv.Env, rules string) {
	e.T.Helper()
	e.Document("aaa", bucket.Replication, "<ReplicationConfiguration><Role>"+testenv.ReplRole+"</Role>"+rules+"</ReplicationConfiguration>")
}

// fanned has the source aaa, destinations bbb and ccc of the same account and ddd
// of another one, all with ACLs and Object Lock, and these rules.
func fanned(t *testing.T, rules string) *testenv.Env {
	t.Helper()
	e := testenv.New(t)
	ways(e, []string{"aaa", "bbb", "ccc", "ddd"})
	e.Must(e.Store.UpdateBucket(t.Context(), "ddd", func(b *bucket.Bucket) error { b.Owner = testenv.Destination; return nil }))
	e.Document("ddd", bucket.Policy, testenv.Policy(testenv.ReplRole, "s3:* arn:aws:s3:::ddd/*"))
	configure(e, rules)
	return e
}

// put stores an object of aaa under the key k.
func put(e *testenv.Env, v object.Version) *store.Object {
	e.T.Helper()
	v.Bucket, v.Key = "aaa", "k"
	if v.Owner == "" {
		v.Owner = testenv.Source
	}
	o, err := e.Store.Put(e.T.Context(), store.Put{Version: v, Body: strings.NewReader("body"), Size: 4})
	e.Must(err)
	return o
}

// marked deletes what was put.
func marked(e *testenv.Env) *store.Object {
	e.T.Helper()
	put(e, object.Version{})
	d, err := e.Store.Delete(e.T.Context(), "aaa", "k", "", testenv.Source)
	e.Must(err)
	return e.Head("aaa", "k", d.ID)
}

// null puts an object before there are versioning and rules.
func null(e *testenv.Env) *store.Object {
	e.T.Helper()
	b, err := e.Store.Bucket("aaa")
	e.Must(err)
	e.Must(e.Store.DeleteBucket(e.T.Context(), "aaa"))
	e.Must(e.Store.CreateBucket(e.T.Context(), &bucket.Bucket{Name: "aaa", Owner: testenv.Source, Region: testenv.Region}))
	o := put(e, object.Version{})
	e.Versioning("aaa", bucket.Enabled)
	e.Document("aaa", bucket.Replication, string(b.Documents[bucket.Replication]))
	return o
}

// expired has a lifecycle rule delete what was put.
func expired(e *testenv.Env) *store.Object {
	e.T.Helper()
	o := put(e, object.Version{})
	b, err := e.Store.Bucket("aaa")
	e.Must(err)
	errs, err := e.Store.Expire(e.T.Context(), b, []store.Expiry{{Object: o, Latest: true, Alone: true}})
	e.Must(errors.Join(append(errs, err)...))
	p, err := e.Store.ListVersions(e.T.Context(), "aaa", store.VersionsOptions{Max: 1})
	e.Must(err)
	return e.Head("aaa", "k", p.Versions[0].ID)
}

// inParts uploads an object in two parts, with checksums.
func inParts(e *testenv.Env) *store.Object {
	e.T.Helper()
	ctx := e.T.Context()
	id, err := e.Store.CreateUpload(ctx, object.Version{Bucket: "aaa", Key: "k", Owner: testenv.Source, Metadata: map[string]string{"m": "v"}}, "")
	e.Must(err)
	var chosen []store.Chosen
	for i, body := range []string{strings.Repeat("a", 5<<20), "end"} {
		p, err := e.Store.PutPart(ctx, "aaa", "k", id, 3*i+1, strings.NewReader(body), int64(len(body)), func(p *object.Part) error {
			p.Checksums = []object.Checksum{{Algorithm: "CRC32", Value: fmt.Sprint("of part ", i)}}
			return nil
		})
		e.Must(err)
		chosen = append(chosen, store.Chosen{Number: p.Number, ETag: p.ETag})
	}
	o, err := e.Store.CompleteUpload(ctx, "aaa", "k", id, chosen, func(v *object.Version) error {
		v.Checksums = []object.Checksum{{Algorithm: "CRC32", Value: "of all-2", Composite: true}}
		return nil
	}, object.Condition{})
	e.Must(err)
	return e.Head("aaa", "k", o.ID)
}

// sameBytes compares the bodies of two versions.
func sameBytes(e *testenv.Env, a, b *store.Object) {
	e.T.Helper()
	var got [2][]byte
	for i, o := range []*store.Object{a, b} {
		body, err := e.Store.Open(e.T.Context(), o, 0, -1)
		e.Must(err)
		got[i], err = io.ReadAll(body)
		e.Must(errors.Join(err, body.Close()))
	}
	if len(got[0]) == 0 || !bytes.Equal(got[0], got[1]) {
		e.T.Errorf("%d bytes, and %d of them", len(got[0]), len(got[1]))
	}
}

// TestWhatReplicates puts what AWS's guide lists in "What does Amazon S3
// replicate?", and looks where it is once all is done.
func TestWhatReplicates(t *testing.T) {
	t.Parallel()
	all := send(1, "bbb", "", "Enabled", "")
	of := func(v object.Version) func(*testenv.Env) *store.Object {
		return func(e *testenv.Env) *store.Object { e.T.Helper(); return put(e, v) }
	}
	const team = "<Tag><Key>team</Key><Value>x</Value></Tag>"
	inTeam := object.Version{Tags: []object.Tag{{Key: "other", Value: "1"}, {Key: "team", Value: "x"}}}
	for _, tt := range []struct {
		name  string
		rules string
		make  func(*testenv.Env) *store.Object
		at    string                       // the buckets that get it; "": it has no status
		want  func(o, r *object.Version)   // changes o to what the replica is to be
		has   func(o *object.Version) bool // of the source, that the row is about what it says
		code  string                       // it fails
	}{
		{name: "all that describes it", rules: all, at: "bbb", make: of(object.Version{
			Headers: object.Headers{
				ContentType: "text/x", CacheControl: "no-store", ContentDisposition: "inline", ContentEncoding: "x", ContentLanguage: "de",
				Expires: "0", RedirectLocation: "/elsewhere",
			},
			Metadata: map[string]string{"a": "1", "b": "ü"}, Tags: []object.Tag{{Key: "z", Value: "1"}, {Key: "a"}}, Class: "STANDARD_IA",
			Checksums: []object.Checksum{{Algorithm: "SHA256", Value: "sum"}},
			Lock:      object.Lock{Mode: object.Compliance, Until: time.Now().UTC().AddDate(0, 0, 1), Hold: true},
			ACL:       acl.List{{ID: testenv.Source, Permission: acl.FullControl}, {Group: acl.AllUsers, Permission: acl.Read}},
		}), has: func(o *object.Version) bool {
			return len(o.ACL) == 2 && o.Lock.Hold && len(o.Checksums) == 1 && len(o.Tags) == 2 && o.Headers.Expires == "0"
		}},
		{name: "parts and their checksums", rules: all, make: inParts, at: "bbb", has: func(o *object.Version) bool {
			return len(o.Parts) == 2 && o.Parts[1].Number == 4 && o.Parts[0].Checksums[0].Value == "of part 0" && o.Checksums[0].Composite && o.Multipart()
		}},
		{name: "GLACIER", rules: all, make: of(object.Version{Class: "GLACIER"})},
		{name: "DEEP_ARCHIVE", rules: all, make: of(object.Version{Class: "DEEP_ARCHIVE"})},
		{name: "GLACIER_IR", rules: all, make: of(object.Version{Class: "GLACIER_IR"}), at: "bbb"},
		{name: "INTELLIGENT_TIERING", rules: all, make: of(object.Version{Class: "INTELLIGENT_TIERING"}), at: "bbb"},
		{
			name: "another class there", rules: send(1, "bbb", "", "Enabled", "<StorageClass>DEEP_ARCHIVE</StorageClass>"), make: of(object.Version{Class: "STANDARD_IA"}), at: "bbb",
			want: func(o, _ *object.Version) { o.Class = "DEEP_ARCHIVE" },
		},
		{name: "the writer owns the replica", rules: send(1, "ddd", "", "Enabled", ""), make: of(object.Version{}), at: "ddd"},
		{
			name: "the destination owns the replica", rules: send(1, "ddd", "", "Enabled", "<Account>"+testenv.Destination+"</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>"),
			make: of(object.Version{ACL: acl.List{{ID: testenv.Source, Permission: acl.FullControl}, {Group: acl.AllUsers, Permission: acl.Read}}}), at: "ddd",
			want: func(o, _ *object.Version) { o.Owner, o.ACL = testenv.Destination, nil },
		},
		{name: "what another account wrote and keeps to itself", rules: all, make: of(object.Version{Owner: testenv.Destination}), code: "SrcGetObjectNotPermitted"},
		{name: "what another account wrote and lets the bucket's owner read", rules: all, make: of(object.Version{Owner: testenv.Destination, ACL: acl.List{
			{ID: acl.CanonicalID(testenv.Destination), Permission: acl.FullControl}, {ID: acl.CanonicalID(testenv.Source), Permission: acl.FullControl},
		}}), at: "bbb"},
		{name: "a rule that is off", rules: strings.Replace(all, "<Status>Enabled", "<Status>Disabled", 1), make: of(object.Version{})},
		{name: "another prefix", rules: send(1, "bbb", "<Prefix>kk</Prefix>", "Enabled", ""), make: of(object.Version{})},
		{name: "its tag", rules: send(1, "bbb", team, "Disabled", ""), make: of(inTeam), at: "bbb"},
		{name: "no tag", rules: send(1, "bbb", team, "Disabled", ""), make: of(object.Version{})},
		{name: "a tag that comes later", rules: send(1, "bbb", team, "Disabled", ""), make: func(e *testenv.Env) *store.Object {
			o := put(e, object.Version{})
			_, err := e.Store.SetTags(e.T.Context(), "aaa", "k", o.ID, inTeam.Tags)
			e.Must(err)
			return e.Head("aaa", "k", o.ID)
		}},
		{name: "a null version", rules: all, make: null, has: func(o *object.Version) bool { return o.ID == object.NullID }},
		{name: "a null version that changes", rules: all, make: func(e *testenv.Env) *store.Object {
			null(e)
			o, err := e.Store.SetTags(e.T.Context(), "aaa", "k", object.NullID, inTeam.Tags)
			e.Must(err)
			return o
		}},
		{name: "a marker, V1", rules: legacy, make: marked, at: "bbb"},
		{name: "a marker, V2", rules: all, make: marked, at: "bbb"},
		{name: "a marker, V2 without markers", rules: send(1, "bbb", "", "Disabled", ""), make: marked},
		{name: "a marker, V2 by tag", rules: send(1, "bbb", team, "Disabled", ""), make: marked},
		{name: "a marker, to one of two", rules: all + send(2, "ccc", "", "Disabled", ""), make: marked, at: "bbb"},
		{name: "a marker of a lifecycle rule, V1", rules: legacy, make: expired, has: func(o *object.Version) bool { return o.ByLifecycle }},
		{name: "a marker of a lifecycle rule, V2", rules: all, make: expired, has: func(o *object.Version) bool { return o.ByLifecycle }},
		{
			name: "every destination, each by its strongest rule", at: "bbb ccc",
			rules: send(1, "bbb", "", "Enabled", "<StorageClass>ONEZONE_IA</StorageClass>") + send(7, "bbb", "<Prefix>k</Prefix>", "Enabled", "<StorageClass>STANDARD_IA</StorageClass>") +
				send(9, "bbb", "<Prefix>other</Prefix>", "Enabled", "") + send(3, "ccc", "", "Enabled", "<StorageClass>GLACIER_IR</StorageClass>"),
			make: of(object.Version{}),
			want: func(o, r *object.Version) {
				o.Class = map[string]string{"bbb": "STANDARD_IA", "ccc": "GLACIER_IR"}[r.Bucket]
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := fanned(t, tt.rules)
			made := tt.make(e)
			if tt.has != nil && !tt.has(&made.Version) {
				t.Fatalf("it was made otherwise: %+v", made.Version)
			}
			status := object.None
			if tt.at != "" || tt.code != "" {
				status = object.Pending
			}
			if made.Status != status {
				t.Errorf("at first: %s, want %q", made.Status, status)
			}
			e.Start()
			o := e.Settled(made)
			switch {
			case tt.code != "":
				if o.Status != object.Failed || o.Deliveries[0].Code != tt.code {
					t.Errorf("%s, %+v", o.Status, o.Deliveries)
				}
			case tt.at != "" && o.Status != object.Completed, tt.at == "" && (o.Status != object.None || len(o.Deliveries) != 0):
				t.Errorf("at last: %s, %+v", o.Status, o.Deliveries)
			}
			for _, name := range []string{"bbb", "ccc", "ddd"} {
				r, err := e.Store.Head(t.Context(), name, "k", made.ID)
				switch there := slices.Contains(strings.Fields(tt.at), name); {
				case there && err != nil:
					t.Errorf("%s: %v", name, err)
					continue
				case !there:
					if !errors.Is(err, fault.NotFound) {
						t.Errorf("%s has it: %v", name, err)
					}
					continue
				}
				want := *o
				if tt.want != nil {
					tt.want(&want.Version, &r.Version)
				}
				same(t, &want, r)
				if r.Status != object.Replica || len(r.Deliveries) != 0 {
					t.Errorf("%s: %s, %+v", name, r.Status, r.Deliveries)
				}
				if !r.Marker {
					sameBytes(e, o, r)
				}
			}
		})
	}
}

// TestWhatStays: what is replicated already stays as it is, whatever becomes of
// its source and of the rules.
func TestWhatStays(t *testing.T) {
	t.Parallel()
	all := send(1, "bbb", "", "Enabled", "")
	for _, tt := range []struct {
		name string
		do   func(*testenv.Env, *store.Object)
	}{
		{"the rule is removed", func(e *testenv.Env, _ *store.Object) {
			configure(e, send(1, "ccc", "<Prefix>other</Prefix>", "Enabled", ""))
		}},
		{"the configuration is removed", func(e *testenv.Env, _ *store.Object) { e.Document("aaa", bucket.Replication, "") }},
		{"the rule is turned off", func(e *testenv.Env, _ *store.Object) {
			configure(e, strings.Replace(all, "<Status>Enabled", "<Status>Disabled", 1))
		}},
		{"the rule has another destination", func(e *testenv.Env, _ *store.Object) { configure(e, send(1, "ccc", "", "Enabled", "")) }},
		{"the rule has another destination, and the tags change", func(e *testenv.Env, o *store.Object) {
			configure(e, send(1, "ccc", "", "Enabled", ""))
			_, err := e.Store.SetTags(e.T.Context(), "aaa", "k", o.ID, []object.Tag{{Key: "a"}})
			e.Must(err)
		}},
		{"another rule has another destination", func(e *testenv.Env, _ *store.Object) { configure(e, all+send(2, "ccc", "", "Enabled", "")) }},
		{"the rule names another class", func(e *testenv.Env, _ *store.Object) {
			configure(e, send(1, "bbb", "", "Enabled", "<StorageClass>STANDARD_IA</StorageClass>"))
		}},
		{"the version is deleted by its id", func(e *testenv.Env, o *store.Object) {
			_, err := e.Store.Delete(e.T.Context(), "aaa", "k", o.ID, testenv.Source)
			e.Must(err)
		}},
		{"a lifecycle rule ends the version", func(e *testenv.Env, o *store.Object) {
			later := put(e, object.Version{})
			b, err := e.Store.Bucket("aaa")
			e.Must(err)
			errs, err := e.Store.Expire(e.T.Context(), b, []store.Expiry{{Object: e.Head("aaa", "k", o.ID)}})
			e.Must(errors.Join(append(errs, err)...))
			e.Settled(later)
		}},
		{"the bucket is described", func(e *testenv.Env, _ *store.Object) {
			e.Document("aaa", bucket.Lifecycle, "<LifecycleConfiguration/>")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := fanned(t, all)
			e.Start()
			o := e.Settled(put(e, object.Version{}))
			was := e.Head("bbb", "k", o.ID)
			settings, err := e.Store.Bucket("bbb")
			e.Must(err)
			tt.do(e, o)
			// What is put last is done last.
			e.Settled(put(e, object.Version{}))
			configure(e, all)
			e.Settled(put(e, object.Version{}))
			if now, err := e.Store.Head(t.Context(), "aaa", "k", o.ID); err == nil && now.Status != object.Completed {
				t.Errorf("the source: %s, %+v", now.Status, now.Deliveries)
			}
			now := e.Head("bbb", "k", o.ID)
			same(t, was, now)
			if now.Status != object.Replica {
				t.Errorf("the replica: %s", now.Status)
			}
			if _, err := e.Store.Head(t.Context(), "ccc", "k", o.ID); !errors.Is(err, fault.NotFound) {
				t.Errorf("it went to ccc: %v", err)
			}
			if b, err := e.Store.Bucket("bbb"); err != nil || len(b.Documents) != len(settings.Documents) {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}

// TestStatusOfSeveralDestinations: PENDING until all are finished, FAILED if one
// failed, until somebody has it tried again.
func TestStatusOfSeveralDestinations(t *testing.T) {
	t.Parallel()
	e := fanned(t, send(1, "bbb", "", "Enabled", "")+send(2, "ccc", "", "Enabled", ""))
	o := put(e, object.Version{})
	e.Role("repl", "s3.amazonaws.com", "!s3:ReplicateObject arn:aws:s3:::ccc/*", "s3:* *")
	for i, want := range []object.Status{object.Pending, object.Failed} {
		_, err := e.Store.Deliver(t.Context(), e.Replicate.Plan(e.Head("aaa", "k", o.ID))[:1])
		e.Must(err)
		if now := e.Head("aaa", "k", o.ID); now.Status != want || now.Deliveries[0].Status != object.Completed {
			t.Errorf("after %d: %s, %+v", i+1, now.Status, now.Deliveries)
		}
		if r := e.Head("bbb", "k", o.ID); r.Status != object.Replica {
			t.Errorf("after %d the replica: %s", i+1, r.Status)
		}
	}
	if d := e.Head("aaa", "k", o.ID).Deliveries[1]; d.Code != "DstPutObjectNotPermitted" {
		t.Errorf("%+v", d)
	}
	// What waits counts for more than what failed.
	other := put(e, object.Version{})
	_, err := e.Store.Deliver(t.Context(), e.Replicate.Plan(other)[1:])
	e.Must(err)
	if now := e.Head("aaa", "k", other.ID); now.Status != object.Pending || now.Deliveries[1].Status != object.Failed {
		t.Errorf("one failed and one waits: %s, %+v", now.Status, now.Deliveries)
	}
	// FAILED is not left by itself, when its cause is gone.
	e.Role("repl", "s3.amazonaws.com", "s3:* *")
	e.Start()
	e.Settled(other)
	if now := e.Settled(put(e, object.Version{})); now.Status != object.Completed {
		t.Errorf("after it was mended: %s, %+v", now.Status, now.Deliveries)
	}
	for _, id := range []string{o.ID, other.ID} {
		if now := e.Head("aaa", "k", id); now.Status != object.Failed {
			t.Errorf("it was tried again: %+v", now.Version)
		}
	}
	e.Must(replicateNow(e, o))
	if now := e.Head("aaa", "k", o.ID); now.Status != object.Completed {
		t.Errorf("by a job: %s, %+v", now.Status, now.Deliveries)
	}
	same(t, o, e.Head("ccc", "k", o.ID))
}
