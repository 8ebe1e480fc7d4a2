package iam

import (
	"slices"
	"strings"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/policy"
)

// root returns the root user of an account.
func (a *Account) root() policy.Principal {
	return policy.Principal{Type: policy.RootUser, Account: a.ID, ARN: arn.Root(a.ID), UserID: a.ID}
}

// CheckPrincipals reports whether every principal that a document names
// exists here. If not: fault.Invalid, MalformedPolicy or
// MalformedPolicyDocument "Invalid principal in policy", with a hint that tells
// of account, whose document it is, more than of others.
func (s *Service) CheckPrincipals(doc *policy.Document, account string) error {
	for _, n := range doc.Named() {
		if hint := s.stranger(doc.Kind(), n, account); hint != "" {
			return doc.Kind().InvalidPrincipal(n).WithHint("%s", hint)
		}
	}
	return nil
}

// stranger says why a principal of a document of a kind, which belongs to
// account, does not exist; "" if it does.
func (s *Service) stranger(k policy.Kind, n policy.Named, account string) string {
	switch {
	case n.Form == "Service":
		return ""
	case n.Form == "CanonicalUser" && k == policy.Resource:
		if slices.ContainsFunc(s.Accounts(), func(a Account) bool { return acl.CanonicalID(a.ID) == n.ID }) {
			return ""
		}
		return "no account here has the canonical user id " + n.ID + "; ListBuckets shows an account its own"
	case n.Form != "AWS":
		return n.Form + " principals are not offered here: name an account, a user or a role under AWS"
	}
	if arn.ValidAccount(n.ID) {
		return s.noAccount(n.ID)
	}
	if strings.HasPrefix(n.ID, "AROA") || strings.HasPrefix(n.ID, "AIDA") {
		return s.noID(n.ID)
	}
	a, err := arn.Parse(n.ID)
	if err != nil {
		return n.ID + " is not a principal"
	}
	if hint := s.noAccount(a.Account); hint != "" || a.Resource == "root" {
		return hint
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch {
	case kind == "role" && s.roleByARN(n.ID) == nil:
		return s.noRoleHint(a.Account, rest, account)
	case kind == "assumed-role":
		name, _, _ := strings.Cut(rest, "/")
		if s.roleByName(a.Account, name) == nil {
			return s.noRoleHint(a.Account, name, account)
		}
	case kind == "user":
		if k := s.userByName(a.Account, rest[strings.LastIndexByte(rest, '/')+1:]); k == nil || k.arn != n.ID {
			return "account " + a.Account + " has no user " + rest
		}
	case kind != "role" && kind != "federated-user":
		return n.ID + " is nobody here: name an account, a user or a role"
	}
	return ""
}

func (s *Service) noAccount(id string) string {
	if s.hasAccount(id) {
		return ""
	}
	return "account " + id + " does not exist here"
}

// noRoleHint says that there is no role called name, which may have a path,
// and, to the account itself, what might be meant.
func (s *Service) noRoleHint(account, name, asks string) string {
	hint := "account " + account + " has no role " + name
	if k := s.roleByName(account, name[strings.LastIndexByte(name, '/')+1:]); k != nil && account == asks {
		return hint + "; do you mean " + k.arn + "?"
	}
	return hint + ": create the role first"
}

func (s *Service) noID(id string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.named(id) != "" {
		return ""
	}
	return id + " is the id of a role or user that was deleted"
}
