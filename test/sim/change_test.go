package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/role"
)

// of picks one of a list by chance.
func of[T any](list []T, r uint64) T { return list[r%uint64(len(list))] }

// change makes the change of a step.
func (r *run) change(st step) error {
	name := of(r.model.names(), st.r[0])
	// Most of what happens happens where something replicates from.
	if sources := r.sources(); len(sources) > 0 && st.r[0]>>32%4 != 0 && st.doing != "versioning" && st.doing != "anew" {
		name = of(sources, st.r[0])
	}
	b, key := r.model.buckets[name], of(keys, st.r[1])
	var have []*version // versions to change
	for _, v := range r.model.sorted() {
		if !v.Marker && !(r.free && v.replica) {
			have = append(have, v)
		}
	}
	pick := func() *version {
		if len(have) == 0 {
			return nil
		}
		return of(have, st.r[2])
	}
	switch st.doing {
	case "put":
		return r.put(b, key, st)
	case "upload":
		return r.upload(b, key, st)
	case "copy":
		return r.copy(pick(), b, key, st)
	case "delete":
		return r.delete(b, key)
	case "delete version":
		return r.deleteVersion(of(append(r.model.sorted(), nil), st.r[2]))
	case "tag", "retain", "hold", "acl":
		return r.patch(pick(), st)
	case "retry":
		return r.retry()
	case "forget":
		return r.forget(st)
	case "rules", "no rules":
		return r.configure(st)
	case "role", "policy", "mend":
		return r.access(st)
	case "versioning", "lock":
		return r.setting(b, st)
	case "anew":
		return r.anew(b, st)
	case "wait":
		r.worked()
		time.Sleep(time.Duration(1+st.r[0]%120) * time.Second)
		synctest.Wait()
	case "later":
		r.skew += time.Duration(st.r[0]%40) * time.Hour
	case "lose", "double":
		if r.stop == nil {
			return nil
		}
		times := map[string]int{"lose": 0, "double": 2}[st.doing]
		synctest.Wait()
		if times > 0 {
			r.worked()
		}
		_, err := r.queue.release(r.ctx, st.r[0], times)
		synctest.Wait()
		return err
	case "engine":
		if r.stop != nil {
			r.halt()
		} else {
			r.start(r.ctx)
		}
	case "compact":
		if _, err := r.store.Compact(r.ctx); err != nil && st.trouble == nil {
			return err
		}
	}
	return nil
}

// newVersion is what clients say of an object.
func (r *run) newVersion(b *bucketSettings, key string, st step) object.Version {
	v := object.Version{
		Bucket: b.name, Key: key, Owner: b.owner, Tags: of(tagSets, st.r[3]), Class: of(classes, st.r[3]>>8),
		Encryption: object.Encryption{Algorithm: object.AES256},
	}
	if st.r[3]>>16%2 == 0 {
		v.Metadata = map[string]string{"step": fmt.Sprint(st.n)}
		v.Headers.ContentType = "text/plain"
	}
	if b.acls && st.r[3]>>17%2 == 0 {
		v.ACL = list(st.r[3] >> 18)
	}
	if b.locked && st.r[3]>>24%3 == 0 {
		v.Lock = object.Lock{Mode: of([]string{object.Governance, object.Compliance}, st.r[3]>>26), Until: r.until(st.r[3] >> 28)}
	}
	if b.locked && st.r[3]>>32%5 == 0 {
		v.Lock.Hold = true
	}
	return v
}

func list(r uint64) acl.List {
	return of([]acl.List{nil, {{Group: acl.AllUsers, Permission: acl.Read}}, {{ID: acl.CanonicalID(accounts[1]), Permission: acl.FullControl}}}, r)
}

func (r *run) until(x uint64) time.Time {
	return r.now().UTC().Truncate(time.Second).Add(time.Duration(1+x%60) * time.Hour)
}

// made notes a version that was made. Until its id is known, what is found
// has to tell it.
func (r *run) made(want object.Version, of body, got **store.Object) effect {
	label := fmt.Sprint(r.step.n)
	return func(m *model, f *found) bool {
		v := &version{Version: want, label: label, body: of}
		b := m.buckets[want.Bucket]
		if b == nil {
			return false
		}
		var is *object.Version
		if *got != nil {
			is = &(*got).Version
		} else if f != nil {
			is = stranger(m, f, &want)
		}
		if is == nil {
			return false
		}
		v.ID, v.Modified = is.ID, is.Modified
		if b.retention != "" && v.Lock.Mode == "" && !v.Marker {
			v.Lock.Mode, v.Lock.Until = b.retention, v.Modified.AddDate(0, 0, 1)
		}
		m.put(v)
		return true
	}
}

// stranger returns a version that is found, is not known, and may be the one
// wanted.
func stranger(m *model, f *found, want *object.Version) *object.Version {
	for id, v := range f.versions {
		if m.versions[id] == nil && id.bucket == want.Bucket && id.key == want.Key && v.ETag == want.ETag && v.Marker == want.Marker && !v.IsReplica() {
			return v
		}
	}
	return nil
}

func (r *run) put(b *bucketSettings, key string, st step) error {
	v := r.newVersion(b, key, st)
	of := body{st.r[4]>>8 + uint64(st.n)<<40, int(st.r[4] % 2000)}
	if st.r[4]>>16%50 == 0 {
		of.size += 1 << 20 // stands in a file
	}
	data := of.bytes()
	want := v
	want.Size, want.ETag = int64(of.size), etag(data)
	r.say("%s/%s: %d bytes, tags %v, class %q, lock %v", b.name, key, of.size, v.Tags, v.Class, v.Lock)
	var got *store.Object
	return r.try(func() (err error) {
		got, err = r.store.Put(r.ctx, store.Put{Version: v, Body: bytes.NewReader(data), Size: int64(len(data))})
		return err
	}, r.made(want, of, &got))
}

func (r *run) upload(b *bucketSettings, key string, st step) error {
	v := r.newVersion(b, key, st)
	of := body{st.r[4]>>8 + uint64(st.n)<<40, 1 + int(st.r[4]%2000)}
	data := of.bytes()
	want := v
	want.Size, want.ETag = int64(of.size), partsETag(data)
	want.Parts = []object.Part{{Number: 1, Size: want.Size, ETag: etag(data)}}
	r.say("%s/%s: %d bytes, tags %v, class %q, lock %v", b.name, key, of.size, v.Tags, v.Class, v.Lock)
	var got *store.Object
	return r.try(func() error {
		id, err := r.store.CreateUpload(r.ctx, v, b.owner)
		if err != nil {
			return err
		}
		part, err := r.store.PutPart(r.ctx, b.name, key, id, 1, bytes.NewReader(data), int64(len(data)), nil)
		if err != nil {
			return err
		}
		got, err = r.store.CompleteUpload(r.ctx, b.name, key, id, []store.Chosen{{Number: 1, ETag: part.ETag}}, nil, object.Condition{})
		return err
	}, r.made(want, of, &got))
}

func (r *run) copy(from *version, b *bucketSettings, key string, st step) error {
	if from == nil {
		return nil
	}
	v := r.newVersion(b, key, st)
	want := v
	want.Size, want.ETag, want.Parts = from.Size, from.ETag, from.Parts
	r.say("%s to %s/%s: tags %v, class %q", from.name(), b.name, key, v.Tags, v.Class)
	var got *store.Object
	return r.try(func() error {
		src, err := r.store.Head(r.ctx, from.Bucket, from.Key, from.ID)
		if err == nil {
			got, err = r.store.Copy(r.ctx, src, store.Put{Version: v})
		}
		return err
	}, r.made(want, from.body, &got))
}

// delete makes a delete marker.
func (r *run) delete(b *bucketSettings, key string) error {
	want := object.Version{Bucket: b.name, Key: key, Owner: b.owner, Marker: true}
	r.say("%s/%s", b.name, key)
	var got *store.Object
	return r.try(func() error {
		d, err := r.store.Delete(r.ctx, b.name, key, "", b.owner)
		if err != nil {
			return err
		}
		got, err = r.store.Head(r.ctx, b.name, key, d.ID)
		return err
	}, r.made(want, body{}, &got))
}

func (r *run) deleteVersion(v *version) error {
	if v == nil {
		return nil
	}
	id := identOf(&v.Version)
	r.say("%s, of status %q", v.name(), v.Status)
	protected := v.Lock.Hold || v.Lock.Mode != "" && r.now().Before(v.Lock.Until)
	return r.try(func() error {
		_, err := r.store.Delete(r.ctx, id.bucket, id.key, id.id, v.Owner)
		if protected && errors.Is(err, fault.Denied) {
			return nil
		}
		return err
	}, func(m *model, _ *found) bool {
		if m.versions[id] == nil {
			return false
		}
		if !protected {
			m.remove(id)
		}
		return true
	})
}

// patch changes what can be changed of a version.
func (r *run) patch(v *version, st step) error {
	if v == nil {
		return nil
	}
	var change func() error
	var then func(*object.Version)
	what := map[string]object.Aspects{"tag": object.AspectTags, "acl": object.AspectACL, "hold": object.AspectHold, "retain": object.AspectRetention}[st.doing]
	switch st.doing {
	case "tag":
		// No two changes are to the same: else nobody could tell which has arrived.
		tags := append(slices.Clone(of(tagSets, st.r[3])), object.Tag{Key: "step", Value: fmt.Sprint(st.n)})
		r.say("%s: %v", v.name(), tags)
		change = func() error { _, err := r.store.SetTags(r.ctx, v.Bucket, v.Key, v.ID, tags); return err }
		then = func(v *object.Version) { v.Tags = tags }
	case "acl":
		if !r.model.buckets[v.Bucket].acls {
			return nil
		}
		l := list(st.r[3])
		if slices.Equal(l, v.ACL) {
			l = list(st.r[3] + 1)
		}
		r.say("%s: %v", v.name(), l)
		change = func() error { _, err := r.store.SetACL(r.ctx, v.Bucket, v.Key, v.ID, l); return err }
		then = func(v *object.Version) { v.ACL = l }
	case "hold":
		if !r.model.buckets[v.Bucket].locked {
			return nil
		}
		on := !v.Lock.Hold
		r.say("%s: %v", v.name(), on)
		change = func() error { _, err := r.store.SetLegalHold(r.ctx, v.Bucket, v.Key, v.ID, on); return err }
		then = func(v *object.Version) { v.Lock.Hold, v.Lock.Released = on, !on }
	case "retain":
		if !r.model.buckets[v.Bucket].locked {
			return nil
		}
		to := store.Retention{Mode: of([]string{object.Governance, object.Compliance}, st.r[3]), Until: r.until(st.r[3] >> 8), Bypass: st.r[3]>>16%2 == 0}
		have, now := v.Lock, r.now()
		firm := have.Mode == object.Compliance || !to.Bypass
		if now.Before(have.Until) && firm && (to.Mode != have.Mode || to.Until.Before(have.Until)) {
			return nil // refused; internal/store has a test of it
		}
		r.say("%s: %+v", v.name(), to)
		change = func() error { _, err := r.store.SetRetention(r.ctx, v.Bucket, v.Key, v.ID, to); return err }
		then = func(v *object.Version) { v.Lock.Mode, v.Lock.Until = to.Mode, to.Until }
	}
	id := identOf(&v.Version)
	return r.try(change, func(m *model, _ *found) bool {
		if m.versions[id] != nil {
			m.patch(id, what, then)
		}
		return m.versions[id] != nil
	})
}

// retry has all that failed tried again.
func (r *run) retry() error {
	var all []store.Retry
	var ids []ident
	for _, v := range r.model.sorted() {
		if !slices.ContainsFunc(v.Deliveries, func(d object.Delivery) bool { return d.Status == object.Failed }) {
			continue
		}
		o, err := r.store.Head(r.ctx, v.Bucket, v.Key, v.ID)
		if err != nil {
			return err
		}
		again := store.Retry{Source: o}
		for _, d := range v.Deliveries {
			again.Destinations = append(again.Destinations, d.Bucket)
		}
		all, ids = append(all, again), append(ids, identOf(&v.Version))
	}
	return r.try(func() error { _, err := r.store.Retry(r.ctx, all); return err }, func(m *model, _ *found) bool {
		for _, id := range ids {
			if m.versions[id] == nil {
				return false
			}
			m.retry(id)
		}
		return true
	})
}

// forget deletes a replica by its id and then changes its source.
func (r *run) forget(st step) error {
	var delivered []*version
	for _, v := range r.model.sorted() {
		if v.Status == object.Completed && !v.Marker && r.model.versions[ident{v.Deliveries[0].Bucket, v.Key, v.ID}] != nil {
			delivered = append(delivered, v)
		}
	}
	if len(delivered) == 0 {
		return nil
	}
	v := of(delivered, st.r[2])
	if err := r.deleteVersion(r.model.versions[ident{v.Deliveries[0].Bucket, v.Key, v.ID}]); err != nil {
		return err
	}
	st.doing = "tag"
	return r.patch(v, st)
}

// set changes the settings of a bucket.
func (r *run) set(name string, do func(*bucketSettings)) error {
	changed := func(m *model) *bucketSettings {
		b := *m.buckets[name]
		do(&b)
		return &b
	}
	return r.try(func() error {
		to := changed(r.model)
		return r.store.UpdateBucket(r.ctx, name, func(b *bucket.Bucket) error {
			b.Documents, b.Versioning = to.documents(), bucket.Enabled
			if to.suspended {
				b.Versioning = bucket.Suspended
			}
			return nil
		})
	}, func(m *model, _ *found) bool {
		if m.buckets[name] == nil {
			return false
		}
		m.buckets[name] = changed(m)
		return true
	})
}

// sources are the buckets that can replicate.
func (r *run) sources() []string {
	return slices.DeleteFunc(r.model.names(), func(n string) bool { return r.edges[n] == nil || r.model.buckets[n].suspended })
}

// configure changes the rules of a bucket that replicates.
func (r *run) configure(st step) error {
	sources := r.sources()
	if len(sources) == 0 {
		return nil
	}
	name := of(sources, st.r[0])
	if st.doing == "no rules" {
		r.say("of %s", name)
		return r.set(name, func(b *bucketSettings) { b.rules = nil })
	}
	var rules []ruleSettings
	legacy := len(r.edges[name]) == 1 && st.r[1]%5 == 0
	for i, to := range r.edges[name] {
		x := st.r[1+i%4] >> 4
		for k := range 1 + x%3 {
			rl := ruleSettings{
				id: fmt.Sprintf("r%d-%d-%d", st.n, i, k), priority: int(x>>(4+k)%7)*3 + int(k), prefix: of(prefixes, x>>(8+2*k)), on: x>>(20+k)%4 != 0,
				markers: x>>(24+k)%2 == 0, to: to, class: of([]string{"", "", "GLACIER_IR"}, x>>30),
			}
			if dst := r.model.buckets[to]; dst != nil && x>>32%3 == 0 {
				rl.account = dst.owner
				rl.override = x>>34%2 == 0
			}
			if x>>(36+k)%3 == 0 {
				rl.tag, rl.markers = tag, false
			}
			rl.mods = x>>(40+k)%2 == 0
			if legacy {
				rl.mods = false
				rl.priority, rl.tag, rl.markers = 0, object.Tag{}, true
			}
			rules = append(rules, rl)
			if legacy {
				break
			}
		}
	}
	r.say("of %s: %+v, version 1 %v", name, rules, legacy)
	return r.set(name, func(b *bucketSettings) { b.rules, b.legacy = rules, legacy })
}

// access takes rights away, or gives them back.
func (r *run) access(st step) error {
	sources := r.sources()
	if len(sources) == 0 {
		return nil
	}
	name := of(sources, st.r[0])
	account := r.model.buckets[name].owner
	g := grant{action: of(slices.Concat(bucketActions, reads), st.r[2]), bucket: name}
	if st.r[1]%2 == 0 {
		name = of(r.edges[name], st.r[1]>>1)
		g = grant{action: of(writes, st.r[2]), bucket: name}
		if r.model.buckets[name] == nil {
			return nil
		}
	}
	deny := st.r[3]%2 == 0
	if deny && !slices.Contains(bucketActions, g.action) {
		g.prefix = of(prefixes, st.r[3]>>1)
	}
	take := func(a *access) {
		if deny {
			a.denied = append(slices.Clone(a.denied), g)
		} else {
			a.missing = append(slices.Clone(a.missing), g)
		}
	}
	switch {
	case st.doing == "policy":
		r.say("of %s: %+v, denied %v", name, g, deny)
		return r.set(name, func(b *bucketSettings) { take(&b.access) })
	case st.doing == "mend" && st.r[4]%2 == 0:
		r.say("the policy of %s", name)
		return r.set(name, func(b *bucketSettings) { b.access = access{} })
	case st.doing == "mend":
		take = func(a *access) { *a = access{} }
		r.say("the role of %s", account)
	case st.r[4]%4 == 0:
		take = func(a *access) { a.distrusted = true }
		r.say("of %s: distrusted", account)
	default:
		r.say("of %s: %+v, denied %v", account, g, deny)
	}
	changed := func(m *model) *settings {
		s := m.settings.clone()
		take(s.roles[account])
		return s
	}
	return r.try(func() error {
		to := changed(r.model)
		return r.iam.UpdateRole(r.ctx, account, "copier", func(have *role.Role) error {
			have.Inline, have.Trust = map[string][]byte{"p": to.policy(account)}, to.trust(account)
			return nil
		})
	}, func(m *model, _ *found) bool {
		m.settings = changed(m)
		return true
	})
}

// setting changes the versioning of a bucket that does not replicate, or its
// Object Lock.
func (r *run) setting(b *bucketSettings, st step) error {
	if st.doing == "lock" {
		mode := of([]string{"", object.Governance, object.Compliance}, st.r[1])
		if b.suspended {
			return nil
		}
		r.say("of %s: default %q", b.name, mode)
		return r.set(b.name, func(b *bucketSettings) { b.locked, b.retention = true, mode })
	}
	if b.locked || len(b.rules) > 0 {
		return nil
	}
	r.say("of %s: suspended %v", b.name, !b.suspended)
	return r.set(b.name, func(b *bucketSettings) { b.suspended = !b.suspended })
}

// anew empties a bucket, deletes it and makes another in its name.
func (r *run) anew(b *bucketSettings, st step) error {
	for _, name := range r.model.all {
		if r.model.buckets[name] == nil { // its deletion was all that was done
			return r.create(&bucketSettings{name: name, owner: b.owner})
		}
	}
	if len(b.rules) > 0 {
		return nil
	}
	r.say("%s", b.name)
	for _, v := range r.model.sorted() {
		if v.Bucket != b.name {
			continue
		}
		if err := r.deleteVersion(v); err != nil || len(r.doubts) > 0 {
			return err
		}
		if r.model.versions[identOf(&v.Version)] != nil {
			return nil // Object Lock protects it
		}
	}
	err := r.try(func() error { return r.store.DeleteBucket(r.ctx, b.name) }, func(m *model, _ *found) bool {
		if m.buckets[b.name] == nil {
			return false
		}
		delete(m.buckets, b.name)
		for id := range m.hard {
			if id.bucket == b.name {
				delete(m.hard, id)
			}
		}
		return true
	})
	if err != nil || len(r.doubts) > 0 {
		return err
	}
	again := &bucketSettings{name: b.name, owner: b.owner, locked: st.r[2]%4 == 0, acls: b.acls}
	if st.r[1]%4 == 0 {
		again.owner = of(accounts, st.r[1]>>4)
	}
	return r.create(again)
}

func (r *run) create(b *bucketSettings) error {
	return r.try(func() error { return r.createBucket(b) }, func(m *model, _ *found) bool {
		m.buckets[b.name] = b
		return true
	})
}
