package iam

import (
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

// Source returns an identity of account as the principal that its policies are
// for, with those policies, to simulate requests with: a user with those of
// its groups, some user of a group, or a session of a role. Errors:
// fault.Invalid InvalidInput for what is not the ARN of an identity of the
// account, fault.NotFound NoSuchEntity.
func (s *Service) Source(account, name string) (policy.Principal, []policy.Source, error) {
	a, err := arn.Parse(name)
	kind, path, _ := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "iam" || a.Account != account || path == "" {
		return policy.Principal{}, nil, fault.Newf(fault.Invalid, "InvalidInput", "Invalid Entity Arn: %s does not clearly define entity type and name.", name).On(name).
			WithHint("name a user, group or role of account %s by its ARN", account)
	}
	short := path[strings.LastIndexByte(path, '/')+1:]
	switch kind {
	case identity.UserKind.String():
		k := s.userByName(account, short)
		if k == nil || k.arn != name {
			return policy.Principal{}, nil, noUser(short)
		}
		return k.user.Principal(), append(s.sources(k), k.boundary...), nil
	case identity.GroupKind.String():
		k := s.groupByName(account, short)
		if k == nil || k.group.ARN() != name {
			return policy.Principal{}, nil, noGroup(short)
		}
		return policy.Principal{Type: policy.User, Account: account}, slices.Clip(k.identity), nil
	}
	k := s.roleByARN(name)
	if k == nil {
		return policy.Principal{}, nil, noRole(short)
	}
	return k.role.Session("simulation"), append(slices.Clip(k.identity), k.boundary...), nil
}
