package s3api

import (
	"bytes"
	"net/http"
	"slices"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/setting"
)

// Limits of the configurations of one kind that a bucket has. All are part of
// the bucket, so their bytes count too.
const (
	maxConfigurations     = 1000
	maxConfigurationBytes = 2 << 20
	configurationPage     = 100
)

// numbered is a kind of configuration of which a bucket has many, each with
// an id.
type numbered struct {
	name     bucket.Document
	get, put string // actions; put is that of DELETE too
	list     string // the root element of a listing
	idle     string // what AWS would do by it, and is not done here; "" if it is
}

var (
	inventories = &numbered{
		bucket.Inventory, "s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration",
		"ListInventoryConfigurationsResult", "",
	}
	analyses = &numbered{
		bucket.Analytics, "s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration",
		"ListBucketAnalyticsConfigurationsResult", "storage classes are not analysed",
	}
	metrics = &numbered{
		bucket.Metrics, "s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration",
		"ListMetricsConfigurationsResult", "there are no request metrics",
	}
	tierings = &numbered{
		bucket.IntelligentTiering, "s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration",
		"ListBucketIntelligentTieringConfigurationsOutput", "objects do not move between tiers",
	}
)

func (k *numbered) missing(c *call) error {
	return fault.New(fault.NotFound, "NoSuchConfiguration", "The specified configuration does not exist.").On(c.name)
}

// answer gives one configuration back, or lists them if the request names
// none.
func (k *numbered) answer(c *call) error {
	if err := c.allow(k.get); err != nil {
		return err
	}
	if !c.query.Has("id") {
		return k.listAll(c)
	}
	doc := c.bucket.Documents[k.name.WithID(c.query.Get("id"))]
	if doc == nil {
		return k.missing(c)
	}
	return c.stored("application/xml", doc)
}

// listAll lists a page of the configurations, by their ids.
func (k *numbered) listAll(c *call) error {
	token, continued := c.query.Lookup("continuation-token")
	after := ""
	if continued {
		var err error
		if after, err = wire.ReadToken(token); err != nil {
			return err
		}
	}
	ids := c.bucket.IDs(k.name)
	from, found := slices.BinarySearch(ids, after)
	if found {
		from++
	}
	page := ids[from:min(from+configurationPage, len(ids))]
	var b bytes.Buffer
	for _, id := range page {
		d, err := setting.Parse(k.name, c.bucket.Documents[k.name.WithID(id)])
		if err != nil {
			return err
		}
		b.Write(d.Element())
	}
	x := wire.NewDocument()
	x.OpenNS(k.list, namespace)
	if continued {
		x.Text("ContinuationToken", token)
	}
	x.Raw(b.Bytes())
	more := from+len(page) < len(ids)
	x.Bool("IsTruncated", more)
	if more {
		x.Text("NextContinuationToken", wire.Token(page[len(page)-1]))
	}
	x.Close(k.list)
	return c.send(x)
}

// store puts one configuration.
func (k *numbered) store(c *call) error {
	d, malformed := c.setting(k.name, false)
	if malformed == nil {
		if fields := d.OptionalFields(); len(fields) > 0 {
			c.know("s3:inventoryaccessibleoptionalfields", fields...)
		}
	}
	if err := c.allow(k.put); err != nil {
		return err
	}
	id := c.query.Get("id")
	if err := setting.CheckID(id); err != nil {
		return err
	}
	if malformed != nil {
		return malformed
	}
	if err := d.Unsupported(); err != nil {
		return err
	}
	if d.ID() != id {
		return fault.New(fault.Invalid, "IdMismatch", "Document ID does not match the specified configuration ID.").On(id).
			WithHint("the Id in the document is %q and the id in the request %q", d.ID(), id)
	}
	err := c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		b.Documents[k.name.WithID(id)] = d.XML()
		return k.checkAmount(b)
	})
	if err != nil {
		return err
	}
	if k.idle != "" {
		c.hint("the configuration is stored; " + k.idle + " here")
	}
	return c.empty(http.StatusOK)
}

// checkAmount refuses a bucket that has too many configurations of the kind.
func (k *numbered) checkAmount(b *bucket.Bucket) error {
	ids := b.IDs(k.name)
	size := 0
	for _, id := range ids {
		size += len(b.Documents[k.name.WithID(id)])
	}
	if len(ids) > maxConfigurations || size > maxConfigurationBytes {
		return fault.New(fault.Invalid, "TooManyConfigurations",
			"You are attempting to create a new configuration but have already reached the 1,000-configuration limit.").On(b.Name).
			WithHint("a bucket has at most %d configurations of a kind, of %d bytes together", maxConfigurations, maxConfigurationBytes)
	}
	return nil
}

// delete removes one configuration.
func (k *numbered) delete(c *call) error {
	if err := c.allow(k.put); err != nil {
		return err
	}
	name := k.name.WithID(c.query.Get("id"))
	if c.bucket.Documents[name] == nil {
		return k.missing(c)
	}
	return c.setDocument(name, nil, http.StatusNoContent)
}
