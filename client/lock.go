package client

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"time"

	"twinbucket/fault"
	"twinbucket/object"
)

// legalHold is a legal hold as S3 sends and takes it.
type legalHold struct {
	XMLName xml.Name `xml:"LegalHold"`
	Status  string
}

// GetObjectRetention returns the mode and time of a version's retention; a
// version without one has neither.
func (c *Client) GetObjectRetention(ctx context.Context, bucket, key, version string) (object.Lock, error) {
	k := onObject("GetObjectRetention", http.MethodGet, bucket, key, version)
	k.query = append(k.query, "retention=")
	var r struct {
		Mode            string
		RetainUntilDate time.Time
	}
	err := unlocked(c.fetch(ctx, k, &r))
	return object.Lock{Mode: r.Mode, Until: r.RetainUntilDate}, err
}

// GetObjectLegalHold returns a version's legal hold: Hold, or Released if one
// was turned off.
func (c *Client) GetObjectLegalHold(ctx context.Context, bucket, key, version string) (object.Lock, error) {
	k := onObject("GetObjectLegalHold", http.MethodGet, bucket, key, version)
	k.query = append(k.query, "legal-hold=")
	var h legalHold
	err := unlocked(c.fetch(ctx, k, &h))
	return hold(h.Status), err
}

// PutObjectLegalHold turns a version's legal hold on or off.
func (c *Client) PutObjectLegalHold(ctx context.Context, bucket, key, version string, on bool) error {
	k := onObject("PutObjectLegalHold", http.MethodPut, bucket, key, version)
	k.query = append(k.query, "legal-hold=")
	h := legalHold{Status: "OFF"}
	if on {
		h.Status = "ON"
	}
	k.document(h)
	return c.empty(ctx, k)
}

// hold reads the status of a legal hold.
func hold(status string) object.Lock {
	return object.Lock{Hold: status == "ON", Released: status == "OFF"}
}

// unlocked makes no error of one which says that a version has no lock.
func unlocked(err error) error {
	if errors.Is(err, fault.NotFound) && fault.CodeOf(err) == "NoSuchObjectLockConfiguration" {
		return nil
	}
	return err
}
