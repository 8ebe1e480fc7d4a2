package client

import (
	"context"
	"net/http"
	"strconv"

	"twinbucket/object"
)

// Attributes are the parts of which a multipart object was put together.
type Attributes struct {
	PartsCount int
	// Parts have a number and a size. S3 tells them only of objects whose
	// parts have checksums.
	Parts []object.Part
}

// GetObjectAttributes returns the parts of a version.
func (c *Client) GetObjectAttributes(ctx context.Context, bucket, key, version string) (*Attributes, error) {
	all := new(Attributes)
	for after := 0; ; {
		k := onObject("GetObjectAttributes", http.MethodGet, bucket, key, version)
		k.query = append(k.query, "attributes=")
		k.set("X-Amz-Object-Attributes", "ObjectParts")
		k.set("X-Amz-Part-Number-Marker", strconv.Itoa(after))
		var answer struct {
			ObjectParts struct {
				TotalPartsCount      int `xml:"PartsCount"`
				IsTruncated          bool
				NextPartNumberMarker int
				Parts                []struct {
					PartNumber int
					Size       int64
				} `xml:"Part"`
			}
		}
		if err := c.fetch(ctx, k, &answer); err != nil {
			return nil, err
		}
		page := &answer.ObjectParts
		all.PartsCount = page.TotalPartsCount
		for _, p := range page.Parts {
			all.Parts = append(all.Parts, object.Part{Number: p.PartNumber, Size: p.Size})
		}
		if !page.IsTruncated {
			return all, nil
		}
		if page.NextPartNumberMarker <= after {
			return nil, c.fault(k, stuck())
		}
		after = page.NextPartNumberMarker
	}
}
