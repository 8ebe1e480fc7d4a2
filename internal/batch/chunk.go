package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"

	"golang.org/x/sync/errgroup"
)

const anyRevision = catalog.Any

func manifestKey(id string, n int) string { return fmt.Sprintf("%s/manifest/%08d", id, n) }
func resultKey(id string, n int) string   { return fmt.Sprintf("%s/result/%08d", id, n) }

// chunker cuts a manifest into chunks and stores them, and makes the job's plan.
type chunker struct {
	e      *Engine
	r      *record
	fields []manifest.Field
	plan   job.Plan
	unkept bool  // only the plan is wanted
	looked int64 // tasks for which the plan could ask what is permitted

	buf     bytes.Buffer
	w       *manifest.Writer
	chunks  int
	rows    int64
	entries []manifest.Entry // those of the chunk being made

	pass   int64 // rows of a manifest brought along that are in chunks already
	marked int64 // versions or rows that were looked at before the last mark
}

// mark is how far a job is prepared: a restart goes on from there.
type mark struct {
	Chunks   int      `json:"chunks"`
	Rows     int64    `json:"rows"`
	Looked   int64    `json:"looked"`
	Plan     job.Plan `json:"plan"`
	AfterKey string   `json:"afterKey,omitempty"` // the last that was listed
	AfterID  string   `json:"afterId,omitempty"`
}

// maxTasks is how many objects a job can have: one that replicates them 20
// billion, others one (S3 User Guide, "Replicating existing objects").
func (r *record) maxTasks() int64 {
	if r.replicates() {
		return 20_000_000_000
	}
	return 1_000_000_000
}

// marksAfter is how many chunks' worth of versions are looked at between two
// marks.
const marksAfter = 100

// chunker returns one for a job, which goes on from where a former process was.
func (e *Engine) chunker(r *record) *chunker {
	c := &chunker{e: e, r: r, fields: manifest.GeneratedColumns()}
	if m := r.Mark; m != nil {
		c.chunks, c.rows, c.looked, c.plan = m.Chunks, m.Rows, m.Looked, m.Plan
		if r.Spec.Manifest != nil {
			c.pass, c.marked = m.Rows, m.Rows
		} else {
			c.marked = m.Plan.Seen.Versions
		}
	}
	return c
}

// mark notes that the versions, or rows, of which so many were looked at, up to
// the one with the given key and id, are in chunks; but not all too often.
func (c *chunker) mark(ctx context.Context, looked int64, key, id string) error {
	if c.unkept || looked-c.marked < int64(marksAfter*c.e.ChunkSize) {
		return nil
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	c.marked = looked
	return c.e.jobs.Update(ctx, name(c.r.Account, c.r.ID), func(r *record) error {
		r.Mark = &mark{c.chunks, c.rows, c.looked, c.plan, key, id}
		return nil
	})
}

func (c *chunker) add(ctx context.Context, entry *manifest.Entry) error {
	if c.pass > 0 {
		c.pass--
		return nil
	}
	if most := c.r.maxTasks(); c.rows == most {
		return &refusal{
			"InvalidManifestContent", "The S3 Batch Operations job failed because it contains more keys than the maximum allowed in a single job",
			[]string{fmt.Sprintf("such a job has at most %d objects", most)},
		}
	}
	if c.w == nil {
		w, err := manifest.NewWriter(&c.buf, c.fields, false)
		if err != nil {
			return err
		}
		c.w = w
	}
	if err := c.w.Write(entry); err != nil {
		return err
	}
	c.rows++
	if c.entries = append(c.entries, *entry); len(c.entries) < c.e.ChunkSize {
		return nil
	}
	if err := c.flush(ctx); err != nil || c.r.Spec.Generator != nil {
		return err
	}
	return c.mark(ctx, c.rows, "", "")
}

// flush stores the chunk being made, if it has a row.
func (c *chunker) flush(ctx context.Context) error {
	if len(c.entries) == 0 {
		return nil
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	if !c.unkept {
		if err := c.e.keep(ctx, manifestKey(c.r.ID, c.chunks), c.buf.Bytes(), nil); err != nil {
			return err
		}
	}
	if err := c.foresee(ctx, c.entries); err != nil {
		return err
	}
	c.buf.Reset()
	c.w, c.entries = nil, c.entries[:0]
	c.chunks++
	return nil
}

// keep stores an object of the engine's own.
func (e *Engine) keep(ctx context.Context, key string, data []byte, meta map[string]string) error {
	_, err := e.Store.Put(ctx, store.Put{
		Version: object.Version{Bucket: internalBucket, Key: key, Metadata: meta},
		Body:    bytes.NewReader(data), Size: int64(len(data)),
	})
	return err
}

// open reads an object of the engine's own.
func (e *Engine) open(ctx context.Context, key string) (io.ReadCloser, error) {
	o, err := e.Store.Head(ctx, internalBucket, key, "")
	if err != nil {
		return nil, err
	}
	return e.Store.Open(ctx, o, 0, -1)
}

// chunk reads the entries of a chunk.
func (e *Engine) chunk(ctx context.Context, r *record, n int) ([]manifest.Entry, error) {
	body, err := e.open(ctx, manifestKey(r.ID, n))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	m, err := manifest.NewReader(body, r.Fields, "")
	if err != nil {
		return nil, err
	}
	out := make([]manifest.Entry, 0, e.ChunkSize)
	for {
		entry, err := m.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if fault.CodeOf(err) == "InvalidManifestContent" { // what was stored was sound
			err = &fault.Error{Op: "batch.chunk", Kind: fault.Damaged, Thing: manifestKey(r.ID, n), Err: err}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
}

// The metadata of a result: how many of its lines are of each kind, for how
// many milliseconds its job had been Active when it was stored, and, in JSON,
// what became of its tasks.
const (
	metaSucceeded = "succeeded"
	metaFailed    = "failed"
	metaActive    = "active"
	metaOutcome   = "outcome"
)

// keepResult stores the report lines of a chunk: the chunk is done.
func (e *Engine) keepResult(ctx context.Context, id string, n int, rows []report.Row, outcome *job.Outcome, active time.Duration) (result, error) {
	var buf []byte
	for i := range rows {
		buf = rows[i].AppendCSV(buf)
	}
	data, err := json.Marshal(outcome)
	if err != nil {
		return result{}, fault.Wrap("batch.result", id, err)
	}
	out := result{outcome: *outcome, active: active}
	return out, e.keep(ctx, resultKey(id, n), buf, map[string]string{
		metaSucceeded: strconv.FormatInt(outcome.Succeeded, 10), metaFailed: strconv.FormatInt(outcome.Failed, 10),
		metaActive: strconv.FormatInt(active.Milliseconds(), 10), metaOutcome: string(data),
	})
}

// result is what the metadata of a result say.
type result struct {
	outcome job.Outcome
	active  time.Duration
}

func resultOf(o *store.Object) (r result, err error) {
	var errs [4]error
	var active int64
	r.outcome.Succeeded, errs[0] = strconv.ParseInt(o.Metadata[metaSucceeded], 10, 64)
	r.outcome.Failed, errs[1] = strconv.ParseInt(o.Metadata[metaFailed], 10, 64)
	if text := o.Metadata[metaActive]; text != "" { // former versions did not note it
		active, errs[2] = strconv.ParseInt(text, 10, 64)
	}
	r.active = time.Duration(active) * time.Millisecond
	if text := o.Metadata[metaOutcome]; text != "" { // nor this
		errs[3] = json.Unmarshal([]byte(text), &r.outcome)
	}
	return r, fault.Wrap("batch.results", o.Key, errors.Join(errs[:]...))
}

// results calls each with every result of a job, in the order of the chunks.
func (e *Engine) results(ctx context.Context, id string, each func(n int, o *store.Object) error) error {
	o := store.ListOptions{Prefix: id + "/result/", Max: 1000}
	for {
		page, err := e.Store.List(ctx, internalBucket, o)
		if errors.Is(err, fault.NotFound) {
			return nil // no job was ever run
		}
		if err != nil {
			return err
		}
		for _, obj := range page.Objects {
			n, err := strconv.Atoi(obj.Key[len(o.Prefix):])
			if err != nil {
				return fault.Wrap("batch.results", obj.Key, err)
			}
			if err := each(n, obj); err != nil {
				return err
			}
		}
		if !page.Truncated {
			return nil
		}
		o.After = page.Next
	}
}

// tally is what the results of a job add up to.
type tally struct {
	total   int64
	outcome job.Outcome
	active  time.Duration
	done    chunks
}

func (t *tally) add(n int, r result) {
	t.outcome.Add(&r.outcome)
	t.active = max(t.active, r.active)
	t.done.add(n)
}

func (t *tally) progress() job.Progress {
	return job.Progress{Total: t.total, Succeeded: t.outcome.Succeeded, Failed: t.outcome.Failed, ActiveSeconds: int64(t.active / time.Second)}
}

// into keeps the tally in a job's record.
func (t *tally) into(r *record) {
	r.Progress, r.Active, r.Outcome = t.progress(), t.active, t.outcome
}

// tally adds up the results that a job has. After a crash its record may be behind.
func (e *Engine) tally(ctx context.Context, r *record) (*tally, error) {
	t := &tally{total: r.Progress.Total, active: max(r.Active, time.Duration(r.Progress.ActiveSeconds)*time.Second)}
	return t, e.results(ctx, r.ID, func(n int, o *store.Object) error {
		one, err := resultOf(o)
		t.add(n, one)
		return err
	})
}

// chunks is a set of numbers of chunks, a bit for each.
type chunks []uint64

func (c *chunks) add(n int) {
	if need := n/64 + 1 - len(*c); need > 0 {
		*c = append(*c, make([]uint64, need)...)
	}
	(*c)[n/64] |= 1 << (n % 64)
}

func (c chunks) has(n int) bool { return n/64 < len(c) && c[n/64]&(1<<(n%64)) != 0 }

func (c chunks) count() (n int) {
	for _, word := range c {
		n += bits.OnesCount64(word)
	}
	return n
}

// dropChunks removes a job's manifest and results.
func (e *Engine) dropChunks(ctx context.Context, r *record) error {
	for {
		page, err := e.Store.List(ctx, internalBucket, store.ListOptions{Prefix: r.ID + "/", Max: 1000})
		if err != nil || len(page.Objects) == 0 {
			return err
		}
		var g errgroup.Group // whose deletes share a sync
		g.SetLimit(100)
		for _, o := range page.Objects {
			g.Go(func() error {
				_, err := e.Store.Delete(ctx, internalBucket, o.Key, "", "")
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
}
