package s3api

import (
	"encoding/xml"
	"net/http"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/setting"
)

// kept is a settings document that is checked, stored and given back as AWS
// does it, with what AWS calls it.
type kept struct {
	name        bucket.Document
	get, put    string // actions
	remove      string // the action of DELETE, where that is offered
	digest      bool   // a PUT needs Content-MD5 or a checksum
	none        string // the code of the fault that there is none; "": that is no fault
	noneMessage string
	// empty is the answer where there is none and that is no fault.
	empty string
	// asked, if not nil, is asked whether a document may be stored that is valid.
	asked func(*call, *setting.Document) error
	// told answers PUT with a word on what the document does not do here.
	told func(*call, *setting.Document)
}

var (
	keptCORS = kept{
		name: bucket.CORS, get: "s3:GetBucketCORS", put: "s3:PutBucketCORS", remove: "s3:PutBucketCORS", digest: true,
		none: "NoSuchCORSConfiguration", noneMessage: "The CORS configuration does not exist",
	}
	keptWebsite = kept{
		name: bucket.Website, get: "s3:GetBucketWebsite", put: "s3:PutBucketWebsite", remove: "s3:DeleteBucketWebsite",
		none: "NoSuchWebsiteConfiguration", noneMessage: "The specified bucket does not have a website configuration",
		told: func(c *call, _ *setting.Document) {
			c.hint("the website configuration is stored; there is no website endpoint here to serve it")
		},
	}
	keptNotification = kept{
		name: bucket.Notification, get: "s3:GetBucketNotification", put: "s3:PutBucketNotification",
		empty: "<NotificationConfiguration xmlns=\"" + namespace + "\"></NotificationConfiguration>",
		asked: (*call).checkDestinations,
		told: func(c *call, d *setting.Document) {
			if d.ToEventBridge() {
				c.hint("the configuration is stored; there is no EventBridge here, and nothing is sent to it")
			}
		},
	}
	keptLogging = kept{
		name: bucket.Logging, get: "s3:GetBucketLogging", put: "s3:PutBucketLogging",
		empty: "<BucketLoggingStatus xmlns=\"" + namespace + "\"></BucketLoggingStatus>",
		told: func(c *call, d *setting.Document) {
			if !d.Empty() {
				c.hint("the logging status is stored; access logs are not written yet")
			}
		},
	}
	keptPayment = kept{
		name: bucket.RequestPayment, get: "s3:GetBucketRequestPayment", put: "s3:PutBucketRequestPayment",
		empty: "<RequestPaymentConfiguration xmlns=\"" + namespace + "\"><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
	}
	keptAcceleration = kept{
		name: bucket.Accelerate, get: "s3:GetAccelerateConfiguration", put: "s3:PutAccelerateConfiguration",
		empty: "<AccelerateConfiguration xmlns=\"" + namespace + "\"></AccelerateConfiguration>",
		told: func(c *call, _ *setting.Document) {
			c.hint("the setting is stored; there is no accelerated endpoint here, all requests go to this one")
		},
	}
)

// answer gives the document back.
func (k *kept) answer(c *call) error {
	if err := c.allow(k.get); err != nil {
		return err
	}
	doc := c.bucket.Documents[k.name]
	switch {
	case doc != nil:
		return c.stored("application/xml", doc)
	case k.none != "":
		return fault.New(fault.NotFound, k.none, k.noneMessage).On(c.name)
	}
	return c.stored("application/xml", []byte(xml.Header+k.empty))
}

// store checks and stores the document of the request. One that is empty
// turns the setting off.
func (k *kept) store(c *call) error {
	if err := c.allow(k.put); err != nil {
		return err
	}
	d, err := c.setting(k.name, k.digest)
	if err != nil {
		return err
	}
	if k.asked != nil {
		if err := k.asked(c, d); err != nil {
			return err
		}
	}
	// The other buckets are looked up where the document is stored.
	err = c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		if err := d.Check(b, c.destination); err != nil {
			return err
		}
		if d.Empty() {
			delete(b.Documents, k.name)
		} else {
			b.Documents[k.name] = d.XML()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if k.told != nil {
		k.told(c, d)
	}
	return c.empty(http.StatusOK)
}

// delete removes the document.
func (k *kept) delete(c *call) error { return c.deleteDocument(k.name, k.remove) }

// setting reads the settings document in the request's body.
func (c *call) setting(name bucket.Document, digest bool) (*setting.Document, error) {
	d, err := c.digests()
	if err != nil {
		return nil, err
	}
	if digest && !d.Given() {
		return nil, missingDigest()
	}
	data, err := c.read(int64(setting.Limit(name)), d)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fault.New(fault.Invalid, "MissingRequestBodyError", "Request Body is empty")
	}
	return setting.Parse(name, data)
}

// missingDigest is AWS's answer where a body has to be protected and is not.
func missingDigest() error {
	return fault.New(fault.Invalid, "InvalidRequest", "Missing required header for this request: Content-MD5").
		WithHint("any x-amz-checksum-* header will do as well")
}

// hint tells the client, in an answer that is no error, what it may not expect.
func (c *call) hint(text string) { wire.Set(c.h, wire.HintHeader, text) }
