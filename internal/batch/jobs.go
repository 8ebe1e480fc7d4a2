package batch

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/job"
)

// jobs is the table of records. Of each it has in memory what lists and counts
// go by, so that neither reads them all.
type jobs struct {
	*catalog.Table[record]

	loading sync.Mutex
	loaded  bool // what was there is noted

	mu     sync.Mutex
	of     map[string][]*listed // by account, in the order in which they were made
	byName map[string]*listed
	count  map[job.State]int
}

// listed is what is kept in memory of a job.
type listed struct {
	id, account string
	created     time.Time
	state       job.State
	revision    uint64 // of the record that says so
}

func newJobs(c *catalog.Catalog) *jobs {
	return &jobs{
		Table: catalog.Of[record](c, "job"),
		of:    make(map[string][]*listed), byName: make(map[string]*listed), count: make(map[job.State]int),
	}
}

// load notes every record, the first time.
func (j *jobs) load() error {
	j.loading.Lock()
	defer j.loading.Unlock()
	if j.loaded {
		return nil
	}
	err := j.each(func(r catalog.Record[record]) { j.note(r.Name, &r.Value, r.Revision) })
	j.loaded = err == nil
	return err
}

// each calls do with every record.
func (j *jobs) each(do func(catalog.Record[record])) error {
	for after := ""; ; {
		page, more, err := j.List("", after, 1000)
		if err != nil {
			return err
		}
		for _, r := range page {
			do(r)
			after = r.Name
		}
		if !more {
			return nil
		}
	}
}

// Put is catalog.Table's.
func (j *jobs) Put(ctx context.Context, name string, r record, revision uint64) (uint64, error) {
	if err := j.load(); err != nil {
		return 0, err
	}
	now, err := j.Table.Put(ctx, name, r, revision)
	if err != nil {
		return 0, err
	}
	if j.note(name, &r, now) && revision != 0 {
		// It was not listed although it was there: it may be gone by now.
		if _, _, err := j.Get(name); errors.Is(err, fault.NotFound) {
			j.forget(name)
		}
	}
	return now, nil
}

// Update is catalog.Table's.
func (j *jobs) Update(ctx context.Context, name string, change func(*record) error) error {
	for {
		r, revision, err := j.Get(name)
		if err != nil {
			return err
		}
		if err := change(&r); err != nil {
			return err
		}
		if _, err = j.Put(ctx, name, r, revision); !errors.Is(err, fault.Conflict) {
			return err
		}
	}
}

// Delete is catalog.Table's.
func (j *jobs) Delete(ctx context.Context, name string, revision uint64) error {
	if err := j.load(); err != nil {
		return err
	}
	if err := j.Table.Delete(ctx, name, revision); err != nil {
		return err
	}
	j.forget(name)
	return nil
}

// forget is for a job that is gone.
func (j *jobs) forget(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if have := j.byName[name]; have != nil {
		delete(j.byName, name)
		j.count[have.state]--
		i, _ := slices.BinarySearchFunc(j.of[have.account], have, later)
		j.of[have.account] = slices.Delete(j.of[have.account], i, i+1)
	}
}

// note takes over what a record says, unless a later one was noted; added says
// that the job was not listed before.
func (j *jobs) note(name string, r *record, revision uint64) (added bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	have := j.byName[name]
	switch {
	case have == nil:
		added = true
		have = &listed{id: r.ID, account: r.Account, created: r.Created.Round(0)}
		j.byName[name] = have
		i, _ := slices.BinarySearchFunc(j.of[r.Account], have, later)
		j.of[r.Account] = slices.Insert(j.of[r.Account], i, have)
	case have.revision > revision:
		return false
	default:
		j.count[have.state]--
	}
	have.state, have.revision = r.State, revision
	j.count[r.State]++
	return added
}

// later compares jobs by when they were made.
func later(a, b *listed) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
}

// page returns the names of an account's jobs that are in one of the states,
// any if there are none, newest first: at most limit of them behind token
// after, each with the token to go on behind it; and whether there are more.
func (j *jobs) page(account string, states []job.State, after string, limit int) (names, tokens []string, more bool, err error) {
	if err := j.load(); err != nil {
		return nil, nil, false, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := j.of[account]
	if after != "" {
		last, err := place(account, after)
		if err != nil {
			return nil, nil, false, err
		}
		i, _ := slices.BinarySearchFunc(rest, last, later)
		rest = rest[:i]
	}
	for _, l := range slices.Backward(rest) {
		if len(states) > 0 && !slices.Contains(states, l.state) {
			continue
		}
		if len(names) == limit {
			return names, tokens, true, nil
		}
		names, tokens = append(names, name(account, l.id)), append(tokens, l.token())
	}
	return names, tokens, false, nil
}

// census counts the jobs by their states.
func (j *jobs) census() (map[job.State]int, error) {
	if err := j.load(); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.count), nil
}

// token is the place behind a job in the list of its account. It stays a place
// when the job is gone.
func (l *listed) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(l.account + " " + l.created.Format(time.RFC3339Nano) + " " + l.id))
}

// place returns the place that a token stands for.
func place(account, token string) (*listed, error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	parts := strings.Split(string(text), " ")
	if err == nil && len(parts) == 3 && parts[0] == account {
		created, err := time.Parse(time.RFC3339Nano, parts[1])
		l := &listed{account: account, created: created, id: parts[2]}
		if err == nil && len(l.id) == len(newID()) && l.token() == token {
			return l, nil
		}
	}
	return nil, fault.New(fault.Invalid, "InvalidNextTokenException", "The nextToken is not valid.").
		WithHint("give the NextToken of the page before as it is, to the same account")
}
