package iam

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/sigv4"
	"twinbucket/policy"
)

// Caller is who makes a request: a principal and what limits its session.
type Caller struct {
	policy.Principal
	Session  []policy.Source // session policies; none: the session is not limited
	Verified *sigv4.Verified // the request's signature; nil if it has none
	// Transitive are the tags that a session begun by this caller takes over.
	Transitive map[string]string
}

// Temporary reports whether c is a user or root user with what GetSessionToken
// gave, or a federated user.
func (c *Caller) Temporary() bool {
	return c.Type == policy.FederatedUser || (c.Type == policy.RootUser || c.Type == policy.User) && c.Verified != nil && c.Verified.Token != ""
}

// globals are the services whose signatures are for us-east-1 wherever they
// are.
var globals = []string{"iam", "sts"}

const globalRegion = "us-east-1"

// Authenticate finds out who signed a request to service: "s3", "iam", "sts"
// or "cloudformation". A request to S3 without a signature is Anonymous; the
// other services refuse it.
//
// Errors have the codes of the service. S3: InvalidAccessKeyId, InvalidToken,
// ExpiredToken, AuthorizationHeaderMalformed for another service or region,
// and those of sigv4. Others: MissingAuthenticationToken,
// InvalidClientTokenId, ExpiredToken, IncompleteSignature,
// SignatureDoesNotMatch.
func (s *Service) Authenticate(r *http.Request, service string) (*Caller, error) {
	c, err := s.authenticate(r, service)
	if err != nil && service != "s3" {
		return nil, queryError(r, err, s.now())
	}
	return c, err
}

func (s *Service) authenticate(r *http.Request, service string) (*Caller, error) {
	claim, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	if claim == nil {
		if service == "s3" {
			sigv4.Join(r.Header)
			return &Caller{}, nil
		}
		return nil, fault.New(fault.Unknown, "MissingAuthenticationToken", "Request is missing Authentication Token").
			WithHint("sign the request for service %s", service)
	}
	return s.identify(r, claim, service)
}

// AuthenticateForm finds out who signed the policy of an HTML form sent to S3.
// field looks a field up by its name in lower case. A form without a signature
// is Anonymous. Errors are those of Authenticate for S3, and InvalidArgument
// for fields that are missing or malformed.
func (s *Service) AuthenticateForm(field func(name string) (value string, ok bool)) (*Caller, error) {
	claim, err := sigv4.ParseForm(field)
	if err != nil {
		return nil, err
	}
	if claim == nil {
		return &Caller{}, nil
	}
	return s.identify(nil, claim, "s3")
}

// identify finds out who made a claim, and whether it holds.
func (s *Service) identify(r *http.Request, claim *sigv4.Claim, service string) (*Caller, error) {
	if err := s.checkScope(claim, service); err != nil {
		return nil, err
	}
	c, secret, err := s.claimed(claim)
	if err != nil {
		return nil, err
	}
	c.Verified, err = claim.Verify(r, secret, s.now())
	if err != nil {
		return nil, err
	}
	return c, nil
}

// checkScope checks that a signature is for this service in this region; one
// of Version 2 says no region.
func (s *Service) checkScope(claim *sigv4.Claim, service string) error {
	scope := claim.Scope()
	if scope.Service != service {
		if service != "s3" {
			return fault.Newf(fault.Unknown, "SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'. ", service)
		}
		return claim.Refuse(fmt.Sprintf("incorrect service %q. This endpoint belongs to %q.", scope.Service, service))
	}
	if s.region == "" || scope.Region == "" || scope.Region == s.region || scope.Region == globalRegion && slices.Contains(globals, service) {
		return nil
	}
	hint := "set the client's region to " + s.region
	if service != "s3" {
		return fault.New(fault.Unknown, "SignatureDoesNotMatch", "Credential should be scoped to a valid region. ").WithHint("%s", hint)
	}
	return claim.Refuse(fmt.Sprintf("the region '%s' is wrong; expecting '%s'", scope.Region, s.region)).
		WithHint("%s", hint).With("Region", s.region)
}

// claimed returns the principal that owns the access key of a claim, and the
// secret its signature is to be checked with.
func (s *Service) claimed(claim *sigv4.Claim) (*Caller, string, error) {
	if !strings.HasPrefix(claim.AccessKey(), temporaryPrefix) {
		p, secret, err := s.owner(claim)
		if err == nil && claim.Token() != "" {
			err = badToken("the key is a long-lived one, which has no session token")
		}
		return &Caller{Principal: p}, secret, err
	}
	if claim.Token() == "" {
		return nil, "", unknownKey(claim, "%s is the key of a session and needs its session token (aws_session_token)", claim.AccessKey())
	}
	t, err := s.open(claim.Token())
	if err != nil {
		return nil, "", err
	}
	if t.AccessKey != claim.AccessKey() {
		return nil, "", badToken("the session token belongs to another access key")
	}
	if !s.now().Before(t.Expires) {
		return nil, "", fault.New(fault.Unknown, "ExpiredToken", "The provided token has expired.").
			WithHint("the session ended at %s: assume the role again", t.Expires.UTC().Format(time.RFC3339))
	}
	p, err := s.principal(t)
	if err != nil {
		return nil, "", err
	}
	return &Caller{Principal: p, Session: s.limits(t), Transitive: t.transitive()}, t.Secret, nil
}

// owner returns whose a long-lived access key is, a root user's or a user's,
// and its secret.
func (s *Service) owner(claim *sigv4.Claim) (policy.Principal, string, error) {
	s.mu.RLock()
	a, k := s.byKey[claim.AccessKey()], s.userKey[claim.AccessKey()]
	s.mu.RUnlock()
	switch {
	case a != nil:
		secret, err := secretOf(claim, a.Keys, "the root user of account "+a.Name)
		return a.root(), secret, err
	case k != nil:
		secret, err := secretOf(claim, k.user.Keys, "user "+k.user.Name)
		return k.user.Principal(), secret, err
	}
	return policy.Principal{}, "", unknownKey(claim, "no account and no user here has the key %s; the keys of accounts are in the file credentials of the data directory", claim.AccessKey())
}

// secretOf returns the secret of a claim's access key, which is one of keys
// and has to be active; owner says whose they are.
func secretOf(claim *sigv4.Claim, keys identity.Keys, owner string) (string, error) {
	i, err := keys.Find(claim.AccessKey())
	if err != nil || keys[i].Inactive {
		return "", unknownKey(claim, "the key of %s is inactive: turn it on with UpdateAccessKey", owner)
	}
	return keys[i].Secret, nil
}

func unknownKey(claim *sigv4.Claim, hint string, args ...any) error {
	return fault.New(fault.Unknown, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.").
		WithHint(hint, args...).With("AWSAccessKeyId", claim.AccessKey())
}

func badToken(hint string, args ...any) error {
	return fault.New(fault.Unknown, "InvalidToken", "The provided token is malformed or otherwise invalid.").WithHint(hint, args...)
}

// queryError rewrites an error of authentication, which speaks as S3 does, in
// the words of IAM, STS and CloudFormation.
func queryError(r *http.Request, err error, now time.Time) error {
	e := &fault.Error{Kind: fault.KindOf(err), Hint: fault.HintOf(err), Err: err}
	switch fault.CodeOf(err) {
	case "InvalidAccessKeyId", "InvalidToken":
		e.Code, e.Message = "InvalidClientTokenId", "The security token included in the request is invalid."
	case "ExpiredToken":
		e.Code, e.Message = "ExpiredToken", "The security token included in the request is expired"
	case "RequestTimeTooSkewed":
		e.Code, e.Message = "SignatureDoesNotMatch", skewText(r.Header.Get("X-Amz-Date"), now)
	case "SignatureDoesNotMatch":
		if e.Message = fault.MessageOf(err); strings.HasPrefix(e.Message, "The request signature") {
			e.Message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
		}
		e.Code = "SignatureDoesNotMatch"
	case "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError":
		e.Code, e.Message = "IncompleteSignature", fault.MessageOf(err)
	default:
		return err
	}
	return e
}

// skewText says that a signature of the given time is too old or too new.
func skewText(signed string, now time.Time) string {
	const layout = "20060102T150405Z"
	at, err := time.Parse(layout, signed)
	if err == nil && at.After(now) {
		return "Signature not yet current: " + signed + " is still later than " + now.Add(sigv4.MaxSkew).UTC().Format(layout) +
			" (" + now.UTC().Format(layout) + " + 15 min.)"
	}
	return "Signature expired: " + signed + " is now earlier than " + now.Add(-sigv4.MaxSkew).UTC().Format(layout) +
		" (" + now.UTC().Format(layout) + " - 15 min.)"
}
