// Package cfnapi is the door of the CloudFormation API: AWS's query protocol,
// version 2010-05-15, for stacks and change sets. Every action is authorized
// on the stack's ARN, as on AWS; what the stack then does is authorized by the
// engine, in the caller's name.
//
// An action that AWS has and this server does not is answered with 501
// NotImplemented, one that AWS does not have with InvalidAction; a parameter
// that asks for what is not done here is refused, too.
package cfnapi

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/stack"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
)

const (
	version   = "2010-05-15"
	namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"

	maxBody = 1 << 20 // bytes of a request
)

// Config is what the door needs.
type Config struct {
	Stacks  *stack.Engine
	IAM     *iam.Service
	Store   *store.Store // where TemplateURL is looked up; nil: it is refused
	Region  string       // of this endpoint, such as "us-east-1"
	Domains []string     // hosts of this server that a TemplateURL may name, as they are or as BUCKET.DOMAIN
	Log     *slog.Logger // nil: slog.Default()
}

// action is one operation. run writes what stands in the result element.
type action struct {
	run    func(*call) error
	result bool // whether the answer has a result element
}

var actions = map[string]action{
	"CreateStack":                 {(*call).createStack, true},
	"UpdateStack":                 {(*call).updateStack, true},
	"DeleteStack":                 {(*call).deleteStack, false},
	"DescribeStacks":              {(*call).describeStacks, true},
	"ListStacks":                  {(*call).listStacks, true},
	"DescribeStackEvents":         {(*call).describeEvents, true},
	"DescribeStackResource":       {(*call).describeResource, true},
	"DescribeStackResources":      {(*call).describeResources, true},
	"ListStackResources":          {(*call).listResources, true},
	"ListExports":                 {(*call).listExports, true},
	"ListImports":                 {(*call).listImports, true},
	"GetTemplate":                 {(*call).getTemplate, true},
	"GetTemplateSummary":          {(*call).getTemplateSummary, true},
	"ValidateTemplate":            {(*call).validateTemplate, true},
	"CreateChangeSet":             {(*call).createChangeSet, true},
	"DescribeChangeSet":           {(*call).describeChangeSet, true},
	"ExecuteChangeSet":            {(*call).executeChangeSet, true},
	"DeleteChangeSet":             {(*call).deleteChangeSet, true},
	"ListChangeSets":              {(*call).listChangeSets, true},
	"UpdateTerminationProtection": {(*call).protect, true},
}

// door serves the API.
type door struct{ Config }

// New returns the door.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &door{c}
}

// call is one request being answered.
type call struct {
	*door
	r      *http.Request
	caller *iam.Caller
	form   url.Values
	out    *wire.Document
	facts  map[string][]string // condition keys
}

// ServeHTTP answers one request.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := wire.RequestID(w)
	w.Header().Set("X-Amzn-Requestid", id)
	c := &call{door: d, r: r}
	name, a, err := c.begin()
	if err == nil {
		c.out = wire.NewDocument()
		c.out.OpenNS(name+"Response", namespace)
		err = c.result(name, a)
	}
	if err != nil {
		if wire.Status(err) >= http.StatusInternalServerError && fault.KindOf(err) != fault.Unsupported {
			d.Log.ErrorContext(r.Context(), "request failed", "request", id, "action", name, "error", err)
		}
		wire.WriteError(w, r, wire.Query, namespace, err)
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

// begin finds out who calls and what for.
func (c *call) begin() (name string, a action, err error) {
	if c.caller, err = c.IAM.Authenticate(c.r, "cloudformation"); err != nil {
		return "", a, err
	}
	if c.form, err = wire.Form(c.r, maxBody); err != nil {
		return "", a, err
	}
	name = c.form.Get("Action")
	a, ok := actions[name]
	switch {
	case name == "":
		return "", a, fault.New(fault.Invalid, "MissingAction", "Missing Action").
			WithHint("send Action and Version, such as Action=DescribeStacks&Version=%s", version)
	case c.form.Get("Version") != version:
	case ok:
		return name, a, nil
	case slices.Contains(strings.Fields(otherActions), name):
		return "", a, fault.Newf(fault.Unsupported, "NotImplemented", "%s is not offered by this server.", name).WithHint("%s", offer())
	}
	return "", a, fault.Newf(fault.Invalid, "InvalidAction", "Could not find operation %s for version %s", name, c.form.Get("Version")).
		WithHint("%s", offer())
}

// offer says which actions there are.
func offer() string {
	return "CloudFormation has here, in version " + version + ": " + strings.Join(slices.Sorted(maps.Keys(actions)), ", ")
}

// allow asks whether the caller may do an action of CloudFormation to a stack,
// given by name or ARN; "*" is no stack in particular.
func (c *call) allow(name, target string) error {
	return c.IAM.Authorize(c.caller, iam.Access{
		Action: "cloudformation:" + name, Resource: c.resource(target), ResourceAccount: c.caller.Account, Context: c.context(),
	})
}

// resource returns the ARN of a stack. Of one that does not exist the last
// part is not known, and a star stands for it.
func (c *call) resource(target string) string {
	if target == "*" || strings.HasPrefix(target, "arn:") {
		return target
	}
	if s, err := c.Stacks.Stack(c.caller.Account, target); err == nil {
		return s.ID
	}
	return arn.ARN{
		Partition: "aws", Service: "cloudformation", Region: c.Region, Account: c.caller.Account,
		Resource: "stack/" + target + "/*",
	}.String()
}

// context returns the condition keys that the request gives.
func (c *call) context() map[string][]string {
	if c.facts == nil {
		c.facts = wire.Facts(c.r, c.Region)
	}
	return c.facts
}

// know sets a condition key, unless there is no value.
func (c *call) know(key string, values ...string) {
	if len(values) > 0 && values[0] != "" {
		c.context()[key] = values
	}
}
