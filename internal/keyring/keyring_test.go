package keyring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

const account = "111111111111"

var options = Options{Region: "us-east-1", Keys: []Key{
	{Account: account, ID: "01234567-89ab-cdef-0123-456789abcdef", Alias: "mine"},
	{ID: "everyones", Alias: "all"},
	{Account: account, ID: "off", Disabled: true},
}}

func open(t *testing.T, files vfs.FS, want string) *Ring {
	t.Helper()
	r, err := Open(files, "/keys", want, options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheRingIsWrittenOnce(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	r := open(t, mem, "")
	key := NewDataKey()
	wrapped, err := r.Wrap("", "", key)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := vfs.ReadFile(mem, "/keys")
	// It is durable when it is opened.
	mem = mem.Crash(0, nil)
	again := open(t, mem, r.ID())
	if after, _ := vfs.ReadFile(mem, "/keys"); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	if got, err := again.Unwrap("", "", wrapped); err != nil || *got != *key {
		t.Errorf("another key after a restart: %v", err)
	}
	if bytes.Contains(before, []byte(hex.EncodeToString(key[:]))) || again.ID() != r.ID() {
		t.Error("the ring is another one, or has the key of a body")
	}
}

func TestTheFileIsPrivate(t *testing.T) {
	t.Parallel()
	name := t.TempDir() + "/keys"
	if _, err := Open(vfs.OS(), name, "", options); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestARingThatIsNotTheRightOneIsRefused(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	r := open(t, mem, "")
	good, _ := vfs.ReadFile(mem, "/keys")
	for name, tt := range map[string]struct {
		content, want, says string
	}{
		"missing":         {"", r.ID(), "is missing"},
		"another":         {string(good), "0123", "another key ring"},
		"empty":           {"\n", r.ID(), "damaged"},
		"cut":             {string(good[:len(good)-9]), r.ID(), "checksum"},
		"changed":         {strings.Replace(string(good), "root ", "root 0", 1), r.ID(), "checksum"},
		"of a later kind": {strings.Replace(string(good), "keyring 1", "keyring 2", 1), r.ID(), "does not know"},
	} {
		files := vfs.Memory()
		if tt.content != "" {
			f, _ := vfs.Create(files, "/keys")
			_, _ = f.Write([]byte(tt.content))
			_ = f.Close()
		}
		_, err := Open(files, "/keys", tt.want, options)
		if err == nil || !strings.Contains(fault.MessageOf(err), tt.says) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Every single bit counts.
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(good)
		bad[rapid.IntRange(0, len(bad)-2).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		files := vfs.Memory()
		f, _ := vfs.Create(files, "/keys")
		_, _ = f.Write(bad)
		_ = f.Close()
		if _, err := Open(files, "/keys", "", options); err == nil {
			t.Fatal("a changed ring was opened")
		}
	})
}

func TestMakingARingFailsWhole(t *testing.T) {
	t.Parallel()
	for k := int64(1); ; k++ {
		mem := vfs.Memory()
		faults := new(vfs.Faults)
		faults.FailFrom(k)
		r, err := Open(faults.Wrap(mem), "/keys", "", options)
		if err == nil {
			if k < 4 {
				t.Errorf("%d operations", k)
			}
			open(t, mem.Crash(0, nil), r.ID())
			return
		}
		if !errors.Is(err, vfs.ErrInjected) {
			t.Fatal(err)
		}
		// Whatever is left, there is a ring afterwards or one can be made.
		open(t, mem.Crash(50, rand.New(rand.NewPCG(uint64(k), 1))), "")
	}
}

// TestKeyWrap uses the test vector of RFC 3394, 4.6.
func TestKeyWrap(t *testing.T) {
	t.Parallel()
	kek, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	data, _ := hex.DecodeString("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f")
	const want = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"
	key := DataKey(data)
	got := WrapWith(kek, &key)
	if hex.EncodeToString(got) != want {
		t.Errorf("%x", got)
	}
	if back, ok := UnwrapWith(kek, got); !ok || *back != key {
		t.Errorf("%x, %v", *back, ok)
	}
}

func TestWrapping(t *testing.T) {
	t.Parallel()
	r := open(t, vfs.Memory(), "")
	kms, err := r.Resolve(account, "alias/mine")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		kek := rapid.SampledFrom([]string{"", kms, r.ManagedKey(account)}).Draw(t, "kek")
		context := rapid.String().Draw(t, "context")
		key := NewDataKey()
		wrapped, err := r.Wrap(kek, context, key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Unwrap(kek, context, wrapped); err != nil || *got != *key {
			t.Fatal(err)
		}
		if _, err := r.Unwrap(kek, context+"x", wrapped); !errors.Is(err, fault.Damaged) {
			t.Fatalf("another context: %v", err)
		}
		if _, err := r.Unwrap(r.ManagedKey("222222222222"), context, wrapped); !errors.Is(err, fault.Damaged) {
			t.Fatalf("another account's key: %v", err)
		}
		wrapped[rapid.IntRange(0, len(wrapped)-1).Draw(t, "byte")] ^= 1
		if _, err := r.Unwrap(kek, context, wrapped); !errors.Is(err, fault.Damaged) {
			t.Fatalf("changed: %v", err)
		}
		if _, err := r.Unwrap(kek, context, wrapped[1:]); !errors.Is(err, fault.Damaged) {
			t.Fatalf("cut: %v", err)
		}
	})
	mine, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	key := NewDataKey()
	wrapped := WrapWith(mine, key)
	if got, ok := UnwrapWith(mine, wrapped); !ok || *got != *key {
		t.Error("a customer's key does not unwrap")
	}
	if _, ok := UnwrapWith(other, wrapped); ok {
		t.Error("another customer's key unwraps")
	}
}

func TestKeysOfKMS(t *testing.T) {
	t.Parallel()
	r := open(t, vfs.Memory(), "")
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	arn := "arn:aws:kms:us-east-1:" + account + ":key/" + id
	own := r.ManagedKey(account)
	for _, tt := range []struct{ account, name, want, message string }{
		{account, "", own, ""},
		{account, "alias/aws/s3", own, ""},
		{account, own, own, ""},
		{account, id, arn, ""},
		{account, arn, arn, ""},
		{"222222222222", arn, arn, ""},
		{account, "alias/mine", arn, ""},
		{"222222222222", "arn:aws:kms:us-east-1:" + account + ":alias/mine", arn, ""},
		{"222222222222", "everyones", "arn:aws:kms:us-east-1:222222222222:key/everyones", ""},
		{"222222222222", "alias/all", "arn:aws:kms:us-east-1:222222222222:key/everyones", ""},
		{"222222222222", id, "", "Key 'arn:aws:kms:us-east-1:222222222222:key/" + id + "' does not exist"},
		{"222222222222", "alias/mine", "", "Alias arn:aws:kms:us-east-1:222222222222:alias/mine is not found."},
		{account, "fake-key-id", "", "Invalid keyId 'fake-key-id'"},
		{account, "aws/s3", "", "Invalid keyId 'aws/s3'"},
		{account, "arn:aws:kms:us-west-2:" + account + ":key/" + id, "", "Invalid arn us-west-2"},
		{account, "arn:aws:s3:::bucket", "", "Invalid arn arn:aws:s3:::bucket"},
	} {
		got, err := r.Resolve(tt.account, tt.name)
		if got != tt.want || fault.MessageOf(err) != tt.message || err != nil && (fault.CodeOf(err) != "KMS.NotFoundException" || fault.HintOf(err) == "") {
			t.Errorf("%s of %s: %q, %v", tt.name, tt.account, got, err)
		}
	}
	// A key that the server is no longer told of cannot be used.
	wrapped, err := r.Wrap(arn, "", NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	r.configure(Options{Region: "eu-west-1", Keys: options.Keys})
	if _, err := r.Unwrap(arn, "", wrapped); err != nil {
		t.Errorf("after a change of the region: %v", err)
	}
	r.configure(Options{Region: "us-east-1"})
	if _, err := r.Unwrap(arn, "", wrapped); fault.CodeOf(err) != "KMS.NotFoundException" {
		t.Errorf("undeclared: %v", err)
	}
	if got := fault.CodeOf(r.Usable(arn)); got != "KMS.NotFoundException" {
		t.Errorf("undeclared: %s", got)
	}
	r.configure(options)
	if err := r.Usable(arn); err != nil {
		t.Error(err)
	}
	off, err := r.Resolve(account, "off")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Wrap(off, "", NewDataKey()); fault.CodeOf(err) != "KMS.DisabledException" || fault.MessageOf(err) != off+" is disabled." || fault.HintOf(err) == "" {
		t.Errorf("disabled: %v", err)
	}
	if Account(arn) != account || Account("x") != "" {
		t.Error("the account of an ARN")
	}
}

func BenchmarkWrap(b *testing.B) {
	r := newRing([32]byte{1})
	key := NewDataKey()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Wrap("", "", key)
	}
}

func BenchmarkUnwrap(b *testing.B) {
	r := newRing([32]byte{1})
	wrapped, _ := r.Wrap("", "", NewDataKey())
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Unwrap("", "", wrapped)
	}
}
