package demo

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"twinbucket/fault"
	"twinbucket/object"
)

// firstReplica puts one object after the rule and waits for its replica.
func (d *demo) firstReplica(ctx context.Context) error {
	start := time.Now()
	if err := d.put(ctx, object.Version{Key: "live/first.txt", Tags: []object.Tag{{Key: "put", Value: "after the rule"}}}, []byte("hello, other account\n")); err != nil {
		return err
	}
	src, err := d.final(ctx, "live/first.txt")
	if err != nil {
		return err
	}
	took := time.Since(start)
	dst, err := d.dst.HeadObject(ctx, destinationBucket, "live/first.txt", src.ID)
	if err != nil {
		return err
	}
	d.say("     put live/first.txt: %s here, %s there, same version id, after %s", src.Status, dst.Status, took.Round(time.Millisecond))
	return nil
}

// patience is how long the demo waits for what takes moments.
const patience = time.Minute

// final waits until the current version of a key is no longer pending.
func (d *demo) final(ctx context.Context, key string) (*object.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := d.src.HeadObject(ctx, sourceBucket, key, "")
		if err != nil {
			return nil, err
		}
		if v.Status != object.Pending {
			return v, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, &fault.Error{Op: "demo", Kind: fault.Busy, Thing: key, Message: "still PENDING", Err: ctx.Err()}
		}
	}
}

// putWhileRunning puts new objects of every sort while the job runs.
func (d *demo) putWhileRunning(ctx context.Context) error {
	for i := range 50 {
		if err := d.put(ctx, object.Version{Key: fmt.Sprintf("live/%03d.txt", i)}, fmt.Appendf(nil, "put during the job: %d\n", i)); err != nil {
			return err
		}
	}
	rich := object.Version{
		Key:      "live/tags and metadata.json",
		Tags:     []object.Tag{{Key: "team", Value: "storage"}, {Key: "cost centre", Value: "4711 +=@"}},
		Metadata: map[string]string{"origin": "demo", "note": "kept as it is"},
		Headers:  object.Headers{ContentType: "application/json", CacheControl: "max-age=60", ContentDisposition: `attachment; filename="x.json"`, ContentLanguage: "ja"},
	}
	odd := object.Version{Key: "live//odd + key/%2F/日本語 &<>\"'?#/."}
	for _, v := range []object.Version{rich, odd, {Key: "live/overwritten.txt"}, {Key: "live/overwritten.txt"}, {Key: "live/deleted.txt"}} {
		if err := d.put(ctx, v, []byte(time.Now().Format(time.RFC3339Nano))); err != nil {
			return err
		}
	}
	if _, err := d.src.DeleteObject(ctx, sourceBucket, "live/deleted.txt", ""); err != nil {
		return err
	}
	return d.putParts(ctx)
}

// putParts puts a multipart object with parts of different sizes.
func (d *demo) putParts(ctx context.Context) error {
	u, err := d.src.CreateMultipartUpload(ctx, &object.Version{
		Bucket: sourceBucket, Key: "live/multipart.bin", Headers: object.Headers{ContentType: "application/x-demo"},
	})
	if err != nil {
		return err
	}
	var parts []object.Part
	for i, size := range []int{5 << 20, 6<<20 + 7, 1234} {
		p, err := d.src.UploadPart(ctx, u, i+1, bytes.NewReader(bytes.Repeat([]byte{byte('a' + i)}, size)))
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	_, err = d.src.CompleteMultipartUpload(ctx, u, parts)
	return err
}
