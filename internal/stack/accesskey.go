package stack

import (
	"context"
	"slices"
	"strconv"

	"twinbucket/identity"
	"twinbucket/internal/iam"
)

// accessKeyKind is AWS::IAM::AccessKey; its physical id is the key's. That is
// chosen before the key is made, so that after a crash it is known whose it is.
var accessKeyKind = kind{
	replace:    []string{"UserName", "Serial"},
	attributes: []string{"SecretAccessKey"},
	name: func(a *action) (string, error) {
		_, err := wantKey(a)
		return iam.NewKeyID(), err
	},
	create: createKey,
	update: updateKey,
	delete: deleteKey,
}

// wantedKey is what a template wants of an access key.
type wantedKey struct {
	user     string
	inactive bool
}

func wantKey(a *action) (*wantedKey, error) {
	p := read(a.typ, a.props)
	w := &wantedKey{user: p.need("UserName")}
	switch p.text("Status") {
	case "", "Active":
	case "Inactive":
		w.inactive = true
	default:
		p.fail("Value of property Status must be one of Active, Inactive")
	}
	if s := p.text("Serial"); s != "" {
		if _, err := strconv.Atoi(s); err != nil {
			p.fail("Value of property Serial must be of type Integer")
		}
	}
	return w, p.done()
}

// allowKey asks whether the caller may do something to the keys of the user,
// who has to exist.
func (a *action) allowKey(w *wantedKey, act string) error {
	u, err := a.IAM.GetUser(a.stack.Account, w.user)
	if err != nil {
		return err
	}
	return a.allowOn(identity.UserKind, &u.Identity, act, nil)
}

func createKey(ctx context.Context, a *action) (map[string]string, error) {
	w, err := wantKey(a)
	if err != nil {
		return nil, err
	}
	if err := a.allowKey(w, "iam:CreateAccessKey"); err != nil {
		return nil, err
	}
	if w.inactive {
		if err := a.allowKey(w, "iam:UpdateAccessKey"); err != nil {
			return nil, err
		}
	}
	key, err := a.IAM.AddKey(ctx, a.stack.Account, w.user, identity.Key{AccessKey: a.physical, Inactive: w.inactive})
	if err != nil {
		return nil, err
	}
	return keyAttributes(&key), nil
}

func keyAttributes(k *identity.Key) map[string]string {
	return map[string]string{"SecretAccessKey": k.Secret}
}

func updateKey(ctx context.Context, a *action) (attributes map[string]string, err error) {
	w, err := wantKey(a)
	if err != nil {
		return nil, err
	}
	if err := a.allowKey(w, "iam:UpdateAccessKey"); err != nil {
		return nil, err
	}
	err = a.IAM.UpdateKeys(ctx, a.stack.Account, w.user, func(keys *identity.Keys) error {
		i, err := keys.Find(a.physical)
		if err == nil {
			(*keys)[i].Inactive = w.inactive
			attributes = keyAttributes(&(*keys)[i])
		}
		return err
	})
	return attributes, err
}

func deleteKey(ctx context.Context, a *action) error {
	w, err := wantKey(a)
	if err != nil {
		return err
	}
	keys, err := a.IAM.Keys(a.stack.Account, w.user)
	if err == nil {
		_, err = keys.Find(a.physical)
	}
	if err == nil {
		err = a.allowKey(w, "iam:DeleteAccessKey")
	}
	if err == nil {
		err = a.IAM.UpdateKeys(ctx, a.stack.Account, w.user, func(keys *identity.Keys) error {
			*keys = slices.DeleteFunc(*keys, func(k identity.Key) bool { return k.AccessKey == a.physical })
			return nil
		})
	}
	if isNotFound(err) {
		return nil
	}
	return err
}
