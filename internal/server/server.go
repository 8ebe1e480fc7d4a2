// Package server puts the rooms together: it opens the store, starts the
// engines, and serves every API on one port.
package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"twinbucket/internal/adminapi"
	"twinbucket/internal/batch"
	"twinbucket/internal/catalog"
	"twinbucket/internal/cfnapi"
	"twinbucket/internal/config"
	"twinbucket/internal/iam"
	"twinbucket/internal/iamapi"
	"twinbucket/internal/inventory"
	"twinbucket/internal/keyring"
	"twinbucket/internal/metrics"
	"twinbucket/internal/notify"
	"twinbucket/internal/prove"
	"twinbucket/internal/replapi"
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
	config  config.Server
	log     *slog.Logger
	store   *store.Store
	iam     *iam.Service
	parts   run.Group
	public  endpoint
	admin   endpoint // of who runs the server
	metrics endpoint // if they have one of their own
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
	if s.public.listener, err = listen(ctx, c.Listen, "--listen 127.0.0.1:9000"); err != nil {
		return err
	}
	if c.MetricsListen != "" && c.MetricsListen != c.Listen {
		if s.metrics.listener, err = listen(ctx, c.MetricsListen, "--metrics-listen 127.0.0.1:9001"); err != nil {
			return err
		}
	}
	rules := new(replicate.Rules)
	keys := make([]keyring.Key, len(c.Keys))
	for i, k := range c.Keys {
		keys[i] = keyring.Key(k)
	}
	targets := map[string]notify.Target{}
	for _, t := range c.EventTargets {
		if targets[t.ARN], err = notify.Dial(t.ARN, t.URL); err != nil {
			return err
		}
	}
	teller := new(notify.Teller)
	if s.store, err = store.Open(vfs.OS(), c.Data, store.Options{Select: rules.Select, SelectChanges: rules.SelectChanges, Tell: teller.Tell, Log: s.log, Region: c.Region, Keys: keys}); err != nil {
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
	s.listenAdmin(ctx)
	replication := replicate.New(replicate.Config{Store: s.store, IAM: s.iam, Rules: rules, Log: s.log, Mend: c.RetryFailed})
	events := notify.New(notify.Config{Store: s.store, Targets: targets, Region: c.Region, Log: s.log})
	s3 := s3api.New(s3api.Config{Store: s.store, IAM: s.iam, Region: c.Region, Domains: c.Domains, Ownership: c.Ownership, Events: events, Log: s.log})
	jobs := batch.New(batch.Config{Store: s.store, Catalog: cat, IAM: s.iam, Replicate: replication, S3: s3, Log: s.log})
	rounds := sweep.New(sweep.Config{Store: s.store, Log: s.log, Interval: c.LifecycleInterval, Day: c.LifecycleDay})
	proofs := prove.New(prove.Config{Store: s.store, Catalog: cat, Every: c.ProveEvery, Yield: replication.Yield, Log: s.log})
	inventories := inventory.New(inventory.Config{Store: s.store, Catalog: cat, IAM: s.iam, Yield: replication.Yield, Log: s.log})
	stacks := stack.New(stack.Deps{Store: s.store, Catalog: cat, IAM: s.iam, Region: c.Region, Ownership: c.Ownership, Log: s.log})

	s.parts.Grace = grace
	s.parts.Add("store", until(s.store.Broken(), s.store.Err))
	s.parts.Add("replication", replication.Run)
	s.parts.Add("batch jobs", jobs.Run)
	s.parts.Add("lifecycle", rounds.Run)
	s.parts.Add("inventories", inventories.Run)
	s.parts.Add("events", events.Run)
	s.parts.Add("stacks", stacks.Run)
	passes := scrub.Noted(cat)
	s.parts.Add("scrub", scrub.New(scrub.Config{Store: s.store, Passes: passes, Every: c.ScrubEvery, Yield: replication.Yield, Log: s.log}).Run)
	s.parts.Add("proofs", proofs.Run)
	if s.admin.listener != nil {
		s.admin.answer(adminapi.New(s.iam, s.log), s.log)
		s.parts.Add("admin", s.admin.serve)
	}
	all := metrics.New(metrics.Config{Store: s.store, Replication: replication, Jobs: jobs, Scrubs: passes, Proofs: proofs, Inventories: inventories, Log: s.log})
	s.showMetrics(all)
	s.parts.Add("http", s.public.serve)
	s.public.answer(&dispatcher{
		s3:          s3,
		control:     s3control.New(s3control.Config{Engine: jobs, IAM: s.iam, Region: c.Region, Log: s.log}),
		replication: replapi.New(replapi.Config{Engine: replication, Jobs: jobs, Proofs: proofs, Store: s.store, IAM: s.iam, Region: c.Region, Log: s.log}),
		iam:         iamapi.New(s.iam, c.Region),
		stacks:      cfnapi.New(cfnapi.Config{Stacks: stacks, IAM: s.iam, Store: s.store, Region: c.Region, Domains: c.Domains, Log: s.log}),
		metrics:     s.publicMetrics(all),
		broken:      s.store.Err,
		patience:    patience,
		answered:    all.Answered,
	}, s.log)
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
func (s *Server) Addr() string { return s.public.listener.Addr().String() }

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
	errs := []error{s.public.close(), s.admin.close(), s.metrics.close()}
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
