// Package batch runs S3 Batch Operations jobs: it makes or reads a job's
// manifest, waits for its confirmation, works through it and writes its
// report, through the states of package job.
//
// A manifest is cut into chunks of Config.ChunkSize entries, kept in an internal
// bucket. The unit of work is a chunk; when all of its entries are settled
// their report lines are stored beside it as its result. So at any moment,
// also after a crash, what is done is exactly the chunks that have a result:
// no entry is skipped, and each has one line in the report.
package batch

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
)

// Config is what an engine is made of.
type Config struct {
	Store     *store.Store
	Catalog   *catalog.Catalog
	IAM       *iam.Service
	Replicate *replicate.Engine
	S3        S3               // is asked by the operations that do not replicate
	Log       *slog.Logger     // slog.Default if nil
	Now       func() time.Time // time.Now if nil
	// Slots is how many jobs are worked on at a time; the others are Ready. 4 if 0.
	Slots int
	// Workers is how many chunks of one job are worked on at a time; 2 if 0.
	Workers int
	// ChunkSize is how many entries of a manifest are worked on together; 1000 if 0.
	ChunkSize int
}

// Engine runs the jobs of one store. Make it with New; its methods may be
// called from any goroutine, and Run makes it work.
type Engine struct {
	Config
	jobs   *jobs
	tokens *catalog.Table[token]
	slots  slots
	plans  chan struct{} // as many are made at a time as it holds

	mu      sync.Mutex
	drivers map[string]*driver // by name, of the jobs that are being driven
	asleep  []string           // names of jobs to drive that have no driver
	woken   chan struct{}      // something was added to asleep
}

// record is a job as it is kept.
type record struct {
	job.Job
	Chunks int              `json:"chunks,omitempty"` // of the manifest, once it is prepared
	Fields []manifest.Field `json:"fields,omitempty"` // its columns
	Active time.Duration    `json:"active,omitempty"` // how long it was Active, as of the last step
	Mark   *mark            `json:"mark,omitempty"`   // while it is prepared
	Plan   *job.Plan        `json:"plan,omitempty"`   // once it is prepared
	// Outcome is what became of the tasks, as of the last step.
	Outcome  job.Outcome   `json:"outcome,omitzero"`
	Delivery *job.Delivery `json:"delivery,omitempty"` // of the report, once it was tried
}

// token is what a client request token stood for.
type token struct {
	JobID string `json:"jobId"`
	Spec  string `json:"spec"` // hex SHA-256 of the spec's JSON
}

// internalBucket holds manifests and results. No client can reach it: its name
// is not a bucket's.
const internalBucket = ".batch"

// New returns an engine over the jobs in the catalog.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Slots, c.Workers, c.ChunkSize = cmp.Or(c.Slots, 4), cmp.Or(c.Workers, 2), cmp.Or(c.ChunkSize, 1000)
	return &Engine{
		Config: c,
		jobs:   newJobs(c.Catalog),
		tokens: catalog.Of[token](c.Catalog, "job-token"),
		slots:  slots{free: c.Slots}, plans: make(chan struct{}, 2), drivers: make(map[string]*driver),
		woken: make(chan struct{}, 1),
	}
}

func name(account, id string) string { return account + "/" + id }

// Create stores a new job and begins to prepare it. A token that was used
// before gives the job it made, if that was asked for the same.
func (e *Engine) Create(ctx context.Context, j job.Job) (job.Job, error) {
	data, err := json.Marshal(j.Spec)
	if err != nil {
		return job.Job{}, fault.Wrap("batch.create", j.Account, err)
	}
	sum := sha256.Sum256(data)
	t := token{JobID: newID(), Spec: hex.EncodeToString(sum[:])}
	_, err = e.tokens.Put(ctx, name(j.Account, j.Spec.Token), t, 0)
	if errors.Is(err, fault.Conflict) {
		was, _, err := e.tokens.Get(name(j.Account, j.Spec.Token))
		if err != nil {
			return job.Job{}, err
		}
		if was.Spec != t.Spec {
			return job.Job{}, fault.New(fault.Conflict, "IdempotencyException", "The ClientRequestToken was used for another request.").
				WithHint("it made job %s; use a new token", was.JobID)
		}
		have, err := e.Get(j.Account, was.JobID)
		if !errors.Is(err, fault.NotFound) {
			return have, err
		}
		t.JobID = was.JobID // a crash came between the token and the job
	} else if err != nil {
		return job.Job{}, err
	}
	j.ID, j.State, j.Created = t.JobID, job.New, e.Now().UTC()
	_, err = e.jobs.Put(ctx, name(j.Account, j.ID), record{Job: j}, 0)
	if errors.Is(err, fault.Conflict) {
		return e.Get(j.Account, j.ID) // the same request was sent twice at a time
	}
	if err != nil {
		return job.Job{}, err
	}
	e.wake(name(j.Account, j.ID))
	return j, nil
}

// newID returns a random UUID in lower case.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Get returns a job as it stands at this moment.
func (e *Engine) Get(account, id string) (job.Job, error) {
	r, _, err := e.jobs.Get(name(account, id))
	if errors.Is(err, fault.NotFound) {
		return job.Job{}, job.NoSuchJob(id)
	}
	return e.current(&r), err
}

// current adds to a job what was done since its record was written: its driver
// knows, or, after a crash and before there is one, the results.
func (e *Engine) current(r *record) job.Job {
	e.mu.Lock()
	d := e.drivers[name(r.Account, r.ID)]
	e.mu.Unlock()
	if d != nil && d.overlay(&r.Job) {
		return r.Job
	}
	switch r.State {
	case job.Active, job.Pausing, job.Completing, job.Cancelling, job.Failing:
		if t, err := e.tally(context.Background(), r); err == nil {
			r.Progress = t.progress()
		}
	}
	return r.Job
}

// List returns an account's jobs that are in one of the states, any if there
// are none, newest first: at most limit of them behind token after, and the
// token of the next page, "" if there is none.
func (e *Engine) List(account string, states []job.State, after string, limit int) ([]job.Job, string, error) {
	var out []job.Job
	for {
		names, tokens, more, err := e.jobs.page(account, states, after, limit-len(out))
		if err != nil {
			return nil, "", err
		}
		for i, name := range names {
			after = tokens[i]
			r, _, err := e.jobs.Get(name)
			if errors.Is(err, fault.NotFound) {
				continue // forgotten this moment
			}
			if err != nil {
				return nil, "", err
			}
			if j := e.current(&r); len(states) == 0 || slices.Contains(states, j.State) {
				out = append(out, j)
			}
		}
		switch {
		case !more:
			return out, "", nil
		case len(out) == limit:
			return out, after, nil
		}
	}
}

// Census counts the jobs of all accounts by their states.
func (e *Engine) Census() (map[job.State]int, error) { return e.jobs.census() }

// all returns every record.
func (e *Engine) all() ([]record, error) {
	var out []record
	err := e.jobs.each(func(r catalog.Record[record]) { out = append(out, r.Value) })
	return out, err
}

// SetStatus asks for Ready, which confirms a Suspended job, or for Cancelled.
func (e *Engine) SetStatus(ctx context.Context, account, id string, want job.State, reason string) (job.Job, error) {
	event, err := job.Requested(want)
	if err != nil {
		return job.Job{}, err
	}
	var before job.State
	j, err := e.update(ctx, account, id, func(r *record) error {
		if reason != "" {
			r.StatusReason = reason
		}
		before = r.State
		return e.move(r, event)
	})
	if err == nil && j.State != before && !j.State.Terminal() { // who asks again interrupts nothing
		e.wake(name(account, id))
	}
	return j, err
}

// SetPriority changes the priority of a job that has not ended.
func (e *Engine) SetPriority(ctx context.Context, account, id string, priority int) (job.Job, error) {
	j, err := e.update(ctx, account, id, func(r *record) error {
		if r.State.Terminal() {
			return fault.Newf(fault.Invalid, "BadRequestException", "The job has ended in the state %s.", r.State).
				WithHint("its priority is of no use any more; create a new job")
		}
		r.Spec.Priority = priority
		return nil
	})
	if err == nil {
		known := e.slots.prefer(name(account, id), priority)
		if !known && (j.State == job.Ready || j.State == job.Paused) { // it may be about to wait for a slot
			e.wake(name(account, id))
		}
	}
	return j, err
}

// SetTags replaces a job's tags.
func (e *Engine) SetTags(ctx context.Context, account, id string, tags map[string]string) error {
	_, err := e.update(ctx, account, id, func(r *record) error {
		r.Tags = tags
		return nil
	})
	return err
}

// update changes a job's record. A driver sees the change with its next step,
// or at once if it is woken, which cuts short the step that is under way.
func (e *Engine) update(ctx context.Context, account, id string, change func(*record) error) (job.Job, error) {
	var after record
	err := e.jobs.Update(ctx, name(account, id), func(r *record) error {
		if err := change(r); err != nil {
			return err
		}
		after = *r
		return nil
	})
	if errors.Is(err, fault.NotFound) {
		return job.Job{}, job.NoSuchJob(id)
	}
	if err != nil {
		return job.Job{}, err
	}
	return e.current(&after), nil
}

// move takes a record through an event.
func (e *Engine) move(r *record, event job.Event) error {
	to, err := job.Next(r.State, event)
	if err != nil {
		return err
	}
	r.State = to
	now := e.Now().UTC()
	switch {
	case to == job.Suspended:
		r.Job.Suspended, r.SuspendedCause = now, job.AwaitingConfirmation
	case to.Terminal():
		r.Ended, r.Mark = now, nil
	}
	if r.State != job.Suspended && event == job.Confirm {
		r.SuspendedCause = ""
	}
	return nil
}

// ensureBucket makes the internal bucket. Its owner is no account's id, so that
// no caller is in the account that owns it.
func (e *Engine) ensureBucket(ctx context.Context) error {
	err := e.Store.CreateBucket(ctx, &bucket.Bucket{Name: internalBucket, Owner: "internal"})
	if errors.Is(err, fault.Exists) {
		return nil
	}
	return err
}
