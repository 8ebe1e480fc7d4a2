package demo

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"mime"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/progress"
	"twinbucket/object"
)

// file is a file to upload.
type file struct {
	path string
	key  string
	size int64
}

// uploads is how many uploads run at a time.
const uploads = 16

// findFiles lists the files of a folder, by default the sources of Go's
// standard library.
func findFiles(ctx context.Context, folder string) ([]file, error) {
	if folder == "" {
		root, err := goroot(ctx)
		if err != nil {
			return nil, err
		}
		folder = filepath.Join(root, "src")
	}
	var files []file
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		files = append(files, file{path, "src/" + filepath.ToSlash(rel), info.Size()})
		return nil
	})
	if err != nil {
		return nil, &fault.Error{Op: "demo.files", Kind: fault.NotFound, Thing: folder, Err: err, Hint: "name a folder of files with --objects DIR"}
	}
	if len(files) == 0 {
		return nil, &fault.Error{Op: "demo.files", Kind: fault.NotFound, Thing: folder, Message: "the folder holds no files", Hint: "name a folder of files with --objects DIR"}
	}
	return files, nil
}

// goroot asks the go command where Go is.
func goroot(ctx context.Context) (string, error) {
	if root := os.Getenv("GOROOT"); root != "" {
		return root, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if root := strings.TrimSpace(string(out)); err == nil && root != "" {
		return root, nil
	}
	return "", &fault.Error{Op: "demo.files", Kind: fault.NotFound, Thing: "go " + runtime.Version(), Message: "Go's sources were not found", Err: err, Hint: "name a folder of files with --objects DIR"}
}

// upload puts the files, and then a little history: an old version and a
// delete marker, which the job must carry too.
func (d *demo) upload(ctx context.Context) error {
	bar := progress.New(d.Out, d.Terminal, "uploaded", "objects", int64(len(d.files)))
	g, ctx2 := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for _, f := range d.files {
		g.Go(func() error {
			defer bar.Add(1)
			return d.putFile(ctx2, f)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	bar.Finish()
	first := d.files[0]
	if err := d.put(ctx, object.Version{Key: first.key}, []byte("an overwrite, older than the rule\n")); err != nil {
		return err
	}
	if len(d.files) > 1 {
		if _, err := d.src.DeleteObject(ctx, sourceBucket, d.files[1].key, ""); err != nil {
			return err
		}
	}
	d.say("     one of them overwritten and one deleted, so there is history too; no object has a replication status")
	return nil
}

func (d *demo) putFile(ctx context.Context, f file) error {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return fault.Wrap("demo.upload", f.path, err)
	}
	return d.put(ctx, object.Version{
		Key:      f.key,
		Headers:  object.Headers{ContentType: contentType(f.key)},
		Metadata: map[string]string{"mode": fileMode(f.path)},
	}, data)
}

func contentType(key string) string {
	if t := mime.TypeByExtension(filepath.Ext(key)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func fileMode(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%04o", info.Mode().Perm())
}

// put puts one object into the source bucket.
func (d *demo) put(ctx context.Context, v object.Version, body []byte) error {
	v.Bucket = sourceBucket
	_, err := d.src.PutObject(ctx, client.Put{Version: v, Body: bytes.NewReader(body)})
	return err
}
