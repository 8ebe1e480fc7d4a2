package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"twinbucket/fault"
	"twinbucket/internal/adminapi"
	"twinbucket/internal/config"
	"twinbucket/internal/server"
)

type accountCommand struct {
	Add    accountAddCommand    `cmd:"" help:"Make an account with a root access key, unless it is there already."`
	List   accountListCommand   `cmd:"" help:"List the accounts and their root access keys."`
	Rotate accountRotateCommand `cmd:"" help:"Give an account's root user a new access key in place of all that it has, which stop working at once."`
}

// Help says what the commands have in common.
func (accountCommand) Help() string {
	return `A server that uses the data directory is asked to do it, over a socket in there that only its owner can open; without one it is done at once. Secrets are never printed: they are in the file credentials of the data directory, in a profile of the account's name.

Exit codes: 0 done, and the account to be added may have been there; 1 failed; 2 wrong command line.`
}

// accountFlags are those of each command.
type accountFlags struct {
	Data string `default:"./twinbucket-data" placeholder:"DIR" help:"Data directory of a server (${default})."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// accounts is what can be done to accounts: by the server, or in this process.
type accounts interface {
	Accounts(ctx context.Context) ([]adminapi.Account, error)
	Add(ctx context.Context, name, id string) (a adminapi.Account, added bool, err error)
	Rotate(ctx context.Context, name string) (adminapi.Account, error)
}

// with does something to the accounts of the data directory.
func (f *accountFlags) with(s streams, do func(accounts) error) error {
	st, err := openStore(f.Data, s)
	if errors.Is(err, fault.Conflict) { // a server has it
		return do(adminapi.At(server.SocketFile(f.Data)))
	}
	if err != nil {
		return err
	}
	local, err := server.LocalAccounts(st, f.Data)
	if err == nil {
		err = do(local)
	}
	return errors.Join(err, st.Close())
}

// profile says where the secret of an account is.
func (f *accountFlags) profile(a adminapi.Account) string {
	return fmt.Sprintf("profile %s in %s", a.Name, server.CredentialsFile(f.Data))
}

type accountAddCommand struct {
	Account string `arg:"" name:"NAME=ID" help:"What people call it, which becomes its profile, and twelve digits."`
	accountFlags
}

// Run makes an account.
func (c *accountAddCommand) Run(ctx context.Context, s streams) error {
	want, err := config.ParseAccount(c.Account)
	if err != nil {
		return err
	}
	return c.with(s, func(all accounts) error {
		a, added, err := all.Add(ctx, want.Name, want.ID)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(s.out, struct {
				Account     adminapi.Account `json:"account"`
				Added       bool             `json:"added"`
				Credentials string           `json:"credentials"`
			}{a, added, server.CredentialsFile(c.Data)})
		case added:
			_, err = fmt.Fprintf(s.out, "account %s (%s) added: %s\n", a.Name, a.ID, c.profile(a))
		default:
			_, err = fmt.Fprintf(s.out, "account %s (%s) is there already: %s\n", a.Name, a.ID, c.profile(a))
		}
		return err
	})
}

type accountListCommand struct{ accountFlags }

// Run lists the accounts.
func (c *accountListCommand) Run(ctx context.Context, s streams) error {
	return c.with(s, func(all accounts) error {
		list, err := all.Accounts(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, struct {
				Accounts []adminapi.Account `json:"accounts"`
			}{list})
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		for _, a := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\n", a.ID, a.Name, keysOf(a))
		}
		return w.Flush()
	})
}

// keysOf shows the access keys of an account on one line.
func keysOf(a adminapi.Account) string {
	if len(a.Keys) == 0 {
		return "no root access key"
	}
	keys := make([]string, len(a.Keys))
	for i, k := range a.Keys {
		keys[i] = k.ID
		if k.Status != "Active" {
			keys[i] += " (" + k.Status + ")"
		}
	}
	return strings.Join(keys, ", ")
}

type accountRotateCommand struct {
	Name string `arg:"" name:"NAME" help:"Of the account."`
	accountFlags
}

// Run gives an account a new key.
func (c *accountRotateCommand) Run(ctx context.Context, s streams) error {
	return c.with(s, func(all accounts) error {
		a, err := all.Rotate(ctx, c.Name)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, struct {
				Account     adminapi.Account `json:"account"`
				Credentials string           `json:"credentials"`
			}{a, server.CredentialsFile(c.Data)})
		}
		_, err = fmt.Fprintf(s.out, "account %s (%s) has the root access key %s and no other: %s\n", a.Name, a.ID, keysOf(a), c.profile(a))
		return err
	})
}
