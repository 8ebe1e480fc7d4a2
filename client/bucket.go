package client

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"slices"
	"time"

	"twinbucket/bucket"
)

// CreateBucket makes a bucket in the client's region.
func (c *Client) CreateBucket(ctx context.Context, name string) error {
	k := onBucket("CreateBucket", http.MethodPut, name, "")
	if c.region != "us-east-1" {
		k.document(struct {
			XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CreateBucketConfiguration"`
			LocationConstraint string
		}{LocationConstraint: c.region})
	}
	return c.empty(ctx, k)
}

// HeadBucket returns nil if the bucket exists and may be listed.
func (c *Client) HeadBucket(ctx context.Context, name string) error {
	return c.empty(ctx, onBucket("HeadBucket", http.MethodHead, name, ""))
}

// HeadBucketOf is HeadBucket that fails with Denied unless the bucket belongs
// to an account: x-amz-expected-bucket-owner.
func (c *Client) HeadBucketOf(ctx context.Context, name, account string) error {
	k := onBucket("HeadBucket", http.MethodHead, name, "")
	k.set("X-Amz-Expected-Bucket-Owner", account)
	return c.empty(ctx, k)
}

// BucketRegion returns the region of a bucket, whoever owns it. Error if there
// is no such bucket: NotFound.
func (c *Client) BucketRegion(ctx context.Context, name string) (string, error) {
	k := onBucket("HeadBucket", http.MethodHead, name, "")
	region := ""
	k.seen = func(h http.Header) { region = h.Get("X-Amz-Bucket-Region") }
	err := c.empty(ctx, k)
	if region != "" {
		return region, nil // whether it may be looked at or not
	}
	return c.region, err
}

// DeleteBucket removes an empty bucket.
func (c *Client) DeleteBucket(ctx context.Context, name string) error {
	return c.empty(ctx, onBucket("DeleteBucket", http.MethodDelete, name, ""))
}

// ListBuckets returns the caller's buckets: name, region if known, and time.
func (c *Client) ListBuckets(ctx context.Context) ([]bucket.Bucket, error) {
	return c.listBuckets(ctx, "")
}

// OwnsBucket reports whether the caller's account has a bucket of that name.
func (c *Client) OwnsBucket(ctx context.Context, name string) (bool, error) {
	list, err := c.listBuckets(ctx, name)
	return slices.ContainsFunc(list, func(b bucket.Bucket) bool { return b.Name == name }), err
}

func (c *Client) listBuckets(ctx context.Context, prefix string) ([]bucket.Bucket, error) {
	var list []bucket.Bucket
	for token := ""; ; {
		k := &call{op: "s3.ListBuckets", service: serviceS3, method: http.MethodGet, path: "/"}
		k.param("prefix", prefix)
		k.param("continuation-token", token)
		var page struct {
			Buckets []struct {
				Name         string
				BucketRegion string
				CreationDate time.Time
			} `xml:"Buckets>Bucket"`
			ContinuationToken string
		}
		if err := c.fetch(ctx, k, &page); err != nil {
			return nil, err
		}
		for _, b := range page.Buckets {
			list = append(list, bucket.Bucket{Name: b.Name, Region: b.BucketRegion, Created: b.CreationDate})
		}
		if page.ContinuationToken == "" || page.ContinuationToken == token {
			return list, nil
		}
		token = page.ContinuationToken
	}
}

// PutBucketVersioning sets the bucket's versioning to Enabled or Suspended.
func (c *Client) PutBucketVersioning(ctx context.Context, name string, status bucket.Versioning) error {
	k := onBucket("PutBucketVersioning", http.MethodPut, name, "versioning")
	k.document(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
		Status  bucket.Versioning
	}{Status: status})
	return c.empty(ctx, k)
}

// GetBucketVersioning returns the bucket's versioning.
func (c *Client) GetBucketVersioning(ctx context.Context, name string) (bucket.Versioning, error) {
	var v struct{ Status bucket.Versioning }
	err := c.fetch(ctx, onBucket("GetBucketVersioning", http.MethodGet, name, "versioning"), &v)
	return v.Status, err
}

// PutBucketPolicy sets the bucket's policy, JSON.
func (c *Client) PutBucketPolicy(ctx context.Context, name string, policy []byte) error {
	k := onBucket("PutBucketPolicy", http.MethodPut, name, "policy")
	k.set("Content-Type", "application/json")
	k.payload(policy)
	return c.empty(ctx, k)
}

// GetBucketPolicy returns the bucket's policy, JSON. Error if there is none:
// NotFound, NoSuchBucketPolicy.
func (c *Client) GetBucketPolicy(ctx context.Context, name string) ([]byte, error) {
	return c.raw(ctx, onBucket("GetBucketPolicy", http.MethodGet, name, "policy"))
}

// DeleteBucketPolicy removes the bucket's policy.
func (c *Client) DeleteBucketPolicy(ctx context.Context, name string) error {
	return c.empty(ctx, onBucket("DeleteBucketPolicy", http.MethodDelete, name, "policy"))
}

// PutBucketReplication sets the bucket's replication configuration, the XML
// document ReplicationConfiguration.
func (c *Client) PutBucketReplication(ctx context.Context, name string, configuration []byte) error {
	k := onBucket("PutBucketReplication", http.MethodPut, name, "replication")
	k.set("Content-Type", "application/xml")
	k.payload(configuration)
	return c.empty(ctx, k)
}

// GetBucketReplication returns the bucket's replication configuration, XML.
// Error if there is none: NotFound, ReplicationConfigurationNotFoundError.
func (c *Client) GetBucketReplication(ctx context.Context, name string) ([]byte, error) {
	return c.raw(ctx, onBucket("GetBucketReplication", http.MethodGet, name, "replication"))
}

// DeleteBucketReplication removes the bucket's replication configuration.
func (c *Client) DeleteBucketReplication(ctx context.Context, name string) error {
	return c.empty(ctx, onBucket("DeleteBucketReplication", http.MethodDelete, name, "replication"))
}

// GetBucketDocument returns a settings document of the bucket as the server
// sends it. Error if there is none: NotFound.
func (c *Client) GetBucketDocument(ctx context.Context, name string, d bucket.Document) ([]byte, error) {
	return c.raw(ctx, onBucket("GetBucket "+string(d), http.MethodGet, name, string(d)))
}

// PutBucketDocument sets a settings document of the bucket, XML.
func (c *Client) PutBucketDocument(ctx context.Context, name string, d bucket.Document, content []byte) error {
	k := onBucket("PutBucket "+string(d), http.MethodPut, name, string(d))
	k.set("Content-Type", "application/xml")
	k.payload(content)
	return c.empty(ctx, k)
}

// raw makes a call and returns its answer as it is.
func (c *Client) raw(ctx context.Context, k *call) (data []byte, err error) {
	err = c.do(ctx, k, func(resp *http.Response) error {
		data, err = readAnswer(resp)
		return err
	})
	return bytes.TrimSpace(data), err
}
