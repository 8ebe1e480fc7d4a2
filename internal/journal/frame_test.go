package journal

import (
	"encoding/hex"
	"fmt"
	"testing"

	"twinbucket/internal/vfs"
)

// kept is a log of one, two; three in the format before this one.
const kept = "5457424a524e4c310000000000000000000000000000000000000000973c1348" +
	"5457424600000008000000000000002000000002f3688159036f6e650374776f" +
	"5457424600000006000000000000004000000001b66261cd057468726565"

// keep writes a segment's file as a program before this one left it.
func keep(t *testing.T, fs vfs.FS, data []byte) {
	t.Helper()
	if err := vfs.MkdirSynced(fs, "/j"); err != nil {
		t.Fatal(err)
	}
	f, err := vfs.Create(fs, "/j/00000000000000000000.seg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestALogOfTheFormatBefore(t *testing.T) {
	t.Parallel()
	data, err := hex.DecodeString(kept)
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.Memory()
	keep(t, fs, data)
	var l log
	j := mustOpen(t, &l, fs, 0)
	if err := j.Append(t.Context(), rec("four")); err != nil {
		t.Fatal(err)
	}
	for _, s := range j.Segments() {
		if err := j.Verify(t.Context(), s, func(int) error { return nil }); err != nil {
			t.Errorf("segment %v: %v", s, err)
		}
	}
	mustClose(t, j)
	var again log
	mustClose(t, mustOpen(t, &again, fs, 0))
	if got := fmt.Sprint(again.records); got != "[one two three four]" {
		t.Errorf("replay gave %s", got)
	}

	for i := range data { // a byte of it is changed, and another segment follows
		data[i] ^= 1
		keep(t, fs, data)
		if _, err := new(log).open(t, fs, 0); err == nil {
			t.Errorf("byte %d is changed and nobody sees it", i)
		}
		data[i] ^= 1
	}
}
