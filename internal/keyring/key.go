package keyring

import (
	"encoding/hex"
	"fmt"
	"strings"

	"twinbucket/fault"
)

// Key stands for a key of KMS.
type Key struct {
	Account  string // 12 digits; "" gives every account a key of its own by that id
	ID       string // of letters, digits and hyphens
	Alias    string // without "alias/"; "" if it has none
	Disabled bool   // it is there, and nothing can be done with it
}

// managed is the alias of the key that AWS manages for each account.
const managed = "aws/s3"

func (r *Ring) configure(opt Options) {
	r.region = opt.Region
	r.named, r.disabled, r.alias = make(map[named]bool), make(map[named]bool), make(map[named]string)
	for _, k := range opt.Keys {
		r.named[named{k.Account, k.ID}] = true
		r.disabled[named{k.Account, k.ID}] = k.Disabled
		if k.Alias != "" {
			r.alias[named{k.Account, k.Alias}] = k.ID
		}
	}
}

// ManagedKey returns the ARN of the key of an account that stands for the one
// that AWS manages, alias/aws/s3.
func (r *Ring) ManagedKey(account string) string { return r.arn(account, r.managedID(account)) }

func (r *Ring) managedID(account string) string {
	b := r.derive("key id of "+managed, account)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%s-%s-%s-%s-%s", hex.EncodeToString(b[:4]), hex.EncodeToString(b[4:6]), hex.EncodeToString(b[6:8]), hex.EncodeToString(b[8:10]), hex.EncodeToString(b[10:16]))
}

func (r *Ring) arn(account, id string) string {
	return "arn:aws:kms:" + r.region + ":" + account + ":key/" + id
}

// Resolve returns the ARN of a key as a request of an account names it: by its
// id or ARN, or by its alias or the alias's ARN; "" is the managed key. A key
// that is not there is AWS's KMS.NotFoundException.
func (r *Ring) Resolve(account, name string) (string, error) {
	if name == "" {
		return r.ManagedKey(account), nil
	}
	short := name
	if strings.HasPrefix(name, "arn:") {
		region, owner, rest, ok := splitARN(name)
		if !ok {
			return "", notFound("Invalid arn " + name)
		}
		if region != r.region {
			return "", notFound("Invalid arn " + region)
		}
		account, short = owner, rest
	}
	short = strings.TrimPrefix(short, "key/")
	if alias, ok := strings.CutPrefix(short, "alias/"); ok {
		if alias == managed {
			return r.ManagedKey(account), nil
		}
		for _, n := range []named{{account, alias}, {"", alias}} {
			if id, ok := r.alias[n]; ok {
				return r.arn(account, id), nil
			}
		}
		return "", notFound("Alias arn:aws:kms:" + r.region + ":" + account + ":alias/" + alias + " is not found.")
	}
	if r.exists(account, short) {
		return r.arn(account, short), nil
	}
	if short == name && !isUUID(name) {
		return "", notFound("Invalid keyId '" + name + "'")
	}
	return "", notFound("Key '" + r.arn(account, short) + "' does not exist")
}

// exists reports whether an account has a key.
func (r *Ring) exists(account, id string) bool {
	return r.named[named{account, id}] || r.named[named{"", id}] || id == r.managedID(account)
}

// wrapper returns the key with an ARN; "" is the one of SSE-S3.
func (r *Ring) wrapper(arn string) (*wrapper, error) {
	if arn == "" {
		return r.s3, nil
	}
	// The region may have been another one when the key was used.
	_, account, id, ok := splitARN(arn)
	if id = strings.TrimPrefix(id, "key/"); !ok || !r.exists(account, id) {
		return nil, notFound("Key '" + arn + "' does not exist")
	}
	n := named{account, id}
	if r.disabled[n] || r.disabled[named{"", id}] {
		return nil, fault.New(fault.Invalid, Disabled, arn+" is disabled.").
			WithHint("start the server without --disable-kms-key for this key")
	}
	if w, ok := r.made.Load(n); ok {
		return w.(*wrapper), nil
	}
	key := r.derive("aws:kms", account, id)
	w, _ := r.made.LoadOrStore(n, newWrapper(key[:]))
	return w.(*wrapper), nil
}

// Disabled is AWS's code of what cannot be done because a key is disabled.
const Disabled = "KMS.DisabledException"

// Usable returns why a key with an ARN cannot be used: AWS's
// KMS.NotFoundException, or Disabled; nil if it can.
func (r *Ring) Usable(arn string) error {
	_, err := r.wrapper(arn)
	return err
}

// Account returns the account that a key with an ARN belongs to.
func Account(arn string) string {
	_, account, _, _ := splitARN(arn)
	return account
}

// Policy returns the policy of a key with an ARN, which is the one that KMS
// gives it: the key that AWS manages is for everybody in its account, others are
// for those whom the account's own policies let use them. guest is an account
// for which the key's is open as well; "" is none.
func (r *Ring) Policy(arn, guest string) []byte {
	account := Account(arn)
	if arn == r.ManagedKey(account) {
		return []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"` + account + `"}}}}`)
	}
	who := `"` + account + `"`
	if guest != "" && guest != account {
		who = `[` + who + `,"` + guest + `"]`
	}
	return []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":` + who + `},"Action":"kms:*","Resource":"*"}}`)
}

// splitARN reads arn:aws:kms:REGION:ACCOUNT:REST.
func splitARN(s string) (region, account, rest string, ok bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "kms" || len(p[4]) != 12 {
		return "", "", "", false
	}
	return p[3], p[4], p[5], true
}

func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && strings.Trim(s, "0123456789abcdef-") == ""
}

func notFound(message string) error {
	return fault.New(fault.Invalid, "KMS.NotFoundException", message).
		WithHint("start the server with --kms-key [ACCOUNT/]KEY-ID[=ALIAS] for each key that there should be, or leave the key out to use alias/aws/s3")
}
