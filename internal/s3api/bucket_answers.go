package s3api

import (
	"net/http"

	"twinbucket/fault"
	"twinbucket/internal/wire"
)

// Settings that buckets here do not have. Clients ask for them all the same,
// and get AWS's answer for "none".

// none answers that a bucket has no document of a kind.
func (c *call) none(action, code, message string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	return fault.New(fault.NotFound, code, message).On(c.name)
}

// plain answers with a document of one element, or an empty one.
func (c *call) plain(action, root, element, value string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	x := wire.NewDocument()
	x.OpenNS(root, namespace)
	x.Optional(element, value)
	x.Close(root)
	return c.send(x)
}

func (c *call) getLifecycle() error {
	return c.none("s3:GetLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
}

func (c *call) getCORS() error {
	return c.none("s3:GetBucketCORS", "NoSuchCORSConfiguration", "The CORS configuration does not exist")
}

func (c *call) getWebsite() error {
	return c.none("s3:GetBucketWebsite", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
}

func (c *call) getNotification() error {
	return c.plain("s3:GetBucketNotification", "NotificationConfiguration", "", "")
}

func (c *call) getLogging() error {
	return c.plain("s3:GetBucketLogging", "BucketLoggingStatus", "", "")
}

func (c *call) getAccelerate() error {
	return c.plain("s3:GetAccelerateConfiguration", "AccelerateConfiguration", "", "")
}

func (c *call) getRequestPayment() error {
	return c.plain("s3:GetBucketRequestPayment", "RequestPaymentConfiguration", "Payer", "BucketOwner")
}

// putNotification and putLogging take the empty document, which turns off
// what is not on.
func (c *call) putNotification() error {
	return c.putEmpty("s3:PutBucketNotification", "NotificationConfiguration", "event notifications are not offered")
}

func (c *call) putLogging() error {
	return c.putEmpty("s3:PutBucketLogging", "BucketLoggingStatus", "access logs are not offered")
}

func (c *call) putEmpty(action, root, hint string) error {
	var doc struct {
		Any []extra `xml:",any"`
	}
	if err := c.xml(root, &doc); err != nil {
		return err
	}
	if err := c.allow(action); err != nil {
		return err
	}
	if len(doc.Any) > 0 {
		return unsupported("%s", hint)
	}
	return c.empty(http.StatusOK)
}

func (c *call) putRequestPayment() error {
	var doc struct{ Payer string }
	if err := c.xml("RequestPaymentConfiguration", &doc); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketRequestPayment"); err != nil {
		return err
	}
	switch doc.Payer {
	case "BucketOwner":
		return c.empty(http.StatusOK)
	case "Requester":
		return unsupported("requesters do not pay here; Payer can be BucketOwner")
	}
	return wire.Malformed("Payer is BucketOwner or Requester")
}

// deleteNone answers the removal of a document that no bucket has.
func (c *call) deleteNone(action string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) deleteLifecycle() error { return c.deleteNone("s3:PutLifecycleConfiguration") }
func (c *call) deleteCORS() error      { return c.deleteNone("s3:PutBucketCORS") }
func (c *call) deleteWebsite() error   { return c.deleteNone("s3:DeleteBucketWebsite") }
