// Package grants reads the access control lists that requests give, in their
// headers or in an AccessControlPolicy document.
package grants

import (
	"net/http"
	"strings"

	"twinbucket/acl"
	"twinbucket/fault"
	"twinbucket/internal/wire"
)

// grantHeaders are the headers that grant, in AWS's order.
var grantHeaders = []struct {
	canon      string
	permission acl.Permission
}{
	{"X-Amz-Grant-Full-Control", acl.FullControl},
	{"X-Amz-Grant-Read", acl.Read},
	{"X-Amz-Grant-Read-Acp", acl.ReadACP},
	{"X-Amz-Grant-Write", acl.Write},
	{"X-Amz-Grant-Write-Acp", acl.WriteACP},
}

// Reader reads lists. What it is for and who grants to whom it is told.
type Reader struct {
	Owner       string // account id of who owns what the list is for
	BucketOwner string // of the bucket around it; "" for a bucket's own list
	// Known reports whether there is an account with a canonical user id.
	Known func(id string) bool
}

// Given reports whether headers give a list.
func Given(h http.Header) bool {
	for _, g := range grantHeaders {
		if len(h[g.canon]) > 0 {
			return true
		}
	}
	return len(h["X-Amz-Acl"]) > 0
}

// Headers returns the list that x-amz-acl or the x-amz-grant-* headers give, and
// whether there are any.
func (r Reader) Headers(h http.Header) (list acl.List, given bool, err error) {
	canned := h["X-Amz-Acl"]
	for _, g := range grantHeaders {
		for _, value := range h[g.canon] {
			if len(canned) > 0 {
				return nil, true, fault.New(fault.Invalid, "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
			}
			if list, err = r.add(list, value, g.permission); err != nil {
				return nil, true, err
			}
		}
	}
	if len(canned) == 0 {
		return list, list != nil, checkCount(list)
	}
	ids := [2]string{acl.CanonicalID(r.Owner)}
	if r.BucketOwner != "" {
		ids[1] = acl.CanonicalID(r.BucketOwner)
	}
	list, ok := acl.Canned(canned[0], ids[0], ids[1])
	if !ok {
		return nil, true, invalid("x-amz-acl", "").WithHint("there is no canned ACL %q", canned[0])
	}
	return list, true, nil
}

func checkCount(list acl.List) error {
	if len(list) > acl.MaxGrants {
		return malformedACL("a list has at most 100 grants")
	}
	return nil
}

// add reads the value of an x-amz-grant-* header: id="...", uri="..."
// and emailAddress="...", with commas between them.
func (r Reader) add(list acl.List, value string, p acl.Permission) (acl.List, error) {
	for part := range strings.SplitSeq(value, ",") {
		kind, who, ok := strings.Cut(strings.TrimSpace(part), "=")
		who = strings.Trim(strings.TrimSpace(who), `"`)
		var g acl.Grant
		var err error
		switch kind = strings.TrimSpace(kind); {
		case !ok:
			err = invalid(value, "Argument format not recognized")
		case strings.EqualFold(kind, "id"):
			g, err = r.account(who)
		case strings.EqualFold(kind, "uri"):
			g, err = grantGroup(who)
		case strings.EqualFold(kind, "emailAddress"):
			err = noEmail(who)
		default:
			err = invalid(value, "Argument format not recognized")
		}
		if err != nil {
			return nil, err
		}
		g.Permission = p
		list = append(list, g)
	}
	return list, nil
}

// account is a grant to the account with a canonical user id.
func (r Reader) account(id string) (acl.Grant, error) {
	if !r.Known(id) {
		return acl.Grant{}, invalid(id, "Invalid id").
			WithHint("no account here has this canonical user id; ListBuckets shows an account its own")
	}
	return acl.Grant{ID: id}, nil
}

func grantGroup(uri string) (acl.Grant, error) {
	if !acl.ValidGroup(uri) {
		return acl.Grant{}, invalid(uri, "Invalid group uri")
	}
	return acl.Grant{Group: uri}, nil
}

// noEmail is the answer to a grant by e-mail address: accounts have none.
func noEmail(address string) error {
	return fault.New(fault.Invalid, "UnresolvableGrantByEmailAddress", "The e-mail address you provided does not match any account on record.").
		On(address).WithHint("grant to the account's canonical user id: accounts have no e-mail addresses here")
}

func malformedACL(hint string) error {
	return fault.New(fault.Invalid, "MalformedACLError",
		"The XML you provided was not well-formed or did not validate against our published schema").WithHint("%s", hint)
}

// accessControlPolicy is the document of PutBucketAcl and PutObjectAcl.
type accessControlPolicy struct {
	Owner *struct{ ID string }
	List  *struct {
		Grant []struct {
			Grantee *struct {
				Type         string `xml:"type,attr"`
				ID           string
				URI          string
				EmailAddress string
			}
			Permission acl.Permission
		}
	} `xml:"AccessControlList"`
}

// Request returns the list that a request to set one gives, in its headers or
// its body.
func (r Reader) Request(h http.Header, body []byte) (acl.List, error) {
	list, given, err := r.Headers(h)
	switch {
	case given && len(body) > 0:
		return nil, fault.New(fault.Invalid, "UnexpectedContent", "This request does not support content").
			WithHint("give the list in the headers or in the body")
	case given || err != nil:
		return list, err
	case len(body) == 0:
		return nil, fault.New(fault.Invalid, "MissingSecurityHeader", "Your request was missing a required header").
			WithHint("x-amz-acl, x-amz-grant-* or an AccessControlPolicy document says what the list is to be")
	}
	var doc accessControlPolicy
	if err := wire.Decode(body, "AccessControlPolicy", &doc); err != nil {
		return nil, malformedACL(fault.HintOf(err))
	}
	if doc.Owner == nil || doc.Owner.ID == "" || doc.List == nil {
		return nil, malformedACL("AccessControlPolicy holds an Owner with its ID and an AccessControlList")
	}
	if doc.Owner.ID != acl.CanonicalID(r.Owner) {
		if _, err := r.account(doc.Owner.ID); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Denied, "AccessDenied", "Access Denied").
			WithHint("a list does not change who owns a bucket or object: Owner is another account")
	}
	return r.grants(&doc)
}

// grants reads the document's grants.
func (r Reader) grants(doc *accessControlPolicy) (acl.List, error) {
	list := acl.List{}
	for _, e := range doc.List.Grant {
		if e.Grantee == nil || !e.Permission.Valid() {
			return nil, malformedACL("each Grant holds a Grantee and a Permission")
		}
		var g acl.Grant
		var err error
		switch to := e.Grantee; {
		case to.Type == "CanonicalUser" && to.ID != "":
			g, err = r.account(to.ID)
		case to.Type == "Group" && to.URI != "":
			g, err = grantGroup(to.URI)
		case to.Type == "AmazonCustomerByEmail" && to.EmailAddress != "":
			err = noEmail(to.EmailAddress)
		default:
			err = malformedACL("a Grantee is a CanonicalUser with its ID, a Group with its URI or an AmazonCustomerByEmail with its EmailAddress")
		}
		if err != nil {
			return nil, err
		}
		g.Permission = e.Permission
		list = append(list, g)
	}
	return list, checkCount(list)
}

func invalid(argument, message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument", message).On(argument).With("ArgumentName", argument)
}
