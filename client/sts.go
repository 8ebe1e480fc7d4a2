package client

import (
	"context"
	"strconv"
	"time"
)

// Identity says who the caller is.
type Identity struct {
	Account string // 12 digits
	ARN     string
	UserID  string // "AROA...:session" of a role session
}

// GetCallerIdentity returns the owner of the client's credentials.
func (c *Client) GetCallerIdentity(ctx context.Context) (Identity, error) {
	var answer struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		Arn     string `xml:"GetCallerIdentityResult>Arn"`
		UserID  string `xml:"GetCallerIdentityResult>UserId"`
	}
	err := c.query(ctx, serviceSTS, "GetCallerIdentity", form{}, &answer)
	return Identity{answer.Account, answer.Arn, answer.UserID}, err
}

// AssumeRole says which role to assume and how.
type AssumeRole struct {
	RoleARN    string
	Session    string        // session name, 2 to 64 characters
	Duration   time.Duration // 0 means an hour
	Policy     string        // session policy, JSON; "" for none
	ExternalID string
}

// Session is a role session. Use Client.As with its Credentials.
type Session struct {
	Credentials Credentials
	Expires     time.Time
	ARN         string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	ID          string // "AROA...:session"
}

// AssumeRole begins a session of a role.
func (c *Client) AssumeRole(ctx context.Context, a AssumeRole) (*Session, error) {
	f := form{"RoleArn": a.RoleARN, "RoleSessionName": a.Session, "Policy": a.Policy, "ExternalId": a.ExternalID}
	if a.Duration > 0 {
		f["DurationSeconds"] = strconv.FormatInt(int64(a.Duration/time.Second), 10)
	}
	var answer struct {
		Result struct {
			Credentials struct {
				AccessKeyID     string `xml:"AccessKeyId"`
				SecretAccessKey string
				SessionToken    string
				Expiration      time.Time
			}
			AssumedRoleUser struct {
				AssumedRoleID string `xml:"AssumedRoleId"`
				Arn           string
			}
		} `xml:"AssumeRoleResult"`
	}
	if err := c.query(ctx, serviceSTS, "AssumeRole", f, &answer); err != nil {
		return nil, err
	}
	k, u := answer.Result.Credentials, answer.Result.AssumedRoleUser
	return &Session{Credentials{k.AccessKeyID, k.SecretAccessKey, k.SessionToken}, k.Expiration, u.Arn, u.AssumedRoleID}, nil
}
