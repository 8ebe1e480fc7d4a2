package client

import (
	"context"
	"strconv"
	"time"
)

// Role is an IAM role as the API describes it.
type Role struct {
	Name        string
	Path        string // "" means "/"
	Trust       string // trust policy, JSON
	Description string
	MaxSession  time.Duration // 0 means an hour
	// Set by the server:
	ARN, ID  string
	Created  time.Time
	Boundary string // ARN of the permissions boundary; "" for none
	Tags     map[string]string
}

type roleDocument struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               time.Time
	AssumeRolePolicyDocument string
	Description              string
	MaxSessionDuration       int64
	Boundary                 string  `xml:"PermissionsBoundary>PermissionsBoundaryArn"`
	Tags                     tagList `xml:"Tags>member"`
}

func (d *roleDocument) role() (*Role, error) {
	trust, err := unescape(d.AssumeRolePolicyDocument, d.Arn)
	if err != nil {
		return nil, err
	}
	return &Role{
		Name: d.RoleName, Path: d.Path, Trust: trust, Description: d.Description,
		MaxSession: time.Duration(d.MaxSessionDuration) * time.Second, ARN: d.Arn, ID: d.RoleID, Created: d.CreateDate,
		Boundary: d.Boundary, Tags: d.Tags.tags(),
	}, nil
}

// CreateRole makes a role: Name, Path, Trust, Description and MaxSession.
func (c *Client) CreateRole(ctx context.Context, r Role) (*Role, error) {
	f := form{"RoleName": r.Name, "Path": r.Path, "AssumeRolePolicyDocument": r.Trust, "Description": r.Description}
	if r.MaxSession > 0 {
		f["MaxSessionDuration"] = strconv.FormatInt(int64(r.MaxSession/time.Second), 10)
	}
	var answer struct {
		Role roleDocument `xml:"CreateRoleResult>Role"`
	}
	if err := c.query(ctx, serviceIAM, "CreateRole", f, &answer); err != nil {
		return nil, err
	}
	return answer.Role.role()
}

// GetRole describes a role. Error if there is none: NotFound, NoSuchEntity.
func (c *Client) GetRole(ctx context.Context, name string) (*Role, error) {
	var answer struct {
		Role roleDocument `xml:"GetRoleResult>Role"`
	}
	if err := c.query(ctx, serviceIAM, "GetRole", form{"RoleName": name}, &answer); err != nil {
		return nil, err
	}
	return answer.Role.role()
}

// DeleteRole removes a role that has no policies any more.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	return c.query(ctx, serviceIAM, "DeleteRole", form{"RoleName": name}, nil)
}

// PutRolePolicy sets an inline policy, JSON, of a role.
func (c *Client) PutRolePolicy(ctx context.Context, role, name, document string) error {
	return c.query(ctx, serviceIAM, "PutRolePolicy", form{"RoleName": role, "PolicyName": name, "PolicyDocument": document}, nil)
}

// DeleteRolePolicy removes an inline policy of a role.
func (c *Client) DeleteRolePolicy(ctx context.Context, role, name string) error {
	return c.query(ctx, serviceIAM, "DeleteRolePolicy", form{"RoleName": role, "PolicyName": name}, nil)
}
