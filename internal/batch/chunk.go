package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

const anyRevision = catalog.Any

func manifestKey(id string, n int) string { return fmt.Sprintf("%s/manifest/%08d", id, n) }
func resultKey(id string, n int) string   { return fmt.Sprintf("%s/result/%08d", id, n) }

// chunker cuts a manifest into chunks and stores them.
type chunker struct {
	e      *Engine
	id     string
	fields []manifest.Field

	buf    bytes.Buffer
	w      *manifest.Writer
	chunks int
	rows   int64
	inRow  int // rows in the chunk being made
}

func (c *chunker) add(ctx context.Context, entry *manifest.Entry) error {
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
	if c.inRow++; c.inRow == chunkSize {
		return c.flush(ctx)
	}
	return nil
}

// flush stores the chunk being made, if it has a row.
func (c *chunker) flush(ctx context.Context) error {
	if c.inRow == 0 {
		return nil
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	if err := c.e.keep(ctx, manifestKey(c.id, c.chunks), c.buf.Bytes(), nil); err != nil {
		return err
	}
	c.buf.Reset()
	c.w, c.inRow = nil, 0
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
	out := make([]manifest.Entry, 0, chunkSize)
	for {
		entry, err := m.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
}

// The metadata of a result: how many of its lines are of each kind.
const (
	metaSucceeded = "succeeded"
	metaFailed    = "failed"
)

// keepResult stores the report lines of a chunk: the chunk is done.
func (e *Engine) keepResult(ctx context.Context, id string, n int, rows []report.Row) (succeeded, failed int64, err error) {
	var buf []byte
	for i := range rows {
		buf = rows[i].AppendCSV(buf)
		if rows[i].Succeeded {
			succeeded++
		} else {
			failed++
		}
	}
	err = e.keep(ctx, resultKey(id, n), buf, map[string]string{
		metaSucceeded: strconv.FormatInt(succeeded, 10), metaFailed: strconv.FormatInt(failed, 10),
	})
	return succeeded, failed, err
}

// results calls each with every result of a job, in the order of the chunks.
func (e *Engine) results(ctx context.Context, id string, each func(n int, o *store.Object) error) error {
	o := store.ListOptions{Prefix: id + "/result/", Max: 1000}
	for {
		page, err := e.Store.List(ctx, internalBucket, o)
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

// counts returns how many lines of each kind a result has.
func counts(o *store.Object) (succeeded, failed int64, err error) {
	succeeded, err1 := strconv.ParseInt(o.Metadata[metaSucceeded], 10, 64)
	failed, err2 := strconv.ParseInt(o.Metadata[metaFailed], 10, 64)
	return succeeded, failed, fault.Wrap("batch.results", o.Key, errors.Join(err1, err2))
}

// done returns which chunks have a result, and the progress they add up to.
func (e *Engine) done(ctx context.Context, r *record) (map[int]bool, job.Progress, error) {
	done := make(map[int]bool)
	p := r.Progress
	p.Succeeded, p.Failed = 0, 0
	err := e.results(ctx, r.ID, func(n int, o *store.Object) error {
		s, f, err := counts(o)
		p.Succeeded += s
		p.Failed += f
		done[n] = true
		return err
	})
	return done, p, err
}

// dropChunks removes a job's manifest and results.
func (e *Engine) dropChunks(ctx context.Context, r *record) error {
	for {
		page, err := e.Store.List(ctx, internalBucket, store.ListOptions{Prefix: r.ID + "/", Max: 1000})
		if err != nil || len(page.Objects) == 0 {
			return err
		}
		for _, o := range page.Objects {
			if _, err := e.Store.Delete(ctx, internalBucket, o.Key, "", ""); err != nil {
				return err
			}
		}
	}
}
