// Package iamapi is the door of the IAM and STS APIs: the query protocol of
// AWS, versions 2010-05-08 and 2011-06-15, for roles, their policies and
// sessions. Every action is authorized as on AWS; GetCallerIdentity needs no
// permission.
//
// An action that AWS has and this server does not is answered with 501
// NotImplemented, one that AWS does not have with InvalidAction.
package iamapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/wire"
)

// maxBody is the longest request, in bytes: a few policies of the longest kind.
const maxBody = 1 << 20

// api is one of the two APIs.
type api struct {
	service   string // in the credential scope
	version   string
	namespace string // of answers
	invalid   string // code for a parameter that is wrong in itself
	actions   map[string]action
	others    []string // what AWS has besides, sorted
}

// action is one operation. run writes what stands in the result element.
type action struct {
	run    func(*call) error
	result bool // whether the answer has a result element
}

var apis = map[string]*api{
	"iam": {
		service: "iam", version: "2010-05-08", namespace: "https://iam.amazonaws.com/doc/2010-05-08/", invalid: "InvalidInput",
		actions: iamActions, others: strings.Fields(otherIAM),
	},
	"sts": {
		service: "sts", version: "2011-06-15", namespace: "https://sts.amazonaws.com/doc/2011-06-15/", invalid: "InvalidParameterValue",
		actions: stsActions, others: strings.Fields(otherSTS),
	},
}

var iamActions = func() map[string]action {
	m := map[string]action{
		"CreateRole":                  {(*call).createRole, true},
		"GetRole":                     {(*call).getRole, true},
		"ListRoles":                   {(*call).listRoles, true},
		"DeleteRole":                  {(*call).deleteRole, false},
		"UpdateRole":                  {(*call).updateRole, true},
		"UpdateRoleDescription":       {(*call).updateRoleDescription, true},
		"UpdateAssumeRolePolicy":      {(*call).updateAssumeRolePolicy, false},
		"ListInstanceProfilesForRole": {(*call).listInstanceProfiles, true},
		"CreateUser":                  {(*call).createUser, true},
		"GetUser":                     {(*call).getUser, true},
		"ListUsers":                   {(*call).listUsers, true},
		"UpdateUser":                  {(*call).updateUser, false},
		"DeleteUser":                  {(*call).deleteUser, false},
		"CreateAccessKey":             {(*call).createAccessKey, true},
		"ListAccessKeys":              {(*call).listAccessKeys, true},
		"UpdateAccessKey":             {(*call).updateAccessKey, false},
		"DeleteAccessKey":             {(*call).deleteAccessKey, false},
		"GetAccessKeyLastUsed":        {(*call).getAccessKeyLastUsed, true},
		"ListGroupsForUser":           {(*call).listGroupsForUser, true},
		"CreateGroup":                 {(*call).createGroup, true},
		"GetGroup":                    {(*call).getGroup, true},
		"ListGroups":                  {(*call).listGroups, true},
		"UpdateGroup":                 {(*call).updateGroup, false},
		"DeleteGroup":                 {(*call).deleteGroup, false},
		"AddUserToGroup":              {(*call).addUserToGroup, false},
		"RemoveUserFromGroup":         {(*call).removeUserFromGroup, false},
		"CreatePolicy":                {(*call).createPolicy, true},
		"GetPolicy":                   {(*call).getPolicy, true},
		"ListPolicies":                {(*call).listPolicies, true},
		"DeletePolicy":                {(*call).deletePolicy, false},
		"CreatePolicyVersion":         {(*call).createPolicyVersion, true},
		"GetPolicyVersion":            {(*call).getPolicyVersion, true},
		"ListPolicyVersions":          {(*call).listPolicyVersions, true},
		"SetDefaultPolicyVersion":     {(*call).setDefaultPolicyVersion, false},
		"DeletePolicyVersion":         {(*call).deletePolicyVersion, false},
		"ListEntitiesForPolicy":       {(*call).listEntities, true},
		"ListOpenIDConnectProviders":  {(*call).listProviders, true},
		"GetAccountSummary":           {(*call).getAccountSummary, true},
		"SimulatePrincipalPolicy":     {(*call).simulatePrincipalPolicy, true},
		"SimulateCustomPolicy":        {(*call).simulateCustomPolicy, true},

		"GetContextKeysForPrincipalPolicy": {(*call).getContextKeysForPrincipalPolicy, true},
		"GetContextKeysForCustomPolicy":    {(*call).getContextKeysForCustomPolicy, true},
	}
	for _, k := range []identity.Kind{identity.UserKind, identity.GroupKind, identity.RoleKind} {
		maps.Copy(m, policyActions(k))
	}
	for _, k := range []identity.Kind{identity.UserKind, identity.RoleKind} {
		maps.Copy(m, tagActions(k))
	}
	return m
}()

var stsActions = map[string]action{
	"GetCallerIdentity": {(*call).getCallerIdentity, true},
	"AssumeRole":        {(*call).assumeRole, true},
	"GetSessionToken":   {(*call).getSessionToken, true},
	"GetAccessKeyInfo":  {(*call).getAccessKeyInfo, true},

	"GetFederationToken": {(*call).getFederationToken, true},

	"DecodeAuthorizationMessage": {(*call).decodeAuthorizationMessage, true},
}

// door serves both APIs.
type door struct {
	iam    *iam.Service
	region string
}

// New returns the door. region is the server's, for aws:RequestedRegion.
func New(identities *iam.Service, region string) http.Handler {
	return &door{identities, region}
}

// call is one request being answered.
type call struct {
	*door
	r      *http.Request
	api    *api
	caller *iam.Caller
	form   url.Values
	out    *wire.Document
	facts  map[string][]string // condition keys
}

// ServeHTTP answers one request.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := wire.RequestID(w)
	w.Header().Set("X-Amzn-Requestid", id)
	c := &call{door: d, r: r, api: apiOf(r)}
	name, a, err := c.begin()
	if err == nil {
		c.out = wire.NewDocument()
		c.out.OpenNS(name+"Response", c.api.namespace)
		err = c.result(name, a)
	}
	if err != nil {
		wire.WriteError(w, r, wire.Query, c.api.namespace, err)
		return
	}
	c.out.Open("ResponseMetadata")
	c.out.Text("RequestId", id)
	c.out.Close("ResponseMetadata")
	c.out.Close(name + "Response")
	_ = c.out.Send(w, http.StatusOK) // the client is gone; nobody to tell
}

// result writes the result element.
func (c *call) result(name string, a action) error {
	if !a.result {
		return a.run(c)
	}
	c.out.Open(name + "Result")
	err := a.run(c)
	c.out.Close(name + "Result")
	return err
}

// apiOf returns the API that a request is signed for; IAM if for neither.
func apiOf(r *http.Request) *api {
	service, _ := sigv4.ServiceOf(r)
	if a := apis[service]; a != nil {
		return a
	}
	return apis["iam"]
}

// begin finds out who calls and what for.
func (c *call) begin() (name string, a action, err error) {
	if c.caller, err = c.iam.Authenticate(c.r, c.api.service); err != nil {
		return "", a, err
	}
	if c.api.service == "iam" && c.caller.Temporary() {
		return "", a, fault.New(fault.Unknown, "InvalidClientTokenId", "The security token included in the request is invalid").
			WithHint("IAM takes no sessions but those of roles: use a lasting access key, or assume a role")
	}
	if c.form, err = wire.Form(c.r, maxBody); err != nil {
		return "", a, err
	}
	name = c.form.Get("Action")
	if name == "" {
		return "", a, fault.New(fault.Invalid, "MissingAction", "Missing Action").
			WithHint("send Action and Version, such as Action=ListRoles&Version=%s", c.api.version)
	}
	a, ok := c.api.actions[name]
	version := c.form.Get("Version")
	switch {
	case version == c.api.version && ok:
		return name, a, nil
	case version == c.api.version && slices.Contains(c.api.others, name):
		return "", a, fault.Newf(fault.Unsupported, "NotImplemented", "%s is not offered by this server.", name).
			WithHint("%s", c.api.offer())
	}
	return "", a, fault.Newf(fault.Invalid, "InvalidAction", "Could not find operation %s for version %s", name, version).
		WithHint("%s", c.api.offer())
}

// offer says which actions there are.
func (a *api) offer() string {
	names := make([]string, 0, len(a.actions))
	for name := range a.actions {
		names = append(names, name)
	}
	slices.Sort(names)
	return a.service + " has here, in version " + a.version + ": " + strings.Join(names, ", ")
}

// allow asks whether the caller may do action, of IAM, to resource.
func (c *call) allow(name, resource string) error {
	return c.iam.Authorize(c.caller, iam.Access{
		Action: "iam:" + name, Resource: resource, ResourceAccount: c.caller.Account, Context: c.context(),
	})
}

// allowCreate asks whether the caller may make a thing, such as a "Role", and
// give it its tags.
func (c *call) allowCreate(thing, resource string, tags map[string]string) error {
	if err := c.allow("Create"+thing, resource); err != nil || len(tags) == 0 {
		return err
	}
	return c.allow("Tag"+thing, resource)
}

// context returns the condition keys that the request gives.
func (c *call) context() map[string][]string {
	if c.facts == nil {
		c.facts = wire.Facts(c.r, c.region)
	}
	return c.facts
}

// know sets a condition key, unless there is no value.
func (c *call) know(key string, values ...string) {
	if len(values) > 0 && values[0] != "" {
		c.context()[key] = values
	}
}
