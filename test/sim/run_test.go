package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing/synctest"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/vfs"
	"twinbucket/role"
)

// run is a history under way. It lives in a bubble of time.
type run struct {
	*server
	ctx   context.Context
	edges map[string][]string
	model *model
	step  step
	skew  time.Duration // of the clock before the bubble's
	trace []string

	// when are the moments at which the engine may have worked since the last
	// time that the model knew all. With trouble that is not before a restart:
	// what was not acknowledged may turn up then.
	when     []moment
	troubled bool
	// doubts are changes that failed, and may have been made all the same.
	doubts []effect
}

// effect is what a change does to the model; false if, with what is found, it
// cannot have been made.
type effect func(m *model, f *found) bool

// play runs a history with so many workers and returns what the store holds in
// the end, without the ids, which differ from run to run.
func play(h history, workers int) (end string, trace []string, err error) {
	s, edges := h.world()
	r := newRun(s, edges, workers, h.free)
	if err = r.begin(); err == nil {
		for _, r.step = range h.steps {
			if err = r.take(); err != nil {
				err = fmt.Errorf("step %d, %s: %w", r.step.n, r.step.doing, err)
				break
			}
		}
	}
	if err == nil {
		r.step = step{n: len(h.steps), doing: "end"}
		err = r.end()
	}
	r.heal()
	if r.store != nil {
		err = errors.Join(err, r.close())
	}
	return r.model.dump(), r.trace, err
}

func newRun(s *settings, edges map[string][]string, workers int, free bool) *run {
	r := &run{ctx: context.Background(), edges: edges}
	r.model = &model{settings: s, versions: map[ident]*version{}, hard: map[ident]bool{}, loose: free}
	r.server = &server{disk: vfs.Memory(), now: func() time.Time { return time.Now().Add(r.skew) }, workers: workers, free: free}
	return r
}

// begin makes the world that the history begins with.
func (r *run) begin() error {
	if err := r.open(); err != nil {
		return err
	}
	for i, a := range accounts {
		if _, err := r.iam.EnsureAccount(r.ctx, fmt.Sprint("account", i), a); err != nil {
			return err
		}
		_, err := r.iam.CreateRole(r.ctx, role.Role{
			Identity: identity.Identity{Account: a, Name: "copier", Inline: map[string][]byte{"p": r.model.policy(a)}}, Trust: r.model.trust(a),
		})
		if err != nil {
			return err
		}
	}
	for _, name := range r.model.names() {
		if err := r.createBucket(r.model.buckets[name]); err != nil {
			return err
		}
	}
	r.start(r.ctx)
	return r.observe()
}

func (r *run) createBucket(b *bucketSettings) error {
	return r.store.CreateBucket(r.ctx, &bucket.Bucket{Name: b.name, Owner: b.owner, Region: region, Versioning: bucket.Enabled, Documents: b.documents()})
}

// take takes one step: the change, with what the disk has to say to it; then
// the engine works off as many tasks as the step has it do; then, perhaps, the
// process ends. Then the model is held against what there is.
func (r *run) take() error {
	st := r.step
	r.skew += time.Second
	r.model.now = r.now()
	r.say("%s", st.doing)
	if t := st.trouble; t != nil {
		if f := r.faults[t.kind]; t.lasting {
			f.FailFrom(t.at)
		} else {
			f.FailOnce(t.at)
		}
		r.say("trouble: %v under %s at operation %d, lasting %v", troubles[t.kind].err, troubles[t.kind].under, t.at, t.lasting)
		r.troubled, r.model.loose = true, true
	}
	if r.free {
		r.worked()
	}
	if err := r.change(st); err != nil {
		return err
	}
	if r.free {
		r.worked()
		if st.pump == 0 && st.crash == nil {
			return nil
		}
	}
	if len(r.doubts) > 0 {
		if err := r.observe(); err != nil {
			return err
		}
	}
	if err := r.pump(st.pump); err != nil {
		return err
	}
	if st.crash != nil || r.store.Err() != nil || len(r.doubts) > 3 {
		c := crash{keep: 100}
		if st.crash != nil {
			c = *st.crash
		}
		r.say("crash: %d %% of what was not synced is left, index lost %v", c.keep, c.index)
		if err := r.crash(r.ctx, c); err != nil {
			return err
		}
		if err := r.observe(); err != nil {
			return err
		}
		r.troubled, r.doubts = false, nil
		r.known()
		return nil
	}
	r.heal()
	return r.observe()
}

// say notes what happens.
func (r *run) say(format string, args ...any) {
	r.trace = append(r.trace, fmt.Sprintf("%d ", r.step.n)+fmt.Sprintf(format, args...))
}

// worked notes that the engine may work now.
func (r *run) worked() {
	if r.stop != nil {
		r.when = append(r.when, moment{r.step.n, r.model.settings.clone()})
	}
}

// pump lets n tasks go, all if negative, and waits until the engine rests.
func (r *run) pump(n int) error {
	synctest.Wait()
	if n == 0 || r.stop == nil {
		return nil
	}
	r.worked()
	for i := 0; n < 0 || i < n; i++ {
		ok, err := r.queue.release(r.ctx, r.step.r[5]>>(i%32), 1)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if n < 0 && len(r.queue.tasks) == 0 {
			synctest.Wait() // more may come
		}
	}
	synctest.Wait()
	return r.err
}

// try makes a change; then is what it does to the model. A change that fails
// when the disk has trouble may have been made.
func (r *run) try(change func() error, then effect) error {
	err := change()
	switch {
	case err == nil:
		if !then(r.model, nil) {
			return errors.New("it succeeded and cannot have")
		}
		return nil
	case r.troubled && (errors.Is(err, syscall.EIO) || errors.Is(err, fault.NoSpace)):
		r.say("failed: %v", err)
		r.doubts = append(r.doubts, then)
		return nil
	}
	return err
}

// observe holds the model against what there is. Where a change is in doubt it
// finds out which way it went.
func (r *run) observe() error {
	synctest.Wait()
	if r.err != nil {
		return fmt.Errorf("the engine ended: %w", r.err)
	}
	f, err := r.look(r.ctx)
	if err != nil {
		return err
	}
	var first error
	for set := range 1 << len(r.doubts) {
		m := r.model.clone()
		m.now = r.now()
		possible := true
		var left []effect
		for i, then := range r.doubts {
			if set&(1<<i) == 0 {
				left = append(left, then)
			} else {
				possible = possible && then(m, f)
			}
		}
		if !possible {
			continue
		}
		when := r.when
		if set != 0 && len(when) > 0 {
			when = append(slices.Clone(when), moment{r.step.n, m.settings})
		}
		if err = m.match(f, when); err == nil {
			r.model, r.doubts = m, left
			if !r.troubled {
				r.known()
			}
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// known notes that the model knows all there is to know.
func (r *run) known() {
	r.when, r.model.loose = nil, r.free
	for id, v := range r.model.versions {
		if v.past != nil {
			r.model.change(id, func(v *version) { v.past = nil })
		}
	}
}

// end lets all that waits end, and looks whether it did, whether the store
// finds itself sound, and whether an index made anew holds the same.
func (r *run) end() error {
	if r.troubled { // what is in doubt shows after a restart, and may wait then
		if err := r.crash(r.ctx, crash{keep: 100}); err != nil {
			return err
		}
		if err := r.observe(); err != nil {
			return err
		}
		r.troubled, r.doubts = false, nil
		r.known()
	}
	if r.queue.lost {
		r.halt() // nobody knows of them but the feed
	}
	r.start(r.ctx)
	for range 10 {
		if err := r.pump(-1); err != nil {
			return err
		}
		time.Sleep(2 * time.Minute) // what is to be tried again is
		r.skew += time.Minute
	}
	if err := r.observe(); err != nil {
		return err
	}
	for _, v := range r.model.sorted() {
		if v.pending() {
			return fmt.Errorf("%s waits without end: %+v", v.name(), v.Deliveries)
		}
	}
	for range 2 {
		for _, v := range r.model.sorted() {
			if err := r.read(r.ctx, v); err != nil {
				return fmt.Errorf("%s: %w", v.name(), err)
			}
		}
		r.halt()
		if err := r.check(r.ctx); err != nil {
			return fmt.Errorf("the store is not sound: %w", err)
		}
		if err := r.crash(r.ctx, crash{keep: 100, index: true}); err != nil {
			return err
		}
		if err := r.observe(); err != nil {
			return fmt.Errorf("with a new index: %w", err)
		}
	}
	return nil
}

// dump writes what there is as it is the same in every run.
func (m *model) dump() string {
	var out strings.Builder
	for _, v := range m.sorted() {
		fmt.Fprintf(&out, "%s/%s %s marker=%v %s %d bytes class=%q owner=%s tags=%v lock=%v acl=%v deliveries=",
			v.Bucket, v.Key, v.label, v.Marker, v.Status, v.Size, v.Class, v.Owner, v.Tags, v.Lock, v.ACL)
		for _, d := range v.Deliveries {
			fmt.Fprintf(&out, "[%s %s %s %s]", d.Bucket, d.Rule, d.Status, d.Code)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
