package s3api

import (
	"slices"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// attributes are those that GetObjectAttributes can return.
var attributes = map[string]bool{"ETag": true, "Checksum": true, "ObjectParts": true, "StorageClass": true, "ObjectSize": true}

// getAttributes is GetObjectAttributes.
func (c *call) getAttributes() error {
	want := map[string]bool{}
	for _, line := range c.r.Header["X-Amz-Object-Attributes"] {
		for a := range strings.SplitSeq(line, ",") {
			switch a = strings.TrimSpace(a); {
			case attributes[a]:
				want[a] = true
			case a != "":
				return invalid("x-amz-object-attributes", "Invalid attribute name specified.")
			}
		}
	}
	if len(want) == 0 {
		return fault.New(fault.Invalid, "InvalidRequest", "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	o, err := c.find("s3:GetObject", "s3:GetObjectVersion")
	if err != nil {
		return err
	}
	if err := c.allowObject(versioned(c.query, "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes")); err != nil {
		return err
	}
	if err := c.refuseSSE(); err != nil {
		return err
	}
	if want["Checksum"] || want["ObjectParts"] {
		err = c.unlockBody(o, ofObject)
	} else {
		err = c.unlock(o, ofObject)
	}
	if err != nil {
		return err
	}
	c.showID(o.ID)
	c.showModified(&o.Version)
	x := wire.NewDocument()
	x.OpenNS("GetObjectAttributesResponse", namespace)
	if want["ETag"] {
		x.Text("ETag", o.ETag)
	}
	if want["Checksum"] && len(o.Checksums) > 0 {
		x.Open("Checksum")
		sums := slices.Clone(o.Checksums)
		for i := range sums { // a composite one stands here without its number of parts
			sums[i].Value, _, _ = strings.Cut(sums[i].Value, "-")
		}
		writeChecksums(x, sums)
		x.Text("ChecksumType", checksum.Type(&o.Checksums[0]))
		x.Close("Checksum")
	}
	if want["ObjectParts"] && len(o.Parts) > 0 {
		if err := c.writeParts(x, o.Parts); err != nil {
			return err
		}
	}
	if want["StorageClass"] {
		x.Text("StorageClass", o.ClassOf())
	}
	if want["ObjectSize"] {
		x.Int("ObjectSize", o.Size)
	}
	x.Close("GetObjectAttributesResponse")
	return c.send(x)
}

// writeParts writes the parts of an object: their number, and what each is if
// they have checksums, as S3 does.
func (c *call) writeParts(x *wire.Document, parts []object.Part) error {
	most, err := headerNumber(c.r.Header.Get("X-Amz-Max-Parts"), maxListed)
	if err != nil {
		return err
	}
	after, err := headerNumber(c.r.Header.Get("X-Amz-Part-Number-Marker"), 0)
	if err != nil {
		return err
	}
	most = min(most, maxListed)
	x.Open("ObjectParts")
	x.Int("PartsCount", int64(len(parts)))
	if len(parts[0].Checksums) > 0 {
		rest := parts
		for len(rest) > 0 && rest[0].Number <= after {
			rest = rest[1:]
		}
		page := rest[:min(most, len(rest))]
		x.Int("PartNumberMarker", int64(after))
		if len(page) > 0 {
			x.Int("NextPartNumberMarker", int64(page[len(page)-1].Number))
		}
		x.Int("MaxParts", int64(most))
		x.Bool("IsTruncated", len(page) < len(rest))
		for i := range page {
			x.Open("Part")
			x.Int("PartNumber", int64(page[i].Number))
			x.Int("Size", page[i].Size)
			writeChecksums(x, page[i].Checksums)
			x.Close("Part")
		}
	}
	x.Close("ObjectParts")
	return nil
}

// headerNumber reads a header that counts; other if it is empty.
func headerNumber(s string, other int) (int, error) {
	if s == "" {
		return other, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, invalid(s, "Provided value is not an integer or within integer range")
	}
	return int(n), nil
}
