// Package adminapi is the door of who runs the server: accounts and their root
// access keys, JSON over HTTP on a socket in the data directory. It asks nobody
// who they are: whoever may open the socket may read the credentials file
// beside it. No secret crosses it; secrets are in that file.
//
//	GET  /accounts               {"accounts": [...]}
//	POST /accounts {name, id}    {"account": {...}, "added": true}
//	POST /rotate   {name}        {"account": {...}}
//
// Local does the same without a socket, where no server runs, and Client is
// the other side of it.
package adminapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
)

// maxBody is the longest request and the longest answer, in bytes.
const maxBody = 16 << 20

// Account is an account without its secrets.
type Account struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"` // 12 digits
	Created time.Time `json:"created"`
	Keys    []Key     `json:"accessKeys"` // of the root user, in the order they were made
}

// Key is an access key.
type Key struct {
	ID      string    `json:"accessKeyId"`
	Status  string    `json:"status"` // "Active" or "Inactive"
	Created time.Time `json:"created"`
}

// show returns what is told of an account.
func show(a iam.Account) Account {
	out := Account{Name: a.Name, ID: a.ID, Created: a.Created, Keys: make([]Key, len(a.Keys))}
	for i, k := range a.Keys {
		out.Keys[i] = Key{ID: k.AccessKey, Status: k.Status(), Created: k.Created}
	}
	return out
}

// Local are the accounts of a store that this process has open.
type Local struct{ IAM *iam.Service }

// Accounts returns all accounts by id.
func (l Local) Accounts(context.Context) ([]Account, error) {
	all := l.IAM.Accounts()
	out := make([]Account, len(all))
	for i, a := range all {
		out[i] = show(a)
	}
	return out, nil
}

// Add makes an account, unless it is there already: added tells which. Errors:
// fault.Invalid, fault.Exists if the name or the id is another account's.
func (l Local) Add(ctx context.Context, name, id string) (a Account, added bool, err error) {
	made, added, err := l.IAM.AddAccount(ctx, name, id)
	return show(made), added, err
}

// Rotate gives an account a new root access key in place of all that it has:
// fault.NotFound if there is no account of that name.
func (l Local) Rotate(ctx context.Context, name string) (Account, error) {
	a, err := l.IAM.RotateKey(ctx, name)
	return show(a), err
}

// request is what a request may say.
type request struct {
	Name string `json:"name"`
	ID   string `json:"id,omitempty"`
}

// answer is what an answer may say.
type answer struct {
	Accounts []Account `json:"accounts,omitempty"`
	Account  *Account  `json:"account,omitempty"`
	Added    bool      `json:"added,omitempty"`
	Error    *failure  `json:"error,omitempty"`
}

// failure is an error on its way.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// door answers requests.
type door struct {
	Local
	log *slog.Logger
}

// New returns the door.
func New(identities *iam.Service, log *slog.Logger) http.Handler {
	d := &door{Local{identities}, log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /accounts", answering(d.list))
	mux.HandleFunc("POST /accounts", answering(d.add))
	mux.HandleFunc("POST /rotate", answering(d.rotate))
	return mux
}

func (d *door) list(ctx context.Context, _ request) (answer, error) {
	all, err := d.Accounts(ctx)
	return answer{Accounts: all}, err
}

func (d *door) add(ctx context.Context, r request) (answer, error) {
	a, added, err := d.Add(ctx, r.Name, r.ID)
	if added {
		d.log.Info("account added", "account", a.ID, "name", a.Name)
	}
	return answer{Account: &a, Added: added}, err
}

func (d *door) rotate(ctx context.Context, r request) (answer, error) {
	a, err := d.Rotate(ctx, r.Name)
	if err == nil {
		d.log.Info("root access key rotated", "account", a.ID, "name", a.Name)
	}
	return answer{Account: &a}, err
}

// answering reads a request, has it done and writes the answer.
func answering(do func(context.Context, request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in request
		var out answer
		err := decode(w, r, &in)
		if err == nil {
			out, err = do(r.Context(), in)
		}
		if err != nil {
			out = answer{Error: &failure{fault.KindOf(err).String(), err.Error(), fault.HintOf(err)}}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(wire.Status(err))
		_ = json.NewEncoder(w).Encode(out) // the client is gone; nobody to tell
	}
}

// decode reads the body of a POST.
func decode(w http.ResponseWriter, r *http.Request, in *request) error {
	if r.Method == http.MethodGet {
		return nil
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return &fault.Error{Op: "adminapi.decode", Kind: fault.Invalid, Err: err}
	}
	return nil
}
