package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
)

// keys reads an account's root keys from a server's credentials file.
func (s *server) keys(profile string) (aws.Credentials, error) {
	text, err := os.ReadFile(filepath.Join(s.data, "credentials"))
	if err != nil {
		return aws.Credentials{}, err
	}
	var c aws.Credentials
	_, section, _ := strings.Cut(string(text), "["+profile+"]\n")
	section, _, _ = strings.Cut(section, "[")
	for line := range strings.Lines(section) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " = "); key {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = value
		}
	}
	if c.SecretAccessKey == "" {
		return c, fmt.Errorf("no keys of %s in %q", profile, text)
	}
	return c, nil
}

// sdk returns the Go SDK's clients for an account. A request is tried once, so
// that what was acknowledged is known.
func (s *server) sdk(t *testing.T, profile string) (*s3.Client, *s3control.Client) {
	t.Helper()
	keys, err := s.keys(profile)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever the name of the host, the server is meant: S3 Control's clients
	// put the account id before it.
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.listen())
		},
		MaxIdleConnsPerHost: 64,
	}
	t.Cleanup(transport.CloseIdleConnections)
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })
	client := &http.Client{Transport: transport}
	return s3.New(s3.Options{
			Region: region, BaseEndpoint: &s.endpoint, UsePathStyle: true, Credentials: credentials, HTTPClient: client, RetryMaxAttempts: 1,
		}), s3control.New(s3control.Options{
			Region: region, BaseEndpoint: &s.endpoint, Credentials: credentials, HTTPClient: client, RetryMaxAttempts: 1,
		})
}

// put puts an object by the SDK and returns its version id.
func put(ctx context.Context, c *s3.Client, bucket, key string) (string, error) {
	out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(key))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}

// versions lists a bucket's versions as KEY VERSION.
func versions(ctx context.Context, c *s3.Client, bucket string) (map[string]bool, error) {
	out := make(map[string]bool)
	pages := s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			out[*v.Key+" "+*v.VersionId] = true
		}
	}
	return out, nil
}
