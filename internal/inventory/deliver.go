package inventory

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/keyring"
	"twinbucket/internal/store"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/setting"
)

// service is who delivers inventories.
const service = "s3.amazonaws.com"

// refusal is why an inventory cannot be delivered until somebody changes
// something.
type refusal struct{ cause error }

func (r *refusal) Error() string { return r.cause.Error() }

var (
	// errReplaced ends an inventory whose configuration was changed meanwhile.
	errReplaced = errors.New("the configuration was changed meanwhile")
	// errLost ends an inventory of which somebody took files away before it was
	// delivered.
	errLost = errors.New("files of an inventory were removed or changed before it was delivered; it is begun anew")
)

// written is an inventory whose files are all there. What is left is to tell of
// them.
type written struct {
	Began time.Time       `json:"began"`
	Rows  int64           `json:"rows"`
	Index *manifest.Index `json:"index"`
}

// deliver writes the files of an inventory and then what tells of them. In
// between it saves that it does: files that an index may list are not written
// again.
func (e *Engine) deliver(ctx context.Context, b *bucket.Bucket, c *setting.Inventory, s *state, began time.Time) error {
	if err := c.Unsupported(); err != nil { // an earlier version stored it
		return &refusal{err}
	}
	folder := c.Prefix
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	out := &output{e: e, source: b, c: c, caller: e.IAM.AsService(service), folder: folder + b.Name + "/" + c.ID + "/"}
	if s.Written == nil {
		w, err := out.write(ctx, s.Run, began)
		if err != nil {
			return err
		}
		s.Written = w
		if err := e.save(ctx, b, c.ID, s); err != nil {
			return err
		}
	}
	if now, err := e.Store.Again(b); err != nil || sumOf(now.Documents[bucket.Inventory.WithID(c.ID)]) != s.Sum {
		return errReplaced
	}
	return out.tell(ctx, s.Written)
}

// write writes the files of rows.
func (o *output) write(ctx context.Context, run string, began time.Time) (*written, error) {
	// Before anything is listed: who is refused is not to keep the store busy.
	if _, _, err := o.allowed(o.index(began)); err != nil {
		return nil, err
	}
	t, err := newTable(o.source, o.c)
	if err != nil {
		return nil, err
	}
	l := &listing{e: o.e, bucket: o.source.Name, c: o.c, since: o.e.Now()}
	var files []manifest.File
	for {
		if more, err := l.more(ctx); err != nil {
			return nil, err
		} else if !more {
			break
		}
		key := o.folder + "data/" + fileName(run, len(files)) + ".csv.gz"
		obj, err := o.put(ctx, key, "application/gzip", o.e.file(ctx, t, l), -1)
		if err := cmp.Or(l.err, err); err != nil {
			return nil, err
		}
		files = append(files, manifest.File{Key: key, Size: obj.Size, MD5Checksum: obj.ETag})
	}
	return &written{Began: began, Rows: l.rows, Index: manifest.NewInventory(o.source.Name, o.c.Bucket, began, t.columns, files)}, nil
}

// index returns the key of manifest.json.
func (o *output) index(began time.Time) string {
	return o.folder + began.Format("2006-01-02T15-04Z") + "/manifest.json"
}

// tell writes what makes an inventory one: once more, the same, if it was cut
// short in this.
func (o *output) tell(ctx context.Context, w *written) error {
	index := o.index(w.Began)
	if _, _, err := o.allowed(index); err != nil {
		return err
	}
	var links strings.Builder
	for _, f := range w.Index.Files {
		obj, err := o.e.Store.Head(ctx, o.c.Bucket, f.Key, "")
		if errors.Is(err, fault.NotFound) || err == nil && obj.ETag != f.MD5Checksum {
			return errLost
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(&links, "s3://%s/%s\n", o.c.Bucket, f.Key)
	}
	doc := w.Index.JSON()
	sum := md5.Sum(doc)
	for _, f := range []struct{ key, contentType, body string }{
		{o.folder + "hive/dt=" + w.Began.Format("2006-01-02-15-04") + "/symlink.txt", "text/plain", links.String()},
		{index, "application/json", string(doc)},
		{strings.TrimSuffix(index, "json") + "checksum", "text/plain", hex.EncodeToString(sum[:])},
	} {
		if _, err := o.put(ctx, f.key, f.contentType, strings.NewReader(f.body), int64(len(f.body))); err != nil {
			return err
		}
	}
	o.e.Log.Info("inventory delivered", "bucket", o.source.Name, "configuration", o.c.ID, "destination", o.c.Bucket, "manifest", index,
		"files", len(w.Index.Files), "rows", w.Rows, "took", o.e.Now().Sub(w.Began))
	return nil
}

// fileName returns the name of the n-th file of a run, which looks like AWS's.
func fileName(run string, n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d", run, n))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// listing goes through what an inventory is about, page by page.
type listing struct {
	e      *Engine
	bucket string
	c      *setting.Inventory

	page  []store.Listed // what is left of the page
	after store.VersionsOptions
	begun bool
	done  bool      // there is no page behind this one
	since time.Time // when the page was read
	rows  int64
	err   error // why there is no next page: no matter of the destination
}

// more reports whether there is something left.
func (l *listing) more(ctx context.Context) (bool, error) {
	for len(l.page) == 0 && !l.done && l.err == nil {
		if l.begun {
			l.err = l.rest(ctx)
		}
		l.begun, l.since = true, l.e.Now()
		if l.err == nil {
			l.err = l.read(ctx)
		}
		// A fault, so that the store does not take the end for that of a body.
		l.err = fault.Wrap("inventory.list", l.bucket, l.err)
	}
	return len(l.page) > 0, l.err
}

// rest lets clients and replication have the store, as long as the page took.
func (l *listing) rest(ctx context.Context) error {
	if d := l.e.Now().Sub(l.since); d > 0 {
		l.e.Wait(ctx, d, nil)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.e.Yield == nil {
		return nil
	}
	return l.e.Yield(ctx)
}

// read reads the next page.
func (l *listing) read(ctx context.Context) error {
	if l.c.All {
		o := l.after
		o.Prefix, o.Max = l.c.Filter, l.e.page
		p, err := l.e.Store.ListVersions(ctx, l.bucket, o)
		if err != nil {
			return err
		}
		l.page, l.done = p.Versions, !p.Truncated
		l.after.AfterKey, l.after.AfterID = p.NextKey, p.NextID
		return nil
	}
	p, err := l.e.Store.List(ctx, l.bucket, store.ListOptions{Prefix: l.c.Filter, After: l.after.AfterKey, Max: l.e.page})
	if err != nil {
		return err
	}
	l.page, l.done, l.after.AfterKey = make([]store.Listed, len(p.Objects)), !p.Truncated, p.Next
	for i, o := range p.Objects {
		l.page[i] = store.Listed{Object: o, Latest: true}
	}
	return nil
}

// readFunc is an io.Reader.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// file returns the next rows of a listing, compressed, as many as go into a
// file. They are made as they are read.
func (e *Engine) file(ctx context.Context, t *table, l *listing) io.Reader {
	var ready bytes.Buffer
	z := gzip.NewWriter(&ready)
	var row []byte
	rows, ended := 0, false
	return readFunc(func(p []byte) (int, error) {
		for ready.Len() == 0 && !ended {
			more, err := l.more(ctx)
			if err != nil {
				return 0, err
			}
			if !more || rows == e.rows {
				ended = true
				if err := z.Close(); err != nil {
					return 0, err
				}
				break
			}
			row = t.appendRow(row[:0], &l.page[0])
			l.page = l.page[1:]
			rows++
			l.rows++
			if _, err := z.Write(row); err != nil {
				return 0, err
			}
		}
		return ready.Read(p)
	})
}

// output writes what is delivered, as S3 itself.
type output struct {
	e      *Engine
	source *bucket.Bucket
	c      *setting.Inventory
	caller *iam.Caller
	folder string // what all keys begin with
}

// allowed returns the destination and how an object there is to be encrypted,
// or a refusal.
func (o *output) allowed(key string) (*bucket.Bucket, object.Encryption, error) {
	b, enc, err := o.may(key)
	if err != nil {
		err = &refusal{err}
	}
	return b, enc, err
}

func (o *output) may(key string) (*bucket.Bucket, object.Encryption, error) {
	b, err := o.e.Store.Bucket(o.c.Bucket)
	if err != nil {
		return nil, object.Encryption{}, err
	}
	if o.c.Account != "" && o.c.Account != b.Owner {
		return nil, object.Encryption{}, fault.Newf(fault.Denied, "AccessDenied", "The bucket %s belongs to account %s, and the configuration names account %s.", b.Name, b.Owner, o.c.Account).
			WithHint("put the configuration with the AccountId of who owns the bucket")
	}
	enc, err := o.encryption(b)
	if err != nil {
		return nil, enc, err
	}
	facts := map[string][]string{}
	if o.c.Encryption != "" {
		facts = enc.WriteFacts()
	}
	facts["aws:sourcearn"], facts["aws:sourceaccount"] = []string{o.source.ARN()}, []string{o.source.Owner}
	facts["s3:x-amz-acl"] = []string{"bucket-owner-full-control"}
	return b, enc, o.e.IAM.Authorize(o.caller, iam.Access{
		Action: "s3:PutObject", Resource: arn.Object(b.Name, key), ResourceAccount: b.Owner,
		Policy: b.Documents[bucket.Policy], Block: b.Documents[bucket.PublicAccessBlock], Context: facts,
	})
}

// encryption returns how what is delivered is encrypted: as the configuration
// says, else by the bucket's default. The policies of keys cannot be set here:
// S3 may use the keys of both owners, but as on AWS not those that AWS manages.
func (o *output) encryption(b *bucket.Bucket) (object.Encryption, error) {
	rule := b.EncryptionRule()
	key, kms := rule.KeyID, rule.Algorithm == object.KMS
	if o.c.Encryption != "" {
		key, kms = o.c.KeyID, o.c.Encryption == object.SSEKMS
	}
	if !kms {
		return object.Encryption{Algorithm: object.AES256}, nil
	}
	e := object.Encryption{Algorithm: object.KMS, BucketKey: rule.BucketKey}
	keys := o.e.Store.Keys()
	var err error
	if e.KeyARN, err = keys.Resolve(b.Owner, key); err != nil {
		return e, err
	}
	account := keyring.Account(e.KeyARN)
	if e.KeyARN == keys.ManagedKey(account) || account != b.Owner && account != o.source.Owner {
		return e, fault.New(fault.Denied, "AccessDenied", "S3 may not use the key "+e.KeyARN+" for inventories.").
			WithHint("name a key of account %s, and not the one that AWS manages", b.Owner)
	}
	return e, nil
}

// put stores an object. What the store refuses for good is a refusal.
func (o *output) put(ctx context.Context, key, contentType string, body io.Reader, size int64) (*store.Object, error) {
	b, enc, err := o.allowed(key)
	if err != nil {
		return nil, err
	}
	obj, err := o.e.Store.Put(ctx, store.Put{
		Version: object.Version{
			Bucket: b.Name, Key: key, Owner: b.Owner, Encryption: enc, Headers: object.Headers{ContentType: contentType},
		},
		Sent: b, Body: body, Size: size,
	})
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.TooLarge:
		err = &refusal{err}
	}
	return obj, err
}
