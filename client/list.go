package client

import (
	"context"
	"encoding/xml"
	"iter"
	"net/http"
	"strconv"
	"time"

	"twinbucket/fault"
	"twinbucket/object"
)

// List says which objects to list.
type List struct {
	Prefix, Delimiter string
	StartAfter        string // keys after this one
	Token             string // Page.Next of the page before
	Max               int    // keys a page, 0 for 1,000
}

// Page is a page of a listing of current versions. A version has what the
// listing tells: Key, Modified, Size, ETag and Class.
type Page struct {
	Objects  []object.Version
	Prefixes []string // what Delimiter rolled up
	Next     string   // token of the next page, "" on the last
}

// entry is an object, a version or a delete marker of a listing.
type entry struct {
	XMLName      xml.Name
	Key          string
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified time.Time
	ETag         string
	Size         int64
	StorageClass string
	Owner        struct{ ID string }
}

func (e *entry) version(bucket string) object.Version {
	return object.Version{
		Bucket: bucket, Key: e.Key, ID: e.VersionID, Marker: e.XMLName.Local == "DeleteMarker", Modified: e.LastModified,
		Owner: e.Owner.ID, Size: e.Size, ETag: unquote(e.ETag), Class: e.StorageClass,
	}
}

type prefix struct{ Prefix string }

func prefixes(encoding string, list []prefix) ([]string, error) {
	var out []string
	for _, p := range list {
		if err := decode(encoding, &p.Prefix); err != nil {
			return nil, err
		}
		out = append(out, p.Prefix)
	}
	return out, nil
}

// ListObjectsV2 returns one page of a bucket's current objects, sorted by
// key.
func (c *Client) ListObjectsV2(ctx context.Context, bucket string, l List) (*Page, error) {
	k := onBucket("ListObjectsV2", http.MethodGet, bucket, "")
	k.query = append(k.query, "list-type=2", "encoding-type=url")
	k.param("prefix", l.Prefix)
	k.param("delimiter", l.Delimiter)
	k.param("start-after", l.StartAfter)
	k.param("continuation-token", l.Token)
	if l.Max > 0 {
		k.param("max-keys", strconv.Itoa(l.Max))
	}
	var answer struct {
		EncodingType          string
		IsTruncated           bool
		NextContinuationToken string
		Contents              []entry
		CommonPrefixes        []prefix
	}
	if err := c.fetch(ctx, k, &answer); err != nil {
		return nil, err
	}
	p := &Page{}
	for i := range answer.Contents {
		e := &answer.Contents[i]
		if err := decode(answer.EncodingType, &e.Key); err != nil {
			return nil, c.fault(k, err)
		}
		p.Objects = append(p.Objects, e.version(bucket))
	}
	var err error
	if p.Prefixes, err = prefixes(answer.EncodingType, answer.CommonPrefixes); err != nil {
		return nil, c.fault(k, err)
	}
	if answer.IsTruncated {
		if p.Next = answer.NextContinuationToken; p.Next == "" || p.Next == l.Token {
			return nil, c.fault(k, stuck())
		}
	}
	return p, nil
}

// stuck is the error for a listing that would go on for ever.
func stuck() *fault.Error {
	return fault.New(fault.Damaged, "", "The server's listing does not go on: it says that there is more and not where.")
}

// Objects lists all current objects, page by page. The sequence ends after
// an error.
func (c *Client) Objects(ctx context.Context, bucket string, l List) iter.Seq2[*object.Version, error] {
	return func(yield func(*object.Version, error) bool) {
		for {
			p, err := c.ListObjectsV2(ctx, bucket, l)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range p.Objects {
				if !yield(&p.Objects[i], nil) {
					return
				}
			}
			if p.Next == "" {
				return
			}
			l.Token = p.Next
		}
	}
}

// ListVersions says which versions to list.
type ListVersions struct {
	Prefix, Delimiter   string
	KeyMarker, IDMarker string // NextKey and NextID of the page before
	Max                 int    // versions a page, 0 for 1,000
}

// Listed is a version in a listing.
type Listed struct {
	object.Version
	Latest bool // the key's current version
}

// VersionsPage is a page of a listing of versions: by key, the newest first.
type VersionsPage struct {
	Versions        []Listed // delete markers among them
	Prefixes        []string
	More            bool
	NextKey, NextID string // where the next page begins, if More
}

// ListObjectVersions returns one page of a bucket's versions.
func (c *Client) ListObjectVersions(ctx context.Context, bucket string, l ListVersions) (*VersionsPage, error) {
	k := onBucket("ListObjectVersions", http.MethodGet, bucket, "versions")
	k.query = append(k.query, "encoding-type=url")
	k.param("prefix", l.Prefix)
	k.param("delimiter", l.Delimiter)
	k.param("key-marker", l.KeyMarker)
	k.param("version-id-marker", l.IDMarker)
	if l.Max > 0 {
		k.param("max-keys", strconv.Itoa(l.Max))
	}
	var answer struct {
		EncodingType        string
		IsTruncated         bool
		NextKeyMarker       string
		NextVersionIDMarker string `xml:"NextVersionIdMarker"`
		CommonPrefixes      []prefix
		Entries             []entry `xml:",any"` // in the order of the listing
	}
	if err := c.fetch(ctx, k, &answer); err != nil {
		return nil, err
	}
	p := &VersionsPage{More: answer.IsTruncated, NextKey: answer.NextKeyMarker, NextID: answer.NextVersionIDMarker}
	for i := range answer.Entries {
		e := &answer.Entries[i]
		if n := e.XMLName.Local; n != "Version" && n != "DeleteMarker" {
			continue
		}
		if err := decode(answer.EncodingType, &e.Key); err != nil {
			return nil, c.fault(k, err)
		}
		p.Versions = append(p.Versions, Listed{e.version(bucket), e.IsLatest})
	}
	err := decode(answer.EncodingType, &p.NextKey)
	if err == nil {
		p.Prefixes, err = prefixes(answer.EncodingType, answer.CommonPrefixes)
	}
	if err == nil && p.More && (p.NextKey == "" || p.NextKey == l.KeyMarker && p.NextID == l.IDMarker) {
		err = stuck()
	}
	if err != nil {
		return nil, c.fault(k, err)
	}
	return p, nil
}

// Versions lists all versions and delete markers, page by page. The sequence
// ends after an error.
func (c *Client) Versions(ctx context.Context, bucket string, l ListVersions) iter.Seq2[*Listed, error] {
	return func(yield func(*Listed, error) bool) {
		for {
			p, err := c.ListObjectVersions(ctx, bucket, l)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range p.Versions {
				if !yield(&p.Versions[i], nil) {
					return
				}
			}
			if !p.More {
				return
			}
			l.KeyMarker, l.IDMarker = p.NextKey, p.NextID
		}
	}
}
