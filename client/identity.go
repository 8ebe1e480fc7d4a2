package client

import (
	"context"
	"encoding/xml"
	"net/url"

	"twinbucket/fault"
	"twinbucket/identity"
)

// User is an IAM user as the API describes it.
type User struct {
	Name, Path, ARN, ID string
	Boundary            string // ARN of the permissions boundary; "" for none
	Tags                map[string]string
}

// Attached is a managed policy that an identity has.
type Attached struct {
	Name string `xml:"PolicyName"`
	ARN  string `xml:"PolicyArn"`
}

// tagList is a list of tags as IAM writes it.
type tagList []struct{ Key, Value string }

func (l tagList) tags() map[string]string {
	if len(l) == 0 {
		return nil
	}
	tags := make(map[string]string, len(l))
	for _, t := range l {
		tags[t.Key] = t.Value
	}
	return tags
}

// GetUser describes a user. Error if there is none: NotFound, NoSuchEntity.
func (c *Client) GetUser(ctx context.Context, name string) (*User, error) {
	var answer struct {
		User struct {
			Path, UserName, Arn string
			UserID              string  `xml:"UserId"`
			Boundary            string  `xml:"PermissionsBoundary>PermissionsBoundaryArn"`
			Tags                tagList `xml:"Tags>member"`
		} `xml:"GetUserResult>User"`
	}
	if err := c.query(ctx, serviceIAM, "GetUser", form{"UserName": name}, &answer); err != nil {
		return nil, err
	}
	u := answer.User
	return &User{u.UserName, u.Path, u.Arn, u.UserID, u.Boundary, u.Tags.tags()}, nil
}

// InlinePolicies returns the names of the inline policies of a role, user or
// group: IAM's ListRolePolicies and its like.
func (c *Client) InlinePolicies(ctx context.Context, k identity.Kind, name string) (names []string, err error) {
	err = c.pages(ctx, "List"+k.Word()+"Policies", k, name, func(p *listing) { names = append(names, p.Names...) })
	return names, err
}

// AttachedPolicies returns the managed policies of a role, user or group: IAM's
// ListAttachedRolePolicies and its like.
func (c *Client) AttachedPolicies(ctx context.Context, k identity.Kind, name string) (list []Attached, err error) {
	err = c.pages(ctx, "ListAttached"+k.Word()+"Policies", k, name, func(p *listing) { list = append(list, p.Attached...) })
	return list, err
}

// ListGroupsForUser returns the names of a user's groups.
func (c *Client) ListGroupsForUser(ctx context.Context, user string) (names []string, err error) {
	err = c.pages(ctx, "ListGroupsForUser", identity.UserKind, user, func(p *listing) { names = append(names, p.Groups...) })
	return names, err
}

// listing is a page of any listing of what an identity has.
type listing struct {
	Names     []string   `xml:"PolicyNames>member"`
	Attached  []Attached `xml:"AttachedPolicies>member"`
	Groups    []string   `xml:"Groups>member>GroupName"`
	Truncated bool       `xml:"IsTruncated"`
	Marker    string
}

// pages reads all pages of what a listing says of an identity.
func (c *Client) pages(ctx context.Context, action string, k identity.Kind, name string, use func(*listing)) error {
	for marker := ""; ; {
		var answer struct {
			Results []struct {
				XMLName xml.Name
				listing
			} `xml:",any"`
		}
		f := form{k.Word() + "Name": name, "Marker": marker}
		if err := c.query(ctx, serviceIAM, action, f, &answer); err != nil {
			return err
		}
		next := ""
		for i := range answer.Results {
			if r := &answer.Results[i]; r.XMLName.Local == action+"Result" {
				use(&r.listing)
				if r.Truncated {
					next = r.Marker
				}
			}
		}
		if next == "" || next == marker {
			return nil
		}
		marker = next
	}
}

// InlinePolicy returns an inline policy, JSON, of a role, user or group: IAM's
// GetRolePolicy and its like. Error if there is none: NotFound, NoSuchEntity.
func (c *Client) InlinePolicy(ctx context.Context, k identity.Kind, name, policy string) (string, error) {
	var answer struct {
		Results []struct{ PolicyDocument string } `xml:",any"`
	}
	if err := c.query(ctx, serviceIAM, "Get"+k.Word()+"Policy", form{k.Word() + "Name": name, "PolicyName": policy}, &answer); err != nil {
		return "", err
	}
	for _, r := range answer.Results {
		if r.PolicyDocument != "" {
			return unescape(r.PolicyDocument, policy)
		}
	}
	return "", fault.New(fault.Damaged, "", "The server's answer holds no policy.").On(policy)
}

// ManagedPolicy returns the default version of a managed policy, JSON: IAM's
// GetPolicy and GetPolicyVersion. Error if there is none: NotFound,
// NoSuchEntity.
func (c *Client) ManagedPolicy(ctx context.Context, policyARN string) (string, error) {
	var described struct {
		Version string `xml:"GetPolicyResult>Policy>DefaultVersionId"`
	}
	if err := c.query(ctx, serviceIAM, "GetPolicy", form{"PolicyArn": policyARN}, &described); err != nil {
		return "", err
	}
	var answer struct {
		Document string `xml:"GetPolicyVersionResult>PolicyVersion>Document"`
	}
	if err := c.query(ctx, serviceIAM, "GetPolicyVersion", form{"PolicyArn": policyARN, "VersionId": described.Version}, &answer); err != nil {
		return "", err
	}
	return unescape(answer.Document, policyARN)
}

// unescape decodes a policy as IAM's answers carry it.
func unescape(document, thing string) (string, error) {
	text, err := url.PathUnescape(document)
	if err != nil {
		return "", fault.New(fault.Damaged, "", "The server's answer holds a policy that is not encoded right.").On(thing)
	}
	return text, nil
}
