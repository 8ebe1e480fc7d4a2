package s3api

import (
	"encoding/base64"
	"encoding/json"

	"twinbucket/internal/wire"
	"twinbucket/object"
)

// showDeliveries answers the request header of the same name, which
// "twinbucket explain" sends: where a version goes, how far that is, and why it
// failed, as JSON in base64. A replica whose own changes go there is said to be
// one: its status does not tell. It is for the account that owns the bucket.
func (c *call) showDeliveries(v *object.Version) {
	const name = "X-Twinbucket-Deliveries"
	if len(v.Deliveries) == 0 || c.r.Header.Get(name) == "" || c.caller.Account != c.bucket.Owner {
		return
	}
	if data, err := json.Marshal(v.Deliveries); err == nil {
		wire.Set(c.h, name, base64.StdEncoding.EncodeToString(data))
	}
	if v.Returning {
		wire.Set(c.h, "X-Twinbucket-Returning", "true")
	}
}
