package iamapi

import (
	"math"

	"twinbucket/identity"
	"twinbucket/internal/iam"
)

// listProviders lists none: nobody signs in elsewhere and comes here.
func (c *call) listProviders() error {
	if err := c.allow("ListOpenIDConnectProviders", "arn:aws:iam::"+c.caller.Account+":oidc-provider/*"); err != nil {
		return err
	}
	c.out.Text("OpenIDConnectProviderList", "")
	return nil
}

// getAccountSummary counts what an account has, beside what it may have.
func (c *call) getAccountSummary() error {
	if err := c.allow("GetAccountSummary", "*"); err != nil {
		return err
	}
	account := c.caller.Account
	users, _ := c.iam.ListUsers(account, "/", "", math.MaxInt)
	groups, _ := c.iam.ListGroups(account, "/", "", math.MaxInt)
	roles, _ := c.iam.ListRoles(account, "/", "", math.MaxInt)
	policies, _ := c.iam.ListPolicies(account, "/", "", math.MaxInt)
	versions := 0
	for _, p := range policies {
		versions += len(p.Versions)
	}
	rootKeys, err := c.iam.Keys(account, "")
	if err != nil {
		return err
	}
	c.out.Open("SummaryMap")
	for _, e := range []struct {
		key string
		n   int
	}{
		{"AccessKeysPerUserQuota", identity.MaxKeys},
		{"AccountAccessKeysPresent", min(len(rootKeys), 1)},
		{"AccountMFAEnabled", 0},
		{"AttachedPoliciesPerGroupQuota", 10},
		{"AttachedPoliciesPerRoleQuota", 10},
		{"AttachedPoliciesPerUserQuota", 10},
		{"Groups", len(groups)},
		{"GroupsPerUserQuota", identity.MaxGroups},
		{"GroupsQuota", 300},
		{"Policies", len(policies)},
		{"PoliciesQuota", 1500},
		{"PolicySizeQuota", 6144},
		{"PolicyVersionsInUse", versions},
		{"PolicyVersionsInUseQuota", 10000},
		{"Providers", 0},
		{"Roles", len(roles)},
		{"RolesQuota", 1000},
		{"Users", len(users)},
		{"UsersQuota", 5000},
		{"VersionsPerPolicyQuota", iam.MaxVersions},
	} {
		c.out.Open("entry")
		c.out.Text("key", e.key)
		c.out.Int("value", int64(e.n))
		c.out.Close("entry")
	}
	c.out.Close("SummaryMap")
	return nil
}
