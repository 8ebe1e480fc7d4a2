package server

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"twinbucket/internal/adminapi"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
)

// SocketFile returns where a server with the given data directory listens for
// who runs it.
func SocketFile(data string) string {
	name := filepath.Join(data, "admin.sock")
	if strings.HasPrefix(name, "@") { // which would be no file, but a name that anybody can connect to
		name = "." + string(filepath.Separator) + name
	}
	return name
}

// LocalAccounts returns the accounts of an open store in the given data
// directory, whose credentials file follows their changes.
func LocalAccounts(st *store.Store, data string) (adminapi.Local, error) {
	identities, err := iam.New(catalog.New(st), time.Now)
	if err != nil {
		return adminapi.Local{}, err
	}
	file := CredentialsFile(data)
	identities.SetPublisher(credentials{file, regionOf(file)}.write)
	return adminapi.Local{IAM: identities}, nil
}

// listenAdmin makes the socket. A server without one serves all the same.
func (s *Server) listenAdmin(ctx context.Context) {
	name := SocketFile(s.config.Data)
	var err error
	if s.admin.listener, err = listenPrivately(ctx, name); err == nil {
		return
	}
	hint := "the command needs the server to be stopped"
	if errors.Is(err, syscall.EINVAL) {
		hint = adminapi.TooLongHint
	}
	s.log.Warn("the command account cannot reach this server", "socket", name, "cause", err, "hint", hint)
}

// listenPrivately listens on a socket that only the owner can connect to. One
// that is there is a dead server's: this one holds the data directory's lock.
func listenPrivately(ctx context.Context, name string) (net.Listener, error) {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// Linux makes the file with this mode. Where that cannot be asked for,
		// Chmod follows.
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := config.Listen(ctx, "unix", name)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
