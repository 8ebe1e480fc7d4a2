package s3api

import (
	"net/http"

	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// deleteObject is DeleteObject: a marker in a versioned bucket, the end of a
// version if one is named.
func (c *call) deleteObject() error {
	id, err := versionID(c.query)
	if err != nil {
		return err
	}
	if err := c.allowObject(versioned(c.query, "s3:DeleteObject", "s3:DeleteObjectVersion")); err != nil {
		return err
	}
	cond, err := c.deleteCondition()
	if err != nil {
		return err
	}
	d, err := c.store.DeleteWith(c.r.Context(), store.Deletion{
		Bucket: c.name, Key: c.key, ID: id, Owner: c.ownerOf(c.bucket), Bypass: id != "" && c.mayBypass(c.key), If: cond,
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

// deleteCondition returns the condition on which a delete depends. To compare
// an ETag is to read something of the object, and needs the right to.
func (c *call) deleteCondition() (object.Condition, error) {
	v := c.r.Header["If-Match"]
	if len(v) == 0 {
		return object.Condition{}, nil
	}
	cond, err := matchCondition(v[0])
	if err != nil || cond.Match == "*" {
		return cond, err
	}
	return cond, c.allowObject(versioned(c.query, "s3:GetObject", "s3:GetObjectVersion"))
}
