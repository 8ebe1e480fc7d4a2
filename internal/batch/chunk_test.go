package batch

import (
	"errors"
	"testing"

	"twinbucket/manifest"
)

func TestTooManyTasks(t *testing.T) {
	t.Parallel()
	c := &chunker{e: &Engine{Config: Config{ChunkSize: 1000}}, r: new(record), fields: manifest.GeneratedColumns()}
	c.rows = c.r.maxTasks() - 1
	entry := &manifest.Entry{Bucket: "src", Key: "k", VersionID: "v"}
	if err := c.add(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	err := c.add(t.Context(), entry)
	no := new(refusal)
	if !errors.As(err, &no) || no.code != "InvalidManifestContent" || len(no.more) == 0 {
		t.Errorf("%v", err)
	}
}
