package s3api

import (
	"net"
	"strings"

	"twinbucket/bucket"
	"twinbucket/internal/event"
	"twinbucket/internal/wire"
	"twinbucket/policy"
	"twinbucket/setting"
)

// originate has what the request makes happen in its bucket say who asked, if
// somebody may be to be told.
func (c *call) originate(how event.How) {
	if c.bucket.Documents[bucket.Notification] != nil {
		c.r = c.r.WithContext(event.With(c.r.Context(), c.origin(how)))
	}
}

// origin is who asks, as the records of events have it.
func (c *call) origin(how event.How) event.Origin {
	o := event.Origin{Principal: "AWS:" + c.caller.UserID, Request: wire.RequestID(c.w), Host: wire.HostID(c.h), How: how}
	switch c.caller.Type {
	case policy.RootUser:
		o.Principal = c.caller.Account
	case policy.Anonymous:
		o.Principal = "Anonymous"
	}
	if ip, _, err := net.SplitHostPort(c.r.RemoteAddr); err == nil {
		o.Address = ip
	}
	return o
}

// checkDestinations asks whether the destinations of a notification document
// are there, unless the request says not to.
func (c *call) checkDestinations(d *setting.Document) error {
	const name = "x-amz-skip-destination-validation"
	switch v := c.r.Header.Get(name); strings.ToLower(v) { // older clients in Python send True
	case "true":
		return d.Check(c.bucket, c.destination)
	case "", "false":
	default:
		return invalid(name, "x-amz-skip-destination-validation must be true or false").With("ArgumentValue", v)
	}
	if err := d.Check(c.bucket, c.destination); err != nil {
		return err
	}
	return c.events.Check(event.With(c.r.Context(), c.origin(event.ByPut)), c.bucket, d)
}
