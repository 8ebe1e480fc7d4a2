package s3api

import (
	"net/http"

	"twinbucket/internal/store"
	"twinbucket/internal/wire"
)

// deleteObject is DeleteObject: a marker in a versioned bucket, the end of a
// version if one is named.
func (c *call) deleteObject() error {
	id, err := c.query.versionID()
	if err != nil {
		return err
	}
	if err := c.allowObject(versioned(c.query, "s3:DeleteObject", "s3:DeleteObjectVersion")); err != nil {
		return err
	}
	if len(c.r.Header["If-Match"]) > 0 {
		return unsupported("conditional deletes are not offered; delete the version by its id")
	}
	d, err := c.store.DeleteWith(c.r.Context(), store.Deletion{
		Bucket: c.name, Key: c.key, ID: id, Owner: c.ownerOf(c.bucket), Bypass: id != "" && c.mayBypass(c.key),
	})
	if err != nil {
		return err
	}
	if d.Marker {
		wire.Set(c.h, "x-amz-delete-marker", "true")
	}
	c.showID(d.ID)
	return c.empty(http.StatusNoContent)
}
