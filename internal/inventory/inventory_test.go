package inventory

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
	"twinbucket/setting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A Friday.
var begin = time.Date(2026, 1, 2, 10, 30, 0, 0, time.UTC)

// allowed lets S3 write the inventories of the source bucket, as AWS's guide has it.
const allowed = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"s3:PutObject",` +
	`"Resource":"arn:aws:s3:::reports/*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::src-bucket"},` +
	`"StringEquals":{"aws:SourceAccount":"111111111111","s3:x-amz-acl":"bucket-owner-full-control"}}}]}`

// world is a scenario with an engine whose clock is now.
type world struct {
	*testenv.Env
	e   *Engine
	now time.Time
	log bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Env: testenv.New(t), now: begin}
	w.Scenario()
	w.Document(testenv.Reports, bucket.Policy, allowed)
	w.engine()
	return w
}

// engine makes the engine anew, as after a crash.
func (w *world) engine() {
	w.e = New(Config{
		Store: w.Store, Catalog: w.Catalog, IAM: w.IAM, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Now: func() time.Time { return w.now }, Wait: func(context.Context, time.Duration, <-chan struct{}) {},
	})
}

// configure puts a configuration with the id daily; inner stands behind the
// destination, and to inside it.
func (w *world) configure(versions, to, inner string) {
	w.T.Helper()
	w.Document(testenv.SrcBucket, bucket.Inventory.WithID("daily"), document("Daily", versions, to, inner))
}

func document(frequency, versions, to, inner string) string {
	return `<InventoryConfiguration><Id>daily</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination><Format>CSV</Format>` +
		`<Bucket>arn:aws:s3:::reports</Bucket>` + to + `</S3BucketDestination></Destination><Schedule><Frequency>` + frequency + `</Frequency></Schedule>` +
		`<IncludedObjectVersions>` + versions + `</IncludedObjectVersions>` + inner + `</InventoryConfiguration>`
}

func (w *world) round() time.Time {
	w.T.Helper()
	next, err := w.e.round(w.T.Context())
	w.Must(err)
	return next
}

// keys lists the destination, the newest part of it last.
func (w *world) keys() (out []string) {
	w.T.Helper()
	p, err := w.Store.List(w.T.Context(), testenv.Reports, store.ListOptions{Max: 1000})
	w.Must(err)
	for _, o := range p.Objects {
		out = append(out, o.Key)
	}
	return out
}

func (w *world) read(key string) []byte {
	w.T.Helper()
	r, err := w.Store.Open(w.T.Context(), w.Head(testenv.Reports, key, ""), 0, -1)
	w.Must(err)
	data, err := io.ReadAll(r)
	w.Must(errors.Join(err, r.Close()))
	return data
}

// inventory reads a delivered inventory: its index and rows. Everything beside
// them has to fit.
func (w *world) inventory(folder string) (*manifest.Index, [][]string) {
	w.T.Helper()
	doc := w.read(folder + "manifest.json")
	sum := md5.Sum(doc)
	if got := string(w.read(folder + "manifest.checksum")); got != hex.EncodeToString(sum[:]) {
		w.T.Errorf("checksum %s", got)
	}
	x, err := manifest.ParseIndex(doc)
	w.Must(err)
	return x, w.rows(x)
}

// rows reads the files of an inventory, which have to be as it says.
func (w *world) rows(x *manifest.Index) (rows [][]string) {
	w.T.Helper()
	for _, f := range x.Files {
		data := w.read(f.Key)
		sum := md5.Sum(data)
		if int64(len(data)) != f.Size || hex.EncodeToString(sum[:]) != f.MD5Checksum {
			w.T.Errorf("%+v is not the file", f)
		}
		z, err := gzip.NewReader(bytes.NewReader(data))
		w.Must(err)
		list, err := csv.NewReader(z).ReadAll()
		w.Must(err)
		rows = append(rows, list...)
	}
	return rows
}

func (w *world) standing() Standing {
	w.T.Helper()
	list, err := w.e.Standings()
	w.Must(err)
	if len(list) != 1 {
		w.T.Fatalf("%+v", list)
	}
	return list[0]
}

// TestInventory: all versions with all fields, in files of two rows.
func TestInventory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.e.page, w.e.rows = 3, 2
	w.Document(testenv.SrcBucket, bucket.Lifecycle, `<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Date>2030-01-01</Date></Expiration></Rule></LifecycleConfiguration>`)
	w.Document(testenv.SrcBucket, bucket.OwnershipControls, `<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`)
	until := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	put := func(v object.Version) *store.Object {
		v.Bucket, v.Owner = testenv.SrcBucket, testenv.Source
		o, err := w.Store.Put(t.Context(), store.Put{Version: v, Body: strings.NewReader("body"), Size: 4, CustomerKey: make([]byte, 32)})
		w.Must(err)
		return o
	}
	first := put(object.Version{Key: "a b+\"%/ä", Class: "INTELLIGENT_TIERING", Lock: object.Lock{Mode: object.Governance, Until: until, Hold: true}})
	second := put(object.Version{
		Key: "a b+\"%/ä", ACL: acl.List{{Group: acl.AllUsers, Permission: acl.Read}}, Status: object.Replica,
		Encryption: object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey, BucketKey: true},
		Checksums:  []object.Checksum{{Algorithm: "CRC32", Value: "AAAAAA=="}},
	})
	third := put(object.Version{Key: "c", Encryption: object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: "cLx3nQ4pWoJ8Q8Y7eCzZyQ=="}})
	_, err := w.Store.Delete(t.Context(), testenv.SrcBucket, "c", "", testenv.Source)
	w.Must(err)
	marker := w.Head(testenv.SrcBucket, "c", "")
	w.Versioning(testenv.SrcBucket, bucket.Suspended)
	null := put(object.Version{Key: "d"})
	var fields strings.Builder
	for _, f := range []string{
		"LifecycleExpirationDate", "ObjectOwner", "Size", "LastModifiedDate", "StorageClass", "ETag", "IsMultipartUploaded", "ReplicationStatus",
		"EncryptionStatus", "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus", "IntelligentTieringAccessTier",
		"BucketKeyStatus", "ChecksumAlgorithm", "ObjectAccessControlList",
	} {
		fields.WriteString("<Field>" + f + "</Field>")
	}
	w.configure("All", "<Prefix>in/to/</Prefix>", "<OptionalFields>"+fields.String()+"</OptionalFields>")
	if next := w.round(); !next.Equal(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the next one is due at %v", next)
	}

	const folder = "in/to/src-bucket/daily/"
	x, rows := w.inventory(folder + "2026-01-02T10-30Z/")
	if want := "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, ReplicationStatus, " +
		"EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, IntelligentTieringAccessTier, BucketKeyStatus, " +
		"ChecksumAlgorithm, ObjectAccessControlList, ObjectOwner, LifecycleExpirationDate"; x.FileSchema != want {
		t.Errorf("schema %s", x.FileSchema)
	}
	if x.SourceBucket != "src-bucket" || x.DestinationBucket != "arn:aws:s3:::reports" || x.Version != "2016-11-30" || x.CreationTimestamp != "1767349800000" || len(x.Files) != 3 {
		t.Errorf("%+v", x)
	}
	id := acl.CanonicalID(testenv.Source)
	list := func(grants string) string {
		return base64.StdEncoding.EncodeToString([]byte(`{"version":"2022-11-10","status":"AVAILABLE","grants":[` + grants + `]}`))
	}
	private := list(`{"canonicalId":"` + id + `","type":"CanonicalUser","permission":"FULL_CONTROL"}`)
	public := list(`{"uri":"http://acs.amazonaws.com/groups/global/AllUsers","type":"Group","permission":"READ"}`)
	const key, expires = "a%20b%2B%22%25/%C3%A4", "2030-01-01T00:00:00.000Z"
	at := func(o *store.Object) string { return o.Modified.Format("2006-01-02T15:04:05.000Z") }
	want := [][]string{
		{"src-bucket", key, second.ID, "true", "false", "4", at(second), second.ETag, "STANDARD", "false", string(second.Status), "SSE-KMS", "", "", "Off", "", "ENABLED", "CRC32", public, id, expires},
		{"src-bucket", key, first.ID, "false", "false", "4", at(first), first.ETag, "INTELLIGENT_TIERING", "false", "", "SSE-S3", "2027-01-02T03:04:05.000Z", "GOVERNANCE", "On", "FREQUENT", "DISABLED", "", private, id, ""},
		{"src-bucket", "c", marker.ID, "true", "true", "", at(marker), "", "", "false", "", "", "", "", "", "", "", "", "", id, ""},
		{"src-bucket", "c", third.ID, "false", "false", "4", at(third), third.ETag, "STANDARD", "false", "", "SSE-C", "", "", "Off", "", "DISABLED", "", private, id, ""},
		{"src-bucket", "d", "", "true", "false", "4", at(null), null.ETag, "STANDARD", "false", "", "SSE-S3", "", "", "Off", "", "DISABLED", "", private, id, expires},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var links strings.Builder
	for _, f := range x.Files {
		if !strings.HasPrefix(f.Key, folder+"data/") || !strings.HasSuffix(f.Key, ".csv.gz") {
			t.Errorf("file %s", f.Key)
		}
		links.WriteString("s3://reports/" + f.Key + "\n")
	}
	if got := string(w.read(folder + "hive/dt=2026-01-02-10-30/symlink.txt")); got != links.String() {
		t.Errorf("links\n%s", got)
	}
	if s := w.standing(); s.Delivered != 1 || s.Refused != 0 || !s.Last.Equal(begin) || s.Why != "" || s.Bucket != "src-bucket" || s.Configuration != "daily" {
		t.Errorf("%+v", s)
	}
	if o := w.Head(testenv.Reports, x.Files[0].Key, ""); o.Owner != testenv.Source || o.Encryption.Algorithm != object.AES256 || o.Headers.ContentType != "application/gzip" {
		t.Errorf("%+v", o.Version)
	}
}

// TestCurrent: current versions below a prefix, without the columns of versions.
func TestCurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.e.page = 2
	for i := range 7 {
		w.Put(testenv.SrcBucket, fmt.Sprint("in/", i), "1")
		w.Put(testenv.SrcBucket, fmt.Sprint("in/", i), "2")
	}
	w.Put(testenv.SrcBucket, "out", "x")
	_, err := w.Store.Delete(t.Context(), testenv.SrcBucket, "in/3", "", testenv.Source)
	w.Must(err)
	w.configure("Current", "", "<Filter><Prefix>in/</Prefix></Filter>")
	w.round()
	x, rows := w.inventory("src-bucket/daily/2026-01-02T10-30Z/")
	var want [][]string
	for _, i := range []int{0, 1, 2, 4, 5, 6} {
		want = append(want, []string{"src-bucket", fmt.Sprint("in/", i)})
	}
	if diff := cmp.Diff(want, rows); diff != "" || x.FileSchema != "Bucket, Key" || len(x.Files) != 1 {
		t.Errorf("%s, %d files (-want +got)\n%s", x.FileSchema, len(x.Files), diff)
	}
	// What has nothing to list has no file.
	w.configure("Current", "<Prefix>p</Prefix>", "<Filter><Prefix>none/</Prefix></Filter>")
	w.round()
	if x, rows := w.inventory("p/src-bucket/daily/2026-01-02T10-30Z/"); len(x.Files)+len(rows) != 0 {
		t.Errorf("%+v", x)
	}
}

// TestSchedule: at once, then at midnight, or at that before Sunday; a change of
// the configuration makes one due, and one that is disabled makes none.
func TestSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := bucket.Inventory.WithID("daily")
	at := func(d, h int) { w.now = time.Date(2026, 1, d, h, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		frequency string // put now; "" for no change
		d, h      int
		want      int64
		next      int // day
	}{
		{"Daily", 2, 10, 1, 3},
		{"", 2, 23, 1, 3},
		{"", 3, 0, 2, 4},
		{"", 6, 5, 3, 7}, // nobody was there for days
		{"", 6, 6, 3, 7},
		{"Weekly", 6, 7, 4, 11},
		{"", 10, 23, 4, 11},
		{"", 11, 0, 5, 18},
		{"", 18, 1, 6, 25},
	} {
		at(c.d, c.h)
		if c.frequency != "" {
			w.Document(testenv.SrcBucket, name, document(c.frequency, "All", "", ""))
		}
		next := w.round()
		if s := w.standing(); s.Delivered != c.want {
			t.Errorf("on day %d at %d: %d, want %d", c.d, c.h, s.Delivered, c.want)
		}
		want := time.Date(2026, 1, c.next, 0, 0, 0, 0, time.UTC)
		if got := w.due(); !got.Equal(want) {
			t.Errorf("on day %d at %d: the next one is due at %v", c.d, c.h, got)
		}
		if limit := w.now.Add(day); limit.Before(want) {
			want = limit
		}
		if !next.Equal(want) {
			t.Errorf("on day %d at %d: next round at %v", c.d, c.h, next)
		}
	}
	w.Document(testenv.SrcBucket, name, strings.Replace(document("Daily", "All", "", ""), "true", "false", 1))
	at(30, 1)
	w.round()
	if s := w.standing(); s.Delivered != 6 {
		t.Errorf("%d after it was disabled", s.Delivered)
	}
	w.Document(testenv.SrcBucket, name, "")
	w.round()
	if list, err := w.e.Standings(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// due returns when the configuration's next inventory is due.
func (w *world) due() time.Time {
	w.T.Helper()
	b, err := w.Store.Bucket(testenv.SrcBucket)
	w.Must(err)
	doc := b.Documents[bucket.Inventory.WithID("daily")]
	c, err := setting.ParseInventory(doc)
	w.Must(err)
	s, err := w.e.state(b, "daily", sumOf(doc))
	w.Must(err)
	return w.e.due(c, &s)
}

// TestRefused: nothing is delivered, the log says what refuses it and what would
// mend it, and once that is done the inventory comes.
func TestRefused(t *testing.T) {
	t.Parallel()
	kms := "<Encryption><SSE-KMS><KeyId>" + testenv.SrcKey + "</KeyId></SSE-KMS></Encryption>"
	for name, c := range map[string]struct {
		to     string
		spoil  func(*world)
		mend   func(*world)
		logged string
	}{
		"no policy": {"", func(w *world) { w.Document(testenv.Reports, bucket.Policy, "") }, nil, `s3:PutObject`},
		"other source": {"", func(w *world) {
			w.Document(testenv.Reports, bucket.Policy, strings.Replace(allowed, "src-bucket", "other", 1))
		}, nil, "s3:PutObject"},
		"other account": {"", func(w *world) {
			w.Document(testenv.Reports, bucket.Policy, strings.Replace(allowed, "111111111111", "222222222222", 1))
		}, nil, "s3:PutObject"},
		"a Deny": {"", func(w *world) {
			w.Document(testenv.Reports, bucket.Policy, strings.Replace(allowed, `"Statement":[`, `"Statement":[{"Sid":"NoReports","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::reports/*"},`, 1))
		}, nil, "NoReports"},
		"policy asks for KMS": {"", func(w *world) {
			w.Document(testenv.Reports, bucket.Policy, strings.Replace(allowed, `"StringEquals":{`, `"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms",`, 1))
		}, nil, "s3:PutObject"},
		"owner": {"<AccountId>222222222222</AccountId>", func(*world) {}, func(w *world) {
			w.configure("All", "<AccountId>111111111111</AccountId>", "")
		}, "AccountId"},
		"no bucket": {"", func(w *world) { w.Must(w.Store.DeleteBucket(t.Context(), testenv.Reports)) }, func(w *world) {
			w.Bucket(testenv.Reports, testenv.Source)
			w.Document(testenv.Reports, bucket.Policy, allowed)
		}, "does not exist"},
		"key of AWS":    {"<Encryption><SSE-KMS><KeyId>alias/aws/s3</KeyId></SSE-KMS></Encryption>", func(*world) {}, func(w *world) { w.configure("All", kms, "") }, "the one that AWS manages"},
		"key of others": {"<Encryption><SSE-KMS><KeyId>" + testenv.DstKey + "</KeyId></SSE-KMS></Encryption>", func(*world) {}, func(w *world) { w.configure("All", kms, "") }, "key of account"},
		"format": {"<Prefix>x</Prefix>", func(w *world) {
			name := bucket.Inventory.WithID("daily")
			w.Document(testenv.SrcBucket, name, strings.Replace(document("Daily", "All", "", ""), "CSV", "ORC", 1))
		}, func(w *world) { w.configure("All", "", "") }, "ORC"},
		"no key":      {"<Encryption><SSE-KMS><KeyId>none</KeyId></SSE-KMS></Encryption>", func(*world) {}, func(w *world) { w.configure("All", kms, "") }, "keyId"},
		"long prefix": {"<Prefix>" + strings.Repeat("p", 1024) + "</Prefix>", func(*world) {}, func(w *world) { w.configure("All", "", "") }, "key is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Put(testenv.SrcBucket, "k", "x")
			w.configure("All", c.to, "")
			c.spoil(w)
			w.round()
			w.round() // which does not try again
			if s := w.standing(); s.Refused != 1 || s.Delivered != 0 || s.Why == "" || !s.Last.IsZero() {
				t.Errorf("%+v", s)
			}
			log := w.log.String()
			if !strings.Contains(log, c.logged) || !strings.Contains(log, "hint=") || !strings.Contains(log, "configuration=daily") {
				t.Errorf("%q is not in\n%s", c.logged, log)
			}
			if c.mend == nil {
				c.mend = func(w *world) { w.Document(testenv.Reports, bucket.Policy, allowed) }
				if name == "policy asks for KMS" {
					c.mend = func(w *world) { w.configure("All", kms, "") }
				}
			}
			c.mend(w)
			w.round()
			if s := w.standing(); s.Refused != 1 || s.Delivered != 1 || s.Why != "" {
				t.Errorf("mended: %+v\n%s", s, w.log.String())
			}
			x, rows := w.inventory("src-bucket/daily/2026-01-02T10-30Z/")
			if len(rows) != 1 {
				t.Errorf("%q", rows)
			}
			if got, want := w.Head(testenv.Reports, x.Files[0].Key, "").Encryption.KeyARN, testenv.SrcKey; name == "no key" && got != want {
				t.Errorf("under key %q", got)
			}
		})
	}
}

// TestCutShort: an inventory that is cut short at whatever page leaves no
// manifest, and is made anew from the same files.
func TestCutShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Versioning(testenv.Reports, bucket.Suspended)
	const n = 20
	for i := range n {
		w.Put(testenv.SrcBucket, fmt.Sprint("k", i), "x")
	}
	w.configure("All", "", "")
	for cut := 0; ; cut++ {
		ctx, stop := context.WithCancel(t.Context())
		pages := 0
		w.engine()
		w.e.page, w.e.rows = 2, 3
		w.e.Yield = func(ctx context.Context) error {
			if pages++; pages > cut {
				stop()
			}
			return ctx.Err()
		}
		_, err := w.e.round(ctx)
		stop()
		if err == nil {
			break
		}
		if got := w.keys(); slices.ContainsFunc(got, func(k string) bool { return !strings.Contains(k, "/data/") }) {
			t.Fatalf("cut after %d pages: %v", cut, got)
		}
		if s := w.standing(); s.Delivered+s.Refused != 0 {
			t.Errorf("%+v", s)
		}
		w.Crash()
		w.now = w.now.Add(time.Minute)
	}
	x, rows := w.inventory("src-bucket/daily/" + w.now.Format("2006-01-02T15-04Z") + "/")
	if got := w.keys(); len(rows) != n || len(got) != len(x.Files)+3 || w.standing().Delivered != 1 {
		t.Errorf("%d rows, %d files, %d objects", len(rows), len(x.Files), len(got))
	}
}

// TestCrashAnywhere: at whichever write a server dies, in the end there is one
// inventory and nothing beside it. Of a configuration that is another by then
// what manifest.json lists stays.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	const n = 7
	base := newWorld(t)
	base.Versioning(testenv.Reports, bucket.Suspended)
	for i := range n {
		base.Put(testenv.SrcBucket, fmt.Sprint("k", i), "x")
	}
	base.configure("All", "", "")
	for name, c := range map[string]struct {
		meanwhile func(*world)
		folder    string // of the inventory that has to come; "" for none
		alone     bool
	}{
		"more objects":          {func(w *world) { w.Put(testenv.SrcBucket, "a", "x") }, "src-bucket/daily/", true},
		"files removed":         {func(w *world) { w.clear() }, "src-bucket/daily/", true},
		"another configuration": {func(w *world) { w.configure("All", "<Prefix>new</Prefix>", "") }, "new/src-bucket/daily/", false},
		"no configuration":      {func(w *world) { w.Document(testenv.SrcBucket, bucket.Inventory.WithID("daily"), "") }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := 0 // crashes with a manifest.json that was not noted as delivered
			for k := int64(1); ; k++ {
				w := &world{Env: base.Copy(), now: begin}
				w.T = t
				w.DieAt(k)
				w.engine()
				w.e.rows = 3
				if _, err := w.e.round(t.Context()); err == nil {
					w.Close()
					break
				}
				w.Crash()
				w.engine()
				w.e.rows = 3
				w.now = begin.Add(time.Minute)
				list, err := w.e.Standings()
				w.Must(err)
				if len(list) == 0 || list[0].Delivered == 0 {
					told += len(w.indexes())
					c.meanwhile(w)
				}
				for tries := 1; ; tries++ {
					if _, err := w.e.round(t.Context()); err == nil {
						break
					} else if tries == 3 {
						t.Fatalf("died at write %d: %v", k, err)
					}
				}
				got := w.indexes()
				for _, x := range got {
					w.rows(x)
				}
				folders := slices.DeleteFunc(slices.Collect(maps.Keys(got)), func(f string) bool { return !strings.HasPrefix(f, c.folder) })
				if c.folder != "" {
					if len(folders) != 1 {
						t.Fatalf("died at write %d: %v", k, w.keys())
					}
					if x, rows := w.inventory(folders[0]); len(rows) < n || c.alone && len(w.keys()) != len(x.Files)+3 {
						t.Errorf("died at write %d: %d rows, %v", k, len(rows), w.keys())
					}
				}
				w.Close()
			}
			if told < 2 { // before its checksum, and before the note
				t.Errorf("%d crashes after manifest.json", told)
			}
		})
	}
}

// TestRefusedAtItsEnd: an inventory whose manifest.checksum is refused is
// finished on the day that lets it in, as it was.
func TestRefusedAtItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Put(testenv.SrcBucket, "k", "x")
	w.Document(testenv.Reports, bucket.Policy, strings.Replace(allowed, `"arn:aws:s3:::reports/*"`,
		`["arn:aws:s3:::reports/*.csv.gz","arn:aws:s3:::reports/*.txt","arn:aws:s3:::reports/*.json"]`, 1))
	w.configure("All", "", "")
	w.round()
	if s := w.standing(); s.Refused != 1 || s.Delivered != 0 || len(w.indexes()) != 1 {
		t.Fatalf("%+v, %v", s, w.keys())
	}
	w.now = begin.Add(day)
	w.Put(testenv.SrcBucket, "l", "x")
	w.Document(testenv.Reports, bucket.Policy, allowed)
	if next := w.round(); next.After(w.now) { // that of today
		t.Errorf("the next one is due at %v", next)
	}
	if s := w.standing(); s.Delivered != 1 || s.Why != "" || !s.Last.Equal(begin) {
		t.Errorf("%+v", s)
	}
	if _, rows := w.inventory("src-bucket/daily/2026-01-02T10-30Z/"); len(rows) != 1 {
		t.Errorf("%q", rows)
	}
	w.round()
	if _, rows := w.inventory("src-bucket/daily/2026-01-03T10-30Z/"); len(rows) != 2 || len(w.indexes()) != 2 {
		t.Errorf("%q, %v", rows, w.keys())
	}
}

// indexes returns each manifest.json there is, by its folder.
func (w *world) indexes() map[string]*manifest.Index {
	w.T.Helper()
	out := map[string]*manifest.Index{}
	for _, k := range w.keys() {
		if folder, ok := strings.CutSuffix(k, "manifest.json"); ok {
			x, err := manifest.ParseIndex(w.read(k))
			w.Must(err)
			out[folder] = x
		}
	}
	return out
}

// clear removes everything at the destination.
func (w *world) clear() {
	w.T.Helper()
	for _, k := range w.keys() {
		_, err := w.Store.Delete(w.T.Context(), testenv.Reports, k, "", testenv.Source)
		w.Must(err)
	}
}

// TestReplacedMeanwhile: an inventory is not delivered as a configuration had it
// that is another now.
func TestReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.Put(testenv.SrcBucket, fmt.Sprint(i), "x")
	}
	w.configure("All", "<Prefix>old</Prefix>", "")
	w.e.page = 2
	w.e.Yield = func(context.Context) error {
		w.configure("All", "<Prefix>new</Prefix>", "")
		return nil
	}
	if next := w.round(); next.After(w.now) {
		t.Errorf("the new one is due at %v", next)
	}
	w.e.Yield = nil
	w.round()
	for _, k := range w.keys() {
		if strings.HasPrefix(k, "old/") && !strings.Contains(k, "/data/") {
			t.Errorf("%s was delivered", k)
		}
	}
	if _, rows := w.inventory("new/src-bucket/daily/2026-01-02T10-30Z/"); len(rows) != 5 {
		t.Errorf("%q", rows)
	}
}

// TestInventoryAsManifest: what is delivered is the manifest of a job, whatever
// the keys are.
func TestInventoryAsManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := []string{
		"plain", "with space", "with+plus", "per%20cent", "ünïcode/日本語", "quo\"te", "com,ma", "line\nfeed\r\ttab", "\x01\x1f", "&<>'", "a//b/../c/", strings.Repeat("ä", 512),
	}
	var objects []*store.Object
	for _, k := range keys {
		objects = append(objects, w.Put(testenv.SrcBucket, k, "x"))
	}
	w.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	w.Start()
	w.configure("All", "<Encryption><SSE-KMS><KeyId>"+testenv.SrcKey+"</KeyId></SSE-KMS></Encryption>", "<OptionalFields><Field>Size</Field><Field>ETag</Field></OptionalFields>")
	w.Role("batch", "batchoperations.s3.amazonaws.com", append([]string{"kms:Decrypt " + testenv.SrcKey}, testenv.BatchGrants...)...)
	w.round()
	const index = "src-bucket/daily/2026-01-02T10-30Z/manifest.json"
	o := w.Head(testenv.Reports, index, "")
	j, err := w.Batch.Create(t.Context(), job.Job{Account: testenv.Source, Region: testenv.Region, Spec: job.Spec{
		Token: "t", Operation: job.ReplicateObject, RoleARN: testenv.BatchRole,
		Report:   job.Report{Enabled: true, Bucket: arn.Bucket(testenv.Reports), Format: report.Format, Scope: job.AllTasks},
		Manifest: &job.Manifest{Format: manifest.Inventory, Location: job.Location{ObjectARN: arn.Object(testenv.Reports, index), ETag: o.ETag}},
	}})
	w.Must(err)
	j = testenv.Wait(t, func() (job.Job, bool) {
		j, err := w.Batch.Get(testenv.Source, j.ID)
		w.Must(err)
		return j, j.State.Terminal()
	})
	if j.State != job.Complete || j.Progress.Succeeded != int64(len(keys)) || j.Progress.Failed != 0 {
		t.Fatalf("%s %+v %+v", j.State, j.Progress, j.Failures)
	}
	for _, o := range objects {
		if r := w.Head(testenv.DstBucket, o.Key, o.ID); r.Status != object.Replica {
			t.Errorf("%q: %+v", o.Key, r.Version)
		}
	}
}

// TestRun: the engine wakes by itself when a configuration is put, and when its
// destination lets it in.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Put(testenv.SrcBucket, "k", "x")
	w.Document(testenv.Reports, bucket.Policy, "")
	ctx, stop := context.WithCancel(t.Context())
	e := New(Config{Store: w.Store, Catalog: w.Catalog, IAM: w.IAM, Log: slog.New(slog.DiscardHandler)})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.Run(ctx, ctx); err != nil {
			t.Error(err)
		}
	})
	await := func(done func(Standing) bool) {
		t.Helper()
		testenv.Wait(t, func() ([]Standing, bool) {
			list, err := e.Standings()
			w.Must(err)
			return list, len(list) == 1 && done(list[0])
		})
	}
	w.configure("All", "", "")
	await(func(s Standing) bool { return s.Refused == 1 })
	w.Document(testenv.Reports, bucket.Policy, allowed)
	await(func(s Standing) bool { return s.Delivered == 1 })
	stop()
	wg.Wait()
}
