package client

import (
	"context"
	"encoding/xml"
	"net/http"

	"twinbucket/acl"
)

// accessControlPolicy is an access control list as S3 sends it.
type accessControlPolicy struct {
	Owner  struct{ ID string }
	Grants []struct {
		Grantee    struct{ ID, URI string }
		Permission acl.Permission
	} `xml:"AccessControlList>Grant"`
}

// GetBucketACL returns the canonical user id of a bucket's owner, and what the
// bucket's list grants.
func (c *Client) GetBucketACL(ctx context.Context, name string) (owner string, list acl.List, err error) {
	return c.accessList(ctx, onBucket("GetBucketAcl", http.MethodGet, name, "acl"))
}

// GetObjectACL returns the canonical user id of a version's owner, and what its
// list grants.
func (c *Client) GetObjectACL(ctx context.Context, bucket, key, version string) (owner string, list acl.List, err error) {
	k := onObject("GetObjectAcl", http.MethodGet, bucket, key, version)
	k.query = append(k.query, "acl=")
	return c.accessList(ctx, k)
}

func (c *Client) accessList(ctx context.Context, k *call) (string, acl.List, error) {
	var p accessControlPolicy
	if err := c.fetch(ctx, k, &p); err != nil {
		return "", nil, err
	}
	list := make(acl.List, 0, len(p.Grants))
	for _, g := range p.Grants {
		list = append(list, acl.Grant{ID: g.Grantee.ID, Group: g.Grantee.URI, Permission: g.Permission})
	}
	return p.Owner.ID, list, nil
}

// PutObjectACL sets the list of a version, whose owner's canonical user id it
// has to name.
func (c *Client) PutObjectACL(ctx context.Context, bucket, key, version, owner string, list acl.List) error {
	type grantee struct {
		Type string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
		ID   string `xml:",omitempty"`
		URI  string `xml:",omitempty"`
	}
	type grant struct {
		Grantee    grantee
		Permission acl.Permission
	}
	p := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ AccessControlPolicy"`
		Owner   struct{ ID string }
		Grants  []grant `xml:"AccessControlList>Grant"`
	}{}
	p.Owner.ID = owner
	for _, g := range list {
		to := grantee{Type: "CanonicalUser", ID: g.ID}
		if g.Group != "" {
			to = grantee{Type: "Group", URI: g.Group}
		}
		p.Grants = append(p.Grants, grant{to, g.Permission})
	}
	k := onObject("PutObjectAcl", http.MethodPut, bucket, key, version)
	k.query = append(k.query, "acl=")
	k.document(p)
	return c.empty(ctx, k)
}
