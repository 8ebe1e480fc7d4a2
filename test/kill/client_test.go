package kill

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"twinbucket/client"
	"twinbucket/object"
)

// fuse kills the server after a number of steps, or in the middle of a body.
type fuse struct {
	left   atomic.Int64
	inBody bool
	blown  atomic.Bool // from here on steps may fail
	blow   func()
}

func (f *fuse) step() bool {
	n := f.left.Add(-1)
	if n == 0 && !f.inBody {
		f.blow()
	}
	return n == 0 && f.inBody
}

// worker is a client with keys of its own.
type worker struct {
	rng  *rand.Rand
	c    *client.Client
	keys []*key
	fuse *fuse
}

// run changes keys until the server is killed; the error is one that is none
// of the kill's.
func (w *worker) run(ctx context.Context) error {
	for ctx.Err() == nil {
		k := w.keys[w.rng.IntN(len(w.keys))]
		err := w.step(ctx, k)
		switch {
		case err != nil && (ctx.Err() != nil || w.fuse.blown.Load()):
			return nil
		case err != nil:
			return fmt.Errorf("%s/%s: %s: %w", k.bucket, k.name, k.doing, err)
		}
	}
	return nil
}

// newBody is small, mostly; a few stand in files.
func (w *worker) newBody() body {
	b := body{seed: w.rng.Uint64(), size: w.rng.IntN(2000)}
	switch w.rng.IntN(12) {
	case 0:
		b.size = 1<<20 + 1 + w.rng.IntN(100)
	case 1:
		b.size = 0
	}
	return b
}

// real picks a version with a body; -1 if there is none.
func (w *worker) real(k *key) int {
	for range 4 {
		if len(k.have) == 0 {
			break
		}
		if i := w.rng.IntN(len(k.have)); !k.have[i].marker {
			return i
		}
	}
	return -1
}

func (w *worker) step(ctx context.Context, k *key) error {
	middle := w.fuse.step()
	if middle {
		return w.put(ctx, k, true)
	}
	choice := w.rng.IntN(10)
	if len(k.have) > 6 {
		choice = 7
	}
	i := w.real(k)
	switch {
	case choice == 5 && i >= 0:
		return w.tag(ctx, k, i)
	case choice == 6 && i >= 0:
		return w.copy(ctx, k, w.keys[w.rng.IntN(len(w.keys))], i)
	case choice == 7 && len(k.have) > 0:
		i := w.rng.IntN(len(k.have))
		k.begin("delete a version", k.without(i))
		_, err := w.c.DeleteObject(ctx, k.bucket, k.name, k.have[i].id)
		return w.end(k, "", err)
	case choice == 8 && len(k.have) > 0 && k.versioned():
		k.begin("delete", k.put(version{marker: true}))
		d, err := w.c.DeleteObject(ctx, k.bucket, k.name, "")
		return w.end(k, d.VersionID, err)
	case choice == 9:
		return w.multipart(ctx, k)
	}
	return w.put(ctx, k, false)
}

// end notes how a step ended.
func (w *worker) end(k *key, id string, err error) error {
	if err == nil {
		k.done(id)
	}
	return err
}

func (w *worker) put(ctx context.Context, k *key, middle bool) error {
	v := version{body: w.newBody()}
	if middle {
		v.body.size = 1<<20 + 7
	}
	k.begin("put", k.put(v))
	var data io.ReadSeeker = bytes.NewReader(v.body.bytes())
	if middle {
		data = &trap{ReadSeeker: data, at: v.body.size / 2, blow: w.fuse.blow}
	}
	made, err := w.c.PutObject(ctx, client.Put{Version: object.Version{Bucket: k.bucket, Key: k.name}, Body: data})
	if err != nil {
		return err
	}
	return w.end(k, made.ID, nil)
}

// trap is a body that kills the server when its middle is sent.
type trap struct {
	io.ReadSeeker
	at, read int
	rewound  bool
	blow     func()
}

func (t *trap) Read(p []byte) (int, error) {
	n, err := t.ReadSeeker.Read(p[:min(len(p), 64<<10)])
	if t.read += n; t.rewound && t.read >= t.at {
		t.blow()
	}
	return n, err
}

// Seek is called after the body was read once for its checksum.
func (t *trap) Seek(off int64, whence int) (int64, error) {
	if whence == io.SeekStart && off == 0 && t.read > 0 {
		t.rewound = true
	}
	t.read = 0
	return t.ReadSeeker.Seek(off, whence)
}

func (w *worker) tag(ctx context.Context, k *key, i int) error {
	tag := fmt.Sprint("t", w.rng.Uint32())
	k.begin("tag "+tag, k.tagged(i, tag))
	return w.end(k, "", w.c.PutObjectTagging(ctx, k.bucket, k.name, k.have[i].id, []object.Tag{{Key: "tag", Value: tag}}))
}

func (w *worker) copy(ctx context.Context, from, to *key, i int) error {
	if from == to {
		return nil // S3 refuses most of these
	}
	v := from.have[i]
	id := v.id
	v.id = ""
	to.begin("copy", to.put(v))
	made, err := w.c.CopyObject(ctx, client.Copy{Bucket: from.bucket, Key: from.name, VersionID: id, To: object.Version{Bucket: to.bucket, Key: to.name}})
	if err != nil {
		return err
	}
	return w.end(to, made.ID, nil)
}

// multipart uploads one part, sometimes twice, and completes the upload or
// aborts it.
func (w *worker) multipart(ctx context.Context, k *key) error {
	k.begin("upload", k.have)
	u, err := w.c.CreateMultipartUpload(ctx, &object.Version{Bucket: k.bucket, Key: k.name})
	if err != nil {
		return err
	}
	v := version{body: w.newBody()}
	part := object.Part{}
	for n := range 1 + w.rng.IntN(2) {
		if n == 1 {
			v.body = w.newBody()
		}
		if part, err = w.c.UploadPart(ctx, u, 1, bytes.NewReader(v.body.bytes())); err != nil {
			return err
		}
	}
	if w.rng.IntN(3) == 0 {
		return w.end(k, "", w.c.AbortMultipartUpload(ctx, u))
	}
	k.begin("complete", k.put(v))
	made, err := w.c.CompleteMultipartUpload(ctx, u, []object.Part{part})
	if err != nil {
		return err
	}
	return w.end(k, made.ID, nil)
}
