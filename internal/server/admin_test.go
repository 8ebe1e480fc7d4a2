package server

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twinbucket/fault"
	"twinbucket/internal/adminapi"
	"twinbucket/internal/config"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
)

// profiles returns the names and access keys in the credentials file.
func profiles(t *testing.T, data string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(CredentialsFile(data))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(CredentialsFile(data))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	out, name := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "[") {
			name = strings.Trim(line, "[]")
		} else if key, ok := strings.CutPrefix(line, "aws_access_key_id = "); ok {
			out[name] = key
		}
	}
	return out
}

// TestAccountsOfARunningServer: what is done over the socket counts at once,
// and is in the credentials file.
func TestAccountsOfARunningServer(t *testing.T) {
	data := t.TempDir()
	s := start(t, config.Server{Data: data, Accounts: []config.Account{{Name: "source", ID: "111111111111"}}})
	all := adminapi.At(SocketFile(data))
	a, added, err := all.Add(t.Context(), "destination", "222222222222")
	if err != nil || !added {
		t.Fatal(added, err)
	}
	if got := profiles(t, data); len(got) != 2 || got["destination"] != a.Keys[0].ID {
		t.Errorf("%v", got)
	}
	old := s.Accounts()[0]
	rotated, err := all.Rotate(t.Context(), "source")
	if err != nil {
		t.Fatal(err)
	}
	if got := profiles(t, data); got["source"] != rotated.Keys[0].ID || got["source"] == old.AccessKey {
		t.Errorf("%v", got)
	}
	if status, answer := askAs(t, s, old, http.MethodGet, "/", "s3", ""); status != 403 || !strings.Contains(answer, "InvalidAccessKeyId") {
		t.Errorf("with the old key: %d %s", status, answer)
	}
	if status, answer := ask(t, s, http.MethodGet, "/", "s3", ""); status != 200 {
		t.Errorf("with the new key: %d %s", status, answer)
	}
}

// TestCredentialsThatCannotBeWritten: what is recorded holds, and is in the
// file after the next start.
func TestCredentialsThatCannotBeWritten(t *testing.T) {
	data, made := t.TempDir(), ""
	inTheWay := CredentialsFile(data) + ".new"
	t.Run("a server that cannot", func(t *testing.T) {
		s := start(t, config.Server{Data: data, Accounts: []config.Account{{Name: "source", ID: "111111111111"}}})
		old := s.Accounts()[0]
		if err := os.Mkdir(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := adminapi.At(SocketFile(data)).Rotate(t.Context(), "source")
		if err == nil || !strings.Contains(err.Error(), CredentialsFile(data)) || !strings.HasPrefix(fault.HintOf(err), "the keys are recorded") {
			t.Errorf("%v, hint %q", err, fault.HintOf(err))
		}
		made = s.Accounts()[0].AccessKey
		if got := profiles(t, data)["source"]; got != old.AccessKey || made == got {
			t.Errorf("the file has %s; before there was %s, and now %s", got, old.AccessKey, made)
		}
		if status, _ := askAs(t, s, old, http.MethodGet, "/", "s3", ""); status != 403 {
			t.Errorf("with the old key: %d", status)
		}
	})
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	start(t, config.Server{Data: data})
	if got := profiles(t, data)["source"]; got != made {
		t.Errorf("after a start the file has %s, not %s", got, made)
	}
}

// TestAccountsWithoutAServer: they are changed in the store, and the region in
// the credentials file stays.
func TestAccountsWithoutAServer(t *testing.T) {
	data := t.TempDir()
	c := config.Server{Data: data, Listen: "127.0.0.1:0", Region: "eu-central-1", Accounts: []config.Account{{Name: "source", ID: "111111111111"}}}
	s, err := Open(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(CredentialsFile(data), CredentialsFile(data)+".old"); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"us-east-1", "eu-central-1"} {
		st, err := store.Open(vfs.OS(), data, store.Options{Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		all, err := LocalAccounts(st, data)
		if err != nil {
			t.Fatal(err)
		}
		a, err := all.Rotate(t.Context(), "source")
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(CredentialsFile(data)); err != nil || profiles(t, data)["source"] != a.Keys[0].ID || !strings.Contains(string(text), "\nregion = "+region+"\n") {
			t.Errorf("%s: %s, %v", region, text, err)
		}
		// The next time the file of the server is there.
		if err := os.Rename(CredentialsFile(data)+".old", CredentialsFile(data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// TestSocket: a dead server's socket is replaced, a second server leaves that
// of the first, and the end takes it away.
func TestSocket(t *testing.T) {
	data := t.TempDir()
	socket := SocketFile(data)
	dead, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), config.Server{Data: data, Listen: "127.0.0.1:0"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Open(t.Context(), config.Server{Data: data, Listen: "127.0.0.1:0"}, quiet); err == nil {
		t.Error(errors.New("there is a second server"), second.Close())
	}
	info, err := os.Lstat(socket)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

// TestNoSocket: a server that cannot have one says so, and serves.
func TestNoSocket(t *testing.T) {
	long, blocked := filepath.Join(t.TempDir(), strings.Repeat("x", 120)), t.TempDir()
	if err := os.MkdirAll(filepath.Join(SocketFile(blocked), "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for data, hint := range map[string]string{long: "the path is too long for a socket", blocked: "needs the server to be stopped"} {
		var log bytes.Buffer
		s, err := Open(t.Context(), config.Server{Data: data, Listen: "127.0.0.1:0"}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, hint) {
			t.Errorf("%s: the log is %q", hint, text)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketFileIsAFile(t *testing.T) {
	for data, want := range map[string]string{"data": "data/admin.sock", "/x/": "/x/admin.sock", "@data": "./@data/admin.sock"} {
		if got := SocketFile(data); got != want {
			t.Errorf("%s: %s, want %s", data, got, want)
		}
	}
}
