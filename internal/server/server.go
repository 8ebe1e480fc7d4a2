// Package server puts the rooms together: it opens the store, starts the
// engines, and serves every API on one port.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/catalog"
	"twinbucket/internal/cfnapi"
	"twinbucket/internal/config"
	"twinbucket/internal/iam"
	"twinbucket/internal/iamapi"
	"twinbucket/internal/keyring"
	"twinbucket/internal/replicate"
	"twinbucket/internal/run"
	"twinbucket/internal/s3api"
	"twinbucket/internal/s3control"
	"twinbucket/internal/scrub"
	"twinbucket/internal/stack"
	"twinbucket/internal/store"
	"twinbucket/internal/sweep"
	"twinbucket/internal/vfs"
)

// Server is a server with its store open and its port bound; Run serves.
type Server struct {
	config   config.Server
	log      *slog.Logger
	store    *store.Store
	iam      *iam.Service
	parts    run.Group
	http     http.Server
	listener net.Listener
	fresh    fresh
	handling handling
}

// grace is how long a part may take to stop by itself.
const grace = 10 * time.Second

// patience is how long a client may neither send nor take anything.
const patience = time.Minute

// Open opens the data directory, makes the accounts that are not there yet,
// writes the credentials file and binds the port.
func Open(ctx context.Context, c config.Server, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.Default()
	}
	s := &Server{config: c, log: log}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	c := s.config
	// The port first: if another server has it, nothing is touched.
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Listen); err != nil {
		hint := "listen on an address of this machine, as in --listen 127.0.0.1:9000"
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "another program uses the port; choose another with --listen HOST:PORT"
		}
		return &fault.Error{Op: "server.listen", Thing: c.Listen, Err: err, Hint: hint}
	}
	rules := new(replicate.Rules)
	keys := make([]keyring.Key, len(c.Keys))
	for i, k := range c.Keys {
		keys[i] = keyring.Key(k)
	}
	if s.store, err = store.Open(vfs.OS(), c.Data, store.Options{Select: rules.Select, Log: s.log, Region: c.Region, Keys: keys}); err != nil {
		return err
	}
	cat := catalog.New(s.store)
	if s.iam, err = iam.New(cat, time.Now); err != nil {
		return err
	}
	s.iam.SetRegion(c.Region)
	if err := s.ensureAccounts(ctx); err != nil {
		return err
	}
	credentials := credentials{CredentialsFile(c.Data), c.Region}
	if err := credentials.write(s.iam.Accounts()); err != nil {
		return err
	}
	s.iam.SetPublisher(credentials.write)
	replication := replicate.New(replicate.Config{Store: s.store, IAM: s.iam, Rules: rules, Log: s.log})
	jobs := batch.New(batch.Config{Store: s.store, Catalog: cat, IAM: s.iam, Replicate: replication, Log: s.log})
	rounds := sweep.New(sweep.Config{Store: s.store, Log: s.log, Interval: c.LifecycleInterval, Day: c.LifecycleDay})
	stacks := stack.New(stack.Deps{Store: s.store, Catalog: cat, IAM: s.iam, Region: c.Region, Ownership: c.Ownership, Log: s.log})

	s.parts.Grace = grace
	s.parts.Add("store", until(s.store.Broken(), s.store.Err))
	s.parts.Add("replication", replication.Run)
	s.parts.Add("batch jobs", jobs.Run)
	s.parts.Add("lifecycle", rounds.Run)
	s.parts.Add("stacks", stacks.Run)
	s.parts.Add("scrub", scrub.New(scrub.Config{Store: s.store, Passes: scrub.Noted(cat), Every: c.ScrubEvery, Log: s.log}).Run)
	s.parts.Add("http", s.serve)
	s.http = http.Server{
		Handler: &dispatcher{
			s3:       s3api.New(s3api.Config{Store: s.store, IAM: s.iam, Region: c.Region, Domains: c.Domains, Ownership: c.Ownership, Log: s.log}),
			control:  s3control.New(s3control.Config{Engine: jobs, IAM: s.iam, Region: c.Region, Log: s.log}),
			iam:      iamapi.New(s.iam, c.Region),
			stacks:   cfnapi.New(cfnapi.Config{Stacks: stacks, IAM: s.iam, Store: s.store, Region: c.Region, Domains: c.Domains, Log: s.log}),
			broken:   s.store.Err,
			patience: patience,
		},
		// A client that sends no headers is cut off, and so is one that stalls in
		// a body; one that sends or takes a large body slowly is not.
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         s.fresh.note,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.handling.next, s.http.Handler = s.http.Handler, &s.handling
	return nil
}

// ensureAccounts makes the accounts that were asked for, and the default one
// if there would be none.
func (s *Server) ensureAccounts(ctx context.Context) error {
	want := s.config.Accounts
	if len(want) == 0 && len(s.iam.Accounts()) == 0 {
		want = []config.Account{config.DefaultAccount}
	}
	for _, a := range want {
		if _, err := s.iam.EnsureAccount(ctx, a.Name, a.ID); err != nil {
			return err
		}
	}
	return nil
}

// Addr returns the address that the server listens on, as HOST:PORT.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Accounts returns the server's accounts with their root access keys.
func (s *Server) Accounts() []iam.Account { return s.iam.Accounts() }

// Run serves until ctx is done, then ends what is under way and closes the store.
func (s *Server) Run(ctx context.Context) error {
	err := s.parts.Run(ctx)
	return errors.Join(err, s.close())
}

// Close closes a server that is not run.
func (s *Server) Close() error { return s.close() }

func (s *Server) close() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// until is a part that fails when broken is closed: then the process is to end,
// so that whoever supervises it starts it anew.
func until(broken <-chan struct{}, why func() error) func(soft, hard context.Context) error {
	return func(soft, _ context.Context) error {
		select {
		case <-broken:
			return why()
		case <-soft.Done():
			return nil
		}
	}
}

// serve is the part that answers requests.
func (s *Server) serve(soft, hard context.Context) error {
	defer s.handling.close()
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served: // there is nothing to listen on any more
		return errors.Join(err, s.http.Close())
	case <-soft.Done():
	}
	s.fresh.close()
	err := s.http.Shutdown(hard)
	if err != nil {
		err = s.http.Close()
	}
	<-served
	return err
}

// maxConnections is how many connections there are at a time; more are closed.
// The store needs files to be opened, too: without them it cannot go on.
const maxConnections = 8192

// fresh knows the connections that have not sent anything yet. Clients open
// some in advance, and a shutdown would wait seconds for their first request.
// It also counts all connections.
type fresh struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	open   int
	closed bool
}

// note is the HTTP server's ConnState.
func (f *fresh) note(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch state {
	case http.StateNew:
		f.open++
	case http.StateClosed, http.StateHijacked:
		f.open--
	}
	switch {
	case state != http.StateNew:
		delete(f.conns, c)
	case f.closed || f.open > maxConnections:
		c.Close()
	default:
		if f.conns == nil {
			f.conns = make(map[net.Conn]struct{})
		}
		f.conns[c] = struct{}{}
	}
}

// close closes those connections, and those that are still to come.
func (f *fresh) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.conns {
		c.Close()
	}
}
