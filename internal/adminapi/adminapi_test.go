package adminapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
)

const src, dst = "111111111111", "222222222222"

// identities are those of a new store with the account src.
func identities(t *testing.T) *iam.Service {
	t.Helper()
	s, err := store.Open(vfs.Memory(), "data", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	who, err := iam.New(catalog.New(s), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := who.EnsureAccount(t.Context(), "src", src); err != nil {
		t.Fatal(err)
	}
	return who
}

// listen serves on a socket and returns its path.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return socket
}

// accounts is what both sides offer.
type accounts interface {
	Accounts(ctx context.Context) ([]Account, error)
	Add(ctx context.Context, name, id string) (a Account, added bool, err error)
	Rotate(ctx context.Context, name string) (Account, error)
}

// TestBothSides: the client's answers are those of the process that has the
// accounts.
func TestBothSides(t *testing.T) {
	t.Parallel()
	for name, side := range map[string]func(*iam.Service) accounts{
		"local":  func(who *iam.Service) accounts { return Local{who} },
		"client": func(who *iam.Service) accounts { return At(listen(t, New(who, slog.New(slog.DiscardHandler)))) },
	} {
		who := identities(t)
		all, ctx := side(who), t.Context()
		a, added, err := all.Add(ctx, "dst", dst)
		if err != nil || !added || a.Name != "dst" || a.ID != dst || len(a.Keys) != 1 || a.Keys[0].Status != "Active" {
			t.Errorf("%s: add: %+v, %v, %v", name, a, added, err)
		}
		if again, added, err := all.Add(ctx, "dst", dst); err != nil || added || !cmp.Equal(again, a) {
			t.Errorf("%s: add again: %+v, %v, %v", name, again, added, err)
		}
		rotated, err := all.Rotate(ctx, "dst")
		if err != nil || len(rotated.Keys) != 1 || rotated.Keys[0].ID == a.Keys[0].ID || rotated.Keys[0].ID != who.Accounts()[1].AccessKey {
			t.Errorf("%s: rotate: %+v, %v", name, rotated, err)
		}
		list, err := all.Accounts(ctx)
		if err != nil || len(list) != 2 || list[0].ID != src || !cmp.Equal(list[1], rotated) {
			t.Errorf("%s: list: %+v, %v", name, list, err)
		}
		for _, tt := range []struct {
			do            func() error
			kind          fault.Kind
			message, hint string
		}{
			{func() error { _, _, err := all.Add(ctx, "dst", "333333333333"); return err }, fault.Exists, `"dst" is the name of account 222222222222`, "give account 333333333333 another name"},
			{func() error { _, _, err := all.Add(ctx, "other", dst); return err }, fault.Exists, `account 222222222222 is called "dst"`, "use that name: dst=222222222222"},
			{func() error { _, _, err := all.Add(ctx, "a b", "333333333333"); return err }, fault.Invalid, `"a b" is not a name for an account`, "use up to 64 letters, digits, '-', '_' and '.': it becomes the name of a profile"},
			{func() error { _, err := all.Rotate(ctx, ".."); return err }, fault.NotFound, `there is no account ".."`, "the accounts are: src, dst"},
		} {
			if err := tt.do(); !errors.Is(err, tt.kind) || err.Error() != tt.message || fault.HintOf(err) != tt.hint {
				t.Errorf("%s: %v %v, hint %q; want %s", name, fault.KindOf(err), err, fault.HintOf(err), tt.message)
			}
		}
		who.SetPublisher(func([]iam.Account) error {
			return &fault.Error{Op: "server.credentials", Err: errors.New("no room"), Hint: "make room"}
		})
		if _, err := all.Rotate(ctx, "src"); err == nil || err.Error() != "server.credentials: no room" || fault.HintOf(err) != "make room" {
			t.Errorf("%s: what cannot be published: %v, hint %q", name, err, fault.HintOf(err))
		}
	}
}

// TestNoSecret: nothing that the door says has a secret in it.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	who := identities(t)
	d := New(who, slog.New(slog.DiscardHandler))
	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/accounts", nil),
		httptest.NewRequest("POST", "/accounts", strings.NewReader(`{"name":"dst","id":"222222222222"}`)),
		httptest.NewRequest("POST", "/rotate", strings.NewReader(`{"name":"src"}`)),
	} {
		rec := httptest.NewRecorder()
		d.ServeHTTP(rec, r)
		for _, a := range who.Accounts() {
			if rec.Code != 200 || strings.Contains(rec.Body.String(), a.Secret) {
				t.Errorf("%s %s: %d %s", r.Method, r.URL, rec.Code, rec.Body)
			}
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	d := New(identities(t), slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/accounts", `{"name":"x","id":"222222222222","secret":"mine"}`, 400},
		{"POST", "/accounts", `{`, 400},
		{"POST", "/accounts", `{"name":"src","id":"222222222222"}`, 409},
		{"POST", "/rotate", ``, 400},
		{"POST", "/rotate", `{"name":"none"}`, 404},
		{"DELETE", "/accounts", ``, 405},
		{"GET", "/secrets", ``, 404},
	} {
		rec := httptest.NewRecorder()
		d.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
		if rec.Code != tt.status {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, rec.Code, rec.Body)
		}
	}
}

// TestUnreachable: where nobody answers, the hint says what to do.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	other := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "404 page not found\n")
	}))
	for socket, hint := range map[string]string{
		filepath.Join(dir, "none"): "try again when it has ended",
		dead:                       "does not listen",
		filepath.Join(dir, strings.Repeat("x", 200)): "the path is too long for a socket",
		other: "the server is of another version",
	} {
		if _, err := At(socket).Accounts(t.Context()); err == nil || !strings.Contains(fault.HintOf(err), hint) || !strings.Contains(err.Error(), socket) {
			t.Errorf("%s: %v, hint %q", hint, err, fault.HintOf(err))
		}
		if _, _, err := At(socket).Add(t.Context(), "dst", dst); err == nil {
			t.Errorf("%s: added", hint)
		}
	}
}
