package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/object"
)

// folder makes a folder of n small files.
func folder(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("d%d", i%3), fmt.Sprintf("f%d.txt", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "file %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := Config{Objects: folder(t, 30), Data: t.TempDir(), Listen: "127.0.0.1:0", Out: &out}
	s, err := Run(t.Context(), c)
	if err != nil || !s.Equal() || s.Versions < 30+50 || s.Markers != 2 {
		t.Fatalf("%+v, %v\n%s", s, err, &out)
	}
	for _, want := range []string{
		"Error occurred when preparing manifest: Failed to assume role.",
		"Suspended (awaiting your confirmation to run): 32 versions",
		"Complete: 32 succeeded, 0 failed", "COMPLETED here, REPLICA there", "All 90 versions agree",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the narration lacks %q:\n%s", want, &out)
		}
	}
	// A second run over the same data goes on from there.
	out.Reset()
	if s, err := Run(t.Context(), c); err != nil || !s.Equal() || !strings.Contains(out.String(), "it goes on from there") {
		t.Fatalf("%+v, %v\n%s", s, err, &out)
	}
}

// played returns a demo that has been played and whose server still serves.
func played(t *testing.T) *demo {
	t.Helper()
	d := &demo{Config: Config{Objects: folder(t, 3), Data: t.TempDir(), Listen: "127.0.0.1:0", Out: io.Discard}}
	if err := d.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error)
	go func() { served <- d.server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	if s, err := d.play(t.Context()); err != nil || !s.Equal() {
		t.Fatalf("%+v, %v", s, err)
	}
	return d
}

// TestVerifySeesEveryDifference breaks the destination in every way that a
// client can, and the comparison must say so.
func TestVerifySeesEveryDifference(t *testing.T) {
	t.Parallel()
	d := played(t)
	ctx := t.Context()
	v, err := d.dst.HeadObject(ctx, destinationBucket, "live/first.txt", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		broken func() error
		seen   func(*Summary) bool
	}{
		{"tags", func() error {
			return d.dst.PutObjectTagging(ctx, destinationBucket, v.Key, v.ID, []object.Tag{{Key: "other", Value: "x"}})
		}, func(s *Summary) bool { return s.Differences["tags"] == 1 }},
		{"surplus", func() error {
			_, err := d.dst.PutObject(ctx, client.Put{Version: object.Version{Bucket: destinationBucket, Key: "extra"}})
			return err
		}, func(s *Summary) bool { return s.Surplus == 1 }},
		{"missing", func() error {
			_, err := d.dst.DeleteObject(ctx, destinationBucket, v.Key, v.ID)
			return err
		}, func(s *Summary) bool { return s.Missing == 1 }},
		{"source status", func() error {
			if err := d.dst.DeleteBucketPolicy(ctx, destinationBucket); err != nil {
				return err
			}
			if err := d.put(ctx, object.Version{Key: "live/refused"}, []byte("x")); err != nil {
				return err
			}
			now, err := d.final(ctx, "live/refused")
			if err == nil && now.Status != object.Failed {
				err = fault.New(fault.Other, "", string(now.Status))
			}
			return err
		}, func(s *Summary) bool { return s.Missing == 2 }},
	} {
		if err := tt.broken(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		s, err := d.verify(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		s.print(&out)
		if s.Equal() || !tt.seen(s) || !strings.Contains(out.String(), "do NOT agree") {
			t.Errorf("%s: not seen: %+v", tt.name, s)
		}
	}
}

func TestNoFiles(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		_, err := Run(t.Context(), Config{Objects: dir, Data: t.TempDir(), Listen: "127.0.0.1:0", Out: io.Discard})
		if fault.KindOf(err) != fault.NotFound || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
