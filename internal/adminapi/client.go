package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"twinbucket/fault"
)

// Client asks the server that listens on a socket.
type Client struct {
	socket string
	http   http.Client
}

// At returns a client of the server behind a socket. It connects for each
// request, and so needs no end.
func At(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{socket, http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Accounts is Local's.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	a, err := c.ask(ctx, http.MethodGet, "/accounts", nil)
	return a.Accounts, err
}

// Add is Local's.
func (c *Client) Add(ctx context.Context, name, id string) (a Account, added bool, err error) {
	got, err := c.ask(ctx, http.MethodPost, "/accounts", &request{Name: name, ID: id})
	return *got.Account, got.Added, err
}

// Rotate is Local's.
func (c *Client) Rotate(ctx context.Context, name string) (Account, error) {
	got, err := c.ask(ctx, http.MethodPost, "/rotate", &request{Name: name})
	return *got.Account, err
}

// ask sends a request, without a body if in is nil. The answer has an account,
// empty if the server sent none.
func (c *Client) ask(ctx context.Context, method, path string, in *request) (answer, error) {
	out := answer{Account: &Account{}}
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return out, fault.Wrap("adminapi.ask", c.socket, err)
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, body)
	if err != nil {
		return out, fault.Wrap("adminapi.ask", c.socket, err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return out, c.unreachable(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(&out); err != nil {
		return out, &fault.Error{
			Op: "adminapi.ask", Thing: c.socket, Message: "the server answered " + res.Status, Err: err,
			Hint: "the server is of another version; use the program that it runs, or stop it first",
		}
	}
	if f := out.Error; f != nil {
		return answer{Account: &Account{}}, &fault.Error{Kind: kindOf(f.Kind), Message: f.Message, Hint: f.Hint}
	}
	return out, nil
}

// kindOf returns the kind of that name; Other if there is none.
func kindOf(name string) fault.Kind {
	for k := fault.Other; k <= fault.Closed; k++ {
		if k.String() == name {
			return k
		}
	}
	return fault.Other
}

// unreachable says what to do when the socket cannot be connected to.
func (c *Client) unreachable(err error) error {
	e := &fault.Error{Op: "adminapi.dial", Thing: c.socket, Kind: fault.Busy, Err: err}
	var dial *net.OpError
	if errors.As(err, &dial) {
		e.Err = dial.Err // the rest is said already
	}
	switch {
	case errors.Is(err, syscall.EINVAL):
		e.Hint = TooLongHint
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "run the command as the user that the server runs as"
	case errors.Is(err, fs.ErrNotExist):
		e.Hint = "another twinbucket uses the data directory and has no socket there; if it is a server, its log says why; try again when it has ended"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Hint = "another twinbucket uses the data directory and does not listen: it begins, ends, or is on another machine; try again, or end it first"
	}
	return e
}

// TooLongHint is what to do when a socket's path is longer than the system
// allows.
const TooLongHint = "the path is too long for a socket; name the data directory by a shorter one, such as a relative path, for the server and for the command"
