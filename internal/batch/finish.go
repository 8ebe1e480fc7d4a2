package batch

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

// finish writes the report, if one was asked for and a task was run, and ends
// the job. A report that cannot be written fails a job that would have been
// Complete; its results are kept.
func (d *driver) finish(ctx context.Context, r *record) error {
	t, err := d.e.tally(ctx, r)
	if err != nil {
		return err
	}
	r.Progress = t.progress()
	d.show(func() tally { return *t })
	defer d.show(nil)
	var delivery *job.Delivery
	if r.Spec.Report.Enabled && r.Progress.Run() > 0 {
		if delivery, err = d.deliver(ctx, r); err != nil {
			return err
		}
		if refused := delivery.State == job.ReportRefused; refused && r.State == job.Completing {
			return d.move(ctx, job.Fail, func(r *record) { r.Failures = append(r.Failures, delivery.Reasons...) })
		} else if refused {
			d.e.Log.Warn("a job's report could not be written", "job", d.name, "reasons", delivery.Reasons)
		}
	}
	return d.move(ctx, job.Settle, func(r *record) {
		t.into(r)
		r.Delivery = delivery
	})
}

const noReport = "The job report could not be written to your report bucket. Please check your permissions."

// Behind the keys of a report's and of a manifest's list those of its MD5.
const (
	sumOfReport   = ".md5"
	sumOfManifest = ".checksum"
)

// reportTo opens the bucket of the report as the job's role, which may write it.
func (d *driver) reportTo(r *record) (*output, error) {
	caller, err := d.e.assume(r)
	if err != nil {
		return nil, refuse("ReportWriteNotPermitted", noReport, err)
	}
	out := &output{e: d.e, caller: caller, r: r, code: "ReportWriteNotPermitted", reason: noReport, owner: r.Spec.Report.ExpectedBucketOwner}
	if err := out.open(r.Spec.Report.Bucket); err != nil {
		return nil, err
	}
	// As on AWS, whatever the bucket's default: no key is needed.
	out.encryption.Algorithm = object.AES256
	out.facts = out.encryption.WriteFacts()
	key := report.SummaryKey(r.Spec.Report.Prefix, r.ID)
	for _, key := range []string{key, key + sumOfReport, report.ResultKey(r.Spec.Report.Prefix, r.ID, true), report.ResultKey(r.Spec.Report.Prefix, r.ID, false)} {
		if err := out.may(key); err != nil {
			return nil, err
		}
	}
	if mode := out.bucket.DefaultRetention().Mode; mode != "" { // as on AWS
		return nil, &refusal{out.code, out.reason, []string{
			"Object Lock retains new objects of bucket " + out.bucket.Name + " in " + mode + " mode: its ObjectLockConfiguration has a DefaultRetention",
			"name a report bucket without a default retention, or take it out of the configuration of " + out.bucket.Name + ": PutObjectLockConfiguration without Rule",
		}}
	}
	return out, nil
}

// writeReport writes the completion report as the job's role.
func (d *driver) writeReport(ctx context.Context, r *record) error {
	out, err := d.reportTo(r)
	if err != nil {
		return err
	}
	var results []report.Result
	for _, succeeded := range []bool{true, false} {
		n, status := r.Progress.Failed, report.Failed
		if succeeded {
			n, status = r.Progress.Succeeded, report.Succeeded
		}
		if n == 0 || succeeded && r.Spec.Report.Scope == job.FailedTasksOnly {
			continue
		}
		key := report.ResultKey(r.Spec.Report.Prefix, r.ID, succeeded)
		o, err := out.stream(ctx, key, "text/csv", func(w io.Writer) error {
			return d.e.copyResults(ctx, r.ID, w, status)
		})
		if err != nil {
			return err
		}
		results = append(results, report.Result{TaskExecutionStatus: status, Bucket: out.bucket.Name, MD5Checksum: o.ETag, Key: key})
	}
	summary := report.NewSummary(d.e.Now().UTC(), results).JSON()
	return out.withSum(ctx, report.SummaryKey(r.Spec.Report.Prefix, r.ID), sumOfReport, summary)
}

// copyResults writes a job's lines of a status, all if it is "".
func (e *Engine) copyResults(ctx context.Context, id string, w io.Writer, status string) error {
	var line []byte
	return e.results(ctx, id, func(_ int, o *store.Object) error {
		n, err := resultOf(o)
		if err != nil || status == report.Succeeded && n.outcome.Succeeded == 0 || status == report.Failed && n.outcome.Failed == 0 {
			return err
		}
		body, err := e.Store.Open(ctx, o, 0, -1)
		if err != nil {
			return err
		}
		defer body.Close()
		rows := report.NewReader(body)
		for {
			row, err := rows.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if status != "" && row.Status() != status {
				continue
			}
			line = row.AppendCSV(line[:0])
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
	})
}

// writeManifest stores the generated manifest where the generator says.
func (d *driver) writeManifest(ctx context.Context, r *record, caller *iam.Caller, src *bucket.Bucket, c *chunker) (*job.Location, error) {
	to := r.Spec.Generator.Output
	out := output{e: d.e, caller: caller, r: r, code: "ManifestWriteNotPermitted", reason: preparing + "Failed to write manifest", owner: to.ExpectedOwner}
	if err := out.open(to.Bucket); err != nil {
		return nil, err
	}
	if err := out.encrypt(to); err != nil {
		return nil, err
	}
	key, indexKey := manifest.FileKey(to.Prefix, r.ID, 0), manifest.IndexKey(to.Prefix, r.ID)
	if c.unkept {
		return nil, out.mayKeep(key, indexKey)
	}
	o, err := out.stream(ctx, key, "text/csv", func(w io.Writer) error {
		return d.e.copyManifest(ctx, r.ID, c, w)
	})
	if err != nil {
		return nil, err
	}
	index := manifest.NewIndex(src.Name, out.bucket.Name, d.e.Now().UTC(), []manifest.File{{Key: key, Size: o.Size, MD5Checksum: o.ETag}}).JSON()
	if err := out.withSum(ctx, indexKey, sumOfManifest, index); err != nil {
		return nil, err
	}
	loc := &job.Location{ObjectARN: arn.Object(out.bucket.Name, indexKey), ETag: hexMD5(index)}
	if o, err := d.e.Store.Head(ctx, out.bucket.Name, indexKey, ""); err == nil && o.ID != object.NullID {
		loc.VersionID = o.ID
	}
	// As on AWS, the job's role has to read what is worked through.
	if _, err := d.findAs(ctx, caller, out.bucket.Name, indexKey, loc.VersionID, true); err != nil {
		return nil, err
	}
	_, err = d.findAs(ctx, caller, out.bucket.Name, key, "", true)
	return loc, err
}

// copyManifest writes all chunks as one file, every field in quotes.
func (e *Engine) copyManifest(ctx context.Context, id string, c *chunker, w io.Writer) error {
	out, err := manifest.NewWriter(w, c.fields, true)
	if err != nil {
		return err
	}
	for n := range c.chunks {
		entries, err := e.chunk(ctx, &record{Job: job.Job{ID: id}, Fields: c.fields}, n)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := out.Write(&entries[i]); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// output writes a job's objects to a bucket as the job's role. What forbids it
// is a refusal with the output's code and reason.
type output struct {
	e            *Engine
	caller       *iam.Caller
	r            *record
	bucket       *bucket.Bucket
	code, reason string
	owner        string // the account that must own the bucket; "" for any
	encryption   object.Encryption
	facts        map[string][]string // what is asked for beside the bucket's defaults
}

// open finds the bucket that an ARN names.
func (o *output) open(bucketARN string) error {
	name, err := arn.BucketName(bucketARN)
	if err == nil {
		o.bucket, err = o.e.Store.Bucket(name)
	}
	if err != nil {
		return &refusal{o.code, o.reason, []string{fault.MessageOf(err) + ": " + bucketARN, "create bucket " + name + ", and let " + o.r.Spec.RoleARN + " do s3:PutObject there"}}
	}
	if o.owner != "" && o.owner != o.bucket.Owner {
		is := "another account"
		if o.bucket.Owner == o.r.Account { // others may keep it to themselves
			is = "account " + o.bucket.Owner
		}
		return &refusal{o.code, o.reason, []string{
			"bucket " + name + " belongs to " + is + ", not to " + o.owner,
			"name " + is + " as the expected owner of " + name + ", or a bucket of account " + o.owner,
		}}
	}
	return nil
}

// mayKeep reports whether a manifest of a file and its list may be stored, and
// read as what is worked through.
func (o *output) mayKeep(key, indexKey string) error {
	for _, key := range []string{key, indexKey, indexKey + sumOfManifest} {
		if err := o.may(key); err != nil {
			return err
		}
	}
	for _, key := range []string{indexKey, key} {
		if err := o.e.mayRead(o.caller, o.bucket, key, "", nil); err != nil {
			return refuse("ManifestReadNotPermitted", forbidden, err)
		}
	}
	return nil
}

// encrypt has the objects of a manifest encrypted as its output says, or by the
// bucket's default.
func (o *output) encrypt(to *job.Output) (err error) {
	rule := o.bucket.EncryptionRule()
	key, kms := rule.KeyID, rule.Algorithm == object.KMS
	if to.Encryption != "" {
		key, kms = to.KeyID, to.Encryption == object.SSEKMS
	}
	o.encryption.Algorithm = object.AES256
	if kms {
		o.encryption = object.Encryption{Algorithm: object.KMS, BucketKey: rule.BucketKey}
		if o.encryption.KeyARN, err = o.e.Store.Keys().Resolve(o.r.Account, key); err != nil {
			return refuse(o.code, o.reason, err)
		}
	}
	if to.Encryption != "" {
		o.facts = o.encryption.WriteFacts()
	}
	return nil
}

// may reports whether an object may be stored.
func (o *output) may(key string) error {
	if err := o.e.allowedWith(o.caller, "s3:PutObject", arn.Object(o.bucket.Name, key), o.bucket, o.facts); err != nil {
		return refuse(o.code, o.reason, err)
	}
	if e := &o.encryption; e.Algorithm == object.KMS {
		if err := o.e.IAM.AllowKey(o.caller, "kms:GenerateDataKey", e.KeyARN, o.e.Store.Keys().Policy(e.KeyARN, ""), e.KeyFacts(o.bucket.Name, key)); err != nil {
			return refuse(o.code, o.reason, err)
		}
	}
	return nil
}

// put stores one object.
func (o *output) put(ctx context.Context, key, contentType string, body io.Reader, size int64) (*store.Object, error) {
	if err := o.may(key); err != nil {
		return nil, err
	}
	return o.e.Store.Put(ctx, store.Put{
		Version: object.Version{
			Bucket: o.bucket.Name, Key: key, Owner: o.bucket.Owner,
			Headers: object.Headers{ContentType: contentType}, Encryption: o.encryption,
		},
		Body: body, Size: size,
	})
}

// stream stores what write writes.
func (o *output) stream(ctx context.Context, key, contentType string, write func(io.Writer) error) (*store.Object, error) {
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := write(w)
		if err != nil {
			// A fault, so that the store does not take the end for the body's.
			err = fault.Wrap("batch.write", key, err)
		}
		w.CloseWithError(err)
	}()
	obj, err := o.put(ctx, key, contentType, r, -1)
	r.CloseWithError(fault.Closed)
	<-ended
	return obj, err
}

// withSum stores a document and, beside it, its MD5 in hex.
func (o *output) withSum(ctx context.Context, key, suffix string, doc []byte) error {
	sum := hexMD5(doc)
	for _, f := range []struct{ key, contentType, body string }{
		{key, "application/json", string(doc)},
		{key + suffix, "text/plain", sum},
	} {
		if _, err := o.put(ctx, f.key, f.contentType, bytes.NewReader([]byte(f.body)), int64(len(f.body))); err != nil {
			return err
		}
	}
	return nil
}

func hexMD5(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}
