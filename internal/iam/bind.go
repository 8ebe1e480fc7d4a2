package iam

import (
	"strings"

	"twinbucket/policy"
)

// Bind returns the text of a policy as it is to be stored: the roles and users
// that it names stand in it by their unique ids, as on AWS, so that it does not
// come to hold for another that is made under the same name later.
func (s *Service) Bind(text []byte) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return policy.RenamePrincipals(text, func(name string) string {
		if k := s.byARN[name]; k != nil {
			return k.role.ID
		}
		for _, k := range s.user {
			if k.arn == name {
				return k.user.ID
			}
		}
		return name
	})
}

// Unbind returns the text of a stored policy for people: ids stand in it only
// for who was deleted.
func (s *Service) Unbind(text []byte) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return policy.RenamePrincipals(text, func(id string) string {
		if name := s.named(id); name != "" {
			return name
		}
		return id
	})
}

// named returns the ARN of the role or user with a unique id; "" if there is
// none. The caller holds s.mu.
func (s *Service) named(id string) string {
	switch {
	case strings.HasPrefix(id, "AROA"):
		for _, k := range s.byName {
			if k.role.ID == id {
				return k.arn
			}
		}
	case strings.HasPrefix(id, "AIDA"):
		for _, k := range s.user {
			if k.user.ID == id {
				return k.arn
			}
		}
	}
	return ""
}
