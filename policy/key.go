package policy

import (
	"strconv"
	"strings"
	"time"
)

// key is a condition key. Those that follow from the principal, the resource's
// account or the time are looked up there, all others in the context.
type key struct {
	name   string // in lower case
	source keySource
	tag    string // of aws:PrincipalTag
}

type keySource uint8

const (
	fromContext keySource = iota
	fromPrincipalARN
	fromPrincipalAccount
	fromPrincipalType
	fromPrincipalTag
	fromPrincipalIsService
	fromPrincipalService
	fromUserID
	fromUserName
	fromResourceAccount
	fromSourceIdentity
	fromIssue
	fromMFA
	fromTime
	fromEpoch
)

const principalTag = "aws:principaltag/"

var keySources = map[string]keySource{
	"aws:principalarn":              fromPrincipalARN,
	"aws:principalaccount":          fromPrincipalAccount,
	"aws:principaltype":             fromPrincipalType,
	"aws:principalisawsservice":     fromPrincipalIsService,
	"aws:principalservicename":      fromPrincipalService,
	"aws:principalservicenameslist": fromPrincipalService,
	"aws:userid":                    fromUserID,
	"aws:username":                  fromUserName,
	"aws:resourceaccount":           fromResourceAccount,
	"s3:resourceaccount":            fromResourceAccount,
	"aws:sourceidentity":            fromSourceIdentity,
	"aws:tokenissuetime":            fromIssue,
	"aws:multifactorauthpresent":    fromMFA,
	"aws:currenttime":               fromTime,
	"aws:epochtime":                 fromEpoch,
}

func newKey(name string) key {
	k := key{name: strings.ToLower(name)}
	if tag, ok := strings.CutPrefix(k.name, principalTag); ok {
		k.source, k.tag = fromPrincipalTag, tag
		return k
	}
	k.source = keySources[k.name]
	return k
}

// values are the values of a condition key in a request: one, or many.
type values struct {
	one  string
	many []string
	n    int
}

func (v values) at(i int) string {
	if v.many != nil {
		return v.many[i]
	}
	return v.one
}

// blank reports whether there is but an empty value, which to a set operator
// is none (IAM User Guide, "Set operators for multivalued context keys").
func (v values) blank() bool { return v.n == 1 && v.at(0) == "" }

// single returns the only value.
func (v values) single() (string, bool) {
	if v.n != 1 {
		return "", false
	}
	return v.at(0), true
}

// oneIf returns a single value, or none if it is empty.
func oneIf(s string) values {
	if s == "" {
		return values{}
	}
	return values{one: s, n: 1}
}

// lookup returns the key's values in r.
func (k *key) lookup(r *Request) values {
	p := &r.Principal
	if r.Asserted {
		if many, ok := r.Context[k.name]; ok {
			return values{many: many, n: len(many)}
		}
	}
	switch k.source {
	case fromPrincipalARN:
		if p.Type == RoleSession {
			return oneIf(p.Role)
		}
		return oneIf(p.ARN)
	case fromPrincipalAccount:
		if p.Type == Anonymous {
			return oneIf("anonymous")
		}
		return oneIf(p.Account)
	case fromPrincipalType:
		return oneIf(p.Type.key())
	case fromPrincipalTag:
		for name, v := range p.Tags {
			if strings.EqualFold(name, k.tag) {
				return values{one: v, n: 1}
			}
		}
		return values{}
	case fromPrincipalIsService:
		if p.Type == Anonymous {
			return values{}
		}
		return oneIf(strconv.FormatBool(p.Type == ServicePrincipal))
	case fromPrincipalService:
		return oneIf(p.Service)
	case fromUserID:
		if p.Type == Anonymous {
			return oneIf("anonymous")
		}
		return oneIf(p.UserID)
	case fromUserName:
		return oneIf(p.UserName())
	case fromResourceAccount:
		if r.ResourceAccount == "" {
			return oneIf(p.Account)
		}
		return oneIf(r.ResourceAccount)
	case fromSourceIdentity:
		if p.SourceIdentity != "" {
			return oneIf(p.SourceIdentity)
		}
	case fromIssue:
		if !p.Issued.IsZero() {
			return oneIf(p.Issued.UTC().Format(time.RFC3339))
		}
	case fromMFA:
		if !p.Issued.IsZero() {
			return oneIf("false") // nobody has a second factor here
		}
	case fromTime:
		if !r.Time.IsZero() {
			return oneIf(r.Time.UTC().Format(time.RFC3339))
		}
	case fromEpoch:
		if !r.Time.IsZero() {
			return oneIf(strconv.FormatInt(r.Time.Unix(), 10))
		}
	}
	if many, ok := r.Context[k.name]; ok {
		return values{many: many, n: len(many)}
	}
	return oneIf(p.Facts[k.name])
}
