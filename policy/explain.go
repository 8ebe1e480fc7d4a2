package policy

import (
	"fmt"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
)

// Fix is one change without which a request stays denied.
type Fix struct {
	Kind      SourceKind
	Account   string // in whose account
	Document  string // which document, for people
	Statement string // JSON of the statement to add; with Remove: of the one in the way
	Remove    bool   // a Deny has to go, or to exempt the request
	Which     string // with Remove: the statement's number and Sid
}

// String says what to do in one sentence.
func (f Fix) String() string {
	where := ""
	if f.Account != "" {
		where = "in account " + f.Account + ", "
	}
	if f.Remove {
		return fmt.Sprintf("%s%s denies it: change %s", where, f.Document, f.Statement)
	}
	return fmt.Sprintf("%sadd to %s: %s", where, f.Document, f.Statement)
}

// Fixes returns the smallest changes that together would allow r, which is the
// request that was decided; nil if it is allowed.
func (d Decision) Fixes(r *Request) []Fix {
	var out []Fix
	for _, m := range d.Matched {
		if m.Effect == Deny {
			out = append(out, Fix{
				Kind: m.Source.Kind, Account: m.Source.Account, Document: m.Source.Name, Remove: true,
				Statement: string(m.Source.Document.Statement(m.Statement)), Which: m.which(),
			})
		}
	}
	for _, kind := range d.lacking {
		f := Fix{Kind: kind, Statement: string(grant(r, kind))}
		f.Account, f.Document = d.place(r, kind)
		out = append(out, f)
	}
	return out
}

// which names the statement without telling what it says.
func (m *Match) which() string {
	which := fmt.Sprintf("statement %d", m.Statement+1)
	if m.Sid != "" {
		which += fmt.Sprintf(" (%q)", m.Sid)
	}
	return which
}

// place returns the account and the name of the document in which a statement
// of kind is missing.
func (d *Decision) place(r *Request, kind SourceKind) (account, name string) {
	for i := range d.sources {
		if s := &d.sources[i]; s.Kind == kind {
			return s.Account, s.Name
		}
	}
	switch kind {
	case ResourcePolicy, TrustPolicy:
		account = r.ResourceAccount
		if account == "" {
			account = r.Principal.Account
		}
		return account, "the policy of " + r.Resource
	}
	return r.Principal.Account, "a policy of " + r.Principal.Identity()
}

// grant returns the statement of a document of kind that allows r.
func grant(r *Request, kind SourceKind) []byte {
	s := statement{effect: Allow, actionTexts: []string{r.Action}}
	if kind == ResourcePolicy || kind == TrustPolicy {
		switch r.Principal.Type {
		case Anonymous:
			s.bare = true
		case ServicePrincipal:
			s.principals = []entry{{form: "Service", id: r.Principal.Service}}
		default:
			s.principals = []entry{{form: "AWS", id: r.Principal.Identity()}}
		}
	}
	if kind != TrustPolicy {
		s.resourceTexts = []string{cover(r.Resource)}
	}
	var p printer
	p.statement(&s)
	return p.Bytes()
}

// cover returns the resource to write in a statement: all objects of the
// bucket for an object, because keys come and go.
func cover(resource string) string {
	a, err := arn.Parse(resource)
	if err != nil {
		return "*"
	}
	bucket, _, object := strings.Cut(a.Resource, "/")
	if a.Service != "s3" || a.Account != "" || !object {
		return resource
	}
	a.Resource = bucket + "/*"
	return a.String()
}

// Err returns nil if the request is allowed, else fault.Denied AccessDenied
// with AWS's text and a hint that names every document to change, its account
// and the statement. What a statement of another account's document says is
// not for the caller, who could learn from it how to get around it; one who
// did not sign learns nothing but that.
func (d Decision) Err(r *Request) error {
	if d.Allowed {
		return nil
	}
	denied := fault.New(fault.Denied, "AccessDenied", d.text(r)).On(r.Resource)
	if r.Principal.Type == Anonymous {
		return denied.WithHint("the request is not signed, and what it asks for is not open to everybody: sign it with an access key")
	}
	fixes := d.Fixes(r)
	hints := make([]string, len(fixes))
	for i, f := range fixes {
		if f.Remove && r.strange(f.Account) {
			f.Statement = f.Which
		}
		hints[i] = f.String()
	}
	return denied.WithHint("%s", strings.Join(hints, "; "))
}

// strange reports whether the request comes from outside of an account. A
// service acts for the account that set it up.
func (r *Request) strange(account string) bool {
	return r.Principal.Type != ServicePrincipal && account != r.Principal.Account
}

// text is AWS's message (IAM User Guide, "Troubleshoot access denied error
// messages"). STS gives no reason, S3 puts resources in quotes, and IAM alone
// names "*".
func (d *Decision) text(r *Request) string {
	if r.Principal.Type == Anonymous {
		return "Access Denied"
	}
	who := r.Principal.ARN
	if r.Principal.Type == ServicePrincipal {
		who = r.Principal.Service
	}
	resource := ""
	switch {
	case r.Resource == "" || r.Resource == "*" && !strings.HasPrefix(r.Action, "iam:"):
	case strings.HasPrefix(r.Action, "s3:"):
		resource = ` on resource: "` + r.Resource + `"`
	default:
		resource = " on resource: " + r.Resource
	}
	text := "User: " + who + " is not authorized to perform: " + r.Action + resource
	if slices.ContainsFunc(d.sources, func(s Source) bool { return s.Kind == TrustPolicy }) {
		return text
	}
	for _, m := range d.Matched {
		if m.Effect == Deny {
			article := "a"
			if m.Source.Kind == IdentityPolicy {
				article = "an"
			}
			return text + " with an explicit deny in " + article + " " + m.Source.Kind.String()
		}
	}
	if len(d.Missing) > 0 {
		text += " because no " + d.Missing[0].String() + " allows the " + r.Action + " action"
	}
	return text
}
