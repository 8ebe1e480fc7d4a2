package s3api

import (
	"net/http"

	"twinbucket/fault"
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

func (c *call) getLifecycle() error {
	return c.none("s3:GetLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
}

// deleteNone answers the removal of a document that no bucket has.
func (c *call) deleteNone(action string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) deleteLifecycle() error { return c.deleteNone("s3:PutLifecycleConfiguration") }
