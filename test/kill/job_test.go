package kill

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/job"
	"twinbucket/object"
	"twinbucket/report"
)

var entries = flag.Int("entries", 12_000, "versions of TestJobs")

// TestJobs kills a server -turns times while it works on jobs: one that waits
// for its user, one of higher priority that comes later, and one that is
// cancelled. In the end the report of each has one line for each version that
// was worked on, and what it says was replicated is there.
func TestJobs(t *testing.T) {
	h := &harness{t: t, dir: t.TempDir()}
	h.fill(*entries)
	rng := rand.New(rand.NewPCG(*seed, 0))
	specs := []*job.Spec{jobSpec("first", 1), jobSpec("urgent", 2), jobSpec("cancelled", 3)}
	specs[0].ConfirmationRequired = true
	for turn := range *turns {
		s := h.serve()
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+rng.IntN(400))*time.Millisecond)
		for n := min(turn+1, len(specs)); ctx.Err() == nil; {
			h.must(work(ctx, s.client, specs[:n]))
		}
		cancel()
		h.must(s.kill())
	}
	s := h.serve()
	for i, spec := range specs {
		var j *job.Job
		for j == nil || !j.State.Terminal() {
			h.must(work(t.Context(), s.client, specs))
			id, err := s.client.CreateJob(t.Context(), account, spec)
			h.must(err)
			j, err = s.client.DescribeJob(t.Context(), account, id)
			h.must(err)
		}
		want := job.Complete
		if i == 2 && j.State != job.Complete {
			want = job.Cancelled
		}
		if j.State != want || want == job.Complete && j.Progress.Succeeded != int64(*entries) {
			t.Errorf("seed %d: the job %s is %s: %+v, %+v", *seed, spec.Token, j.State, j.Progress, j.Failures)
		}
		if got := h.lines(s.client, j); int64(got) != j.Progress.Run() {
			t.Errorf("seed %d: the job %s has %d lines: %+v", *seed, spec.Token, got, j.Progress)
		}
	}
	h.must(s.stop())
}

// bodyOf is what stands under a key of fill.
func bodyOf(key string) body {
	_, number, _ := strings.Cut(key, "/")
	n, _ := strconv.ParseUint(number, 10, 64)
	return body{seed: n, size: 40}
}

func jobSpec(token string, priority int) *job.Spec {
	yes := true
	return &job.Spec{
		Token: token, Operation: job.ReplicateObject, Priority: priority, RoleARN: arn.Role(account, "/", "copier"),
		Report:    job.Report{Enabled: true, Bucket: arn.Bucket(plain), Format: report.Format, Prefix: "p", Scope: job.AllTasks},
		Generator: &job.Generator{SourceBucket: arn.Bucket(source), Filter: &job.Filter{EligibleForReplication: &yes}},
	}
}

// work does what the jobs' user does: creates them, again and again, confirms
// what is to be confirmed, and cancels the last of three. An end of ctx, or of
// the server, is no error.
func work(ctx context.Context, c *client.Client, specs []*job.Spec) error {
	err := func() error {
		for i, spec := range specs {
			id, err := c.CreateJob(ctx, account, spec)
			if err != nil {
				return err
			}
			j, err := c.DescribeJob(ctx, account, id)
			switch {
			case err != nil:
				return err
			case j.State == job.Suspended:
				_, err = c.UpdateJobStatus(ctx, account, id, job.Ready, "")
			case i == 2 && j.Progress.Run() > 2000:
				_, err = c.UpdateJobStatus(ctx, account, id, job.Cancelled, "")
			}
			if err != nil && fault.CodeOf(err) != "JobStatusException" {
				return err
			}
		}
		return nil
	}()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// fill makes the buckets, the role, and versions that no rule has selected.
func (h *harness) fill(n int) {
	h.t.Helper()
	ctx := h.t.Context()
	s := h.serve()
	_, err := s.client.CreateRole(ctx, client.Role{Name: "copier", Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["s3.amazonaws.com","batchoperations.s3.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`})
	h.must(err)
	h.must(s.client.PutRolePolicy(ctx, "copier", "all", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`))
	h.must(s.stop())
	st, err := store.Open(vfs.OS(), h.dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	h.must(err)
	for _, name := range []string{source, copies, plain} {
		h.must(st.CreateBucket(ctx, &bucket.Bucket{Name: name, Owner: account, Region: "us-east-1", Versioning: bucket.Enabled}))
	}
	puts := make(chan int)
	errs := make(chan error, 1)
	for range 64 {
		go func() {
			var err error
			for i := range puts {
				v := object.Version{Bucket: source, Key: fmt.Sprintf("%d/%d", i%7, i), Owner: account}
				data := bodyOf(v.Key).bytes()
				_, one := st.Put(ctx, store.Put{Version: v, Body: bytes.NewReader(data), Size: int64(len(data))})
				err = errors.Join(err, one)
			}
			errs <- err
		}()
	}
	for i := range n {
		puts <- i
	}
	close(puts)
	for range 64 {
		h.must(<-errs)
	}
	h.must(st.UpdateBucket(ctx, source, func(b *bucket.Bucket) error {
		b.Documents = map[bucket.Document][]byte{bucket.Replication: []byte(`<ReplicationConfiguration><Role>arn:aws:iam::` + account + `:role/copier</Role><Rule><ID>all</ID><Priority>1</Priority><Filter/>` +
			`<Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::` + copies + `</Bucket></Destination></Rule></ReplicationConfiguration>`)}
		return nil
	}))
	h.must(st.Close())
}

// lines reads the report of a job, which may say one thing of a version, and
// returns how many lines it has. What it says was replicated has to be there.
func (h *harness) lines(c *client.Client, j *job.Job) int {
	h.t.Helper()
	if j.Progress.Run() == 0 {
		return 0
	}
	ctx := h.t.Context()
	read := func(key string) io.ReadCloser {
		h.t.Helper()
		o, err := c.GetObject(ctx, plain, key, client.Get{})
		h.must(err)
		return o.Body
	}
	body := read(report.SummaryKey("p", j.ID))
	data, err := io.ReadAll(body)
	h.must(errors.Join(err, body.Close()))
	summary, err := report.ParseSummary(data)
	h.must(err)
	seen := map[string]bool{}
	for _, f := range summary.Results {
		body := read(f.Key)
		rows := report.NewReader(body)
		for {
			row, err := rows.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			h.must(err)
			id := row.Key + " " + row.VersionID
			if seen[id] {
				h.t.Errorf("seed %d: %s has two lines", *seed, id)
			}
			seen[id] = true
			if row.Succeeded && len(seen)%50 == 0 {
				h.must(same(ctx, c, copies, row.Key, row.VersionID, bodyOf(row.Key)))
			}
		}
		h.must(body.Close())
	}
	return len(seen)
}
