// Package client is a lean Go client of the APIs that Twinbucket serves: S3,
// S3 Control, IAM, STS and CloudFormation. It works against AWS where the API
// is the same.
//
//	c, err := client.New(client.Config{
//		Endpoint:    "http://127.0.0.1:9000", // "" for AWS
//		Region:      "us-east-1",
//		Credentials: client.Credentials{AccessKey: "AKIA...", Secret: "..."},
//	})
//	v, err := c.HeadObject(ctx, "bucket", "key", "")
//
// Methods are named as AWS's operations. They return *fault.Error with AWS's
// code and message and the server's hint; act on the kind:
//
//	if errors.Is(err, fault.NotFound) { ... }
//
// Calls that may be repeated safely are, a few times, when the server is busy
// or the connection breaks. Keys are sent and read back byte by byte as they
// are.
package client

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"twinbucket/fault"
)

// Credentials are an access key. Token is that of a session, "" for a
// long-lived key. The zero Credentials make anonymous requests.
type Credentials struct{ AccessKey, Secret, Token string }

// Config says where a Client sends its requests and as whom.
type Config struct {
	// Endpoint is the URL that serves all APIs, such as
	// "http://127.0.0.1:9000"; "" for AWS's own endpoints in Region. An
	// endpoint under amazonaws.com is used for S3 only.
	Endpoint    string
	Region      string // "" means us-east-1
	Credentials Credentials
	// HTTP makes the requests; nil means a client with settings of its own.
	// Redirects are never followed: a signature is for one host.
	HTTP *http.Client
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	region string
	cred   Credentials
	base   *url.URL // nil: AWS
	aws    bool     // AWS's own hosts
	http   *http.Client
	// offset is what to add to the local clock, in nanoseconds, learnt from a
	// server that refused a request for its time.
	offset *atomic.Int64
}

// New returns a Client. The error is Invalid if the endpoint is no URL.
func New(cfg Config) (*Client, error) {
	c := &Client{region: cfg.Region, cred: cfg.Credentials, aws: cfg.Endpoint == "", offset: new(atomic.Int64)}
	if c.region == "" {
		c.region = "us-east-1"
	}
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fault.Newf(fault.Invalid, "InvalidEndpoint", "%q is not an endpoint.", cfg.Endpoint).
				WithHint("an endpoint looks like http://127.0.0.1:9000 or https://s3.example.com")
		}
		u.Path = strings.TrimRight(u.Path, "/")
		c.base = u
		c.aws = strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn")
	}
	h := http.Client{Transport: defaultTransport()}
	if cfg.HTTP != nil {
		h = *cfg.HTTP
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &h
	return c, nil
}

// As returns a Client like c with other credentials; both share connections.
func (c *Client) As(cred Credentials) *Client {
	other := *c
	other.cred = cred
	return &other
}

// In returns a Client like c for another region; both share connections.
func (c *Client) In(region string) *Client {
	other := *c
	other.region = region
	return &other
}

// Region returns the region that requests are signed for.
func (c *Client) Region() string { return c.region }

// AWS reports whether requests go to AWS's own hosts.
func (c *Client) AWS() bool { return c.aws }

func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 64
	return t
}

// The services, as they are named in a signature's scope.
const (
	serviceS3             = "s3"
	serviceIAM            = "iam"
	serviceSTS            = "sts"
	serviceCloudFormation = "cloudformation"
	serviceTwinbucket     = "twinbucket" // what AWS has no API for
)

// endpoint returns the base URL of a call and the region to sign for. Control
// is the account of an S3 Control call, "" for others.
func (c *Client) endpoint(service, control string) (u url.URL, region string) {
	if !c.aws || (c.base != nil && service == serviceS3 && control == "") {
		return *c.base, c.region
	}
	u = url.URL{Scheme: "https", Host: service + "." + c.region + ".amazonaws.com"}
	switch {
	case control != "":
		u.Host = control + ".s3-control." + c.region + ".amazonaws.com"
	case service == serviceIAM:
		u.Host, region = "iam.amazonaws.com", "us-east-1"
		return u, region
	}
	return u, c.region
}

// private reports whether nobody listens in between here and u, so that a
// body need not be hashed for the signature.
func private(u *url.URL) bool {
	if u.Scheme == "https" || u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}
