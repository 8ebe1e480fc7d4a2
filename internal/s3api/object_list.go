package s3api

import (
	"strconv"
	"strings"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/internal/checksum"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/markup"
	"twinbucket/object"
)

// namespace is that of S3's documents.
const namespace = markup.Namespace

// maxListed is how much one page of a listing holds.
const maxListed = 1000

// listing is what the listings of a bucket have in common.
type listing struct {
	*wire.Document
	prefix, delimiter string
	most              int
	encoded           bool                        // encoding-type=url
	called            func(account string) string // its name
	sole              string                      // the account that owns everything, if one does
	owners            map[string][2]string        // canonical id and name by account
}

// listing reads prefix, delimiter, encoding-type and the parameter that limits
// the page, and tells the condition keys of them.
func (c *call) listing(limit string) (*listing, error) {
	l := &listing{prefix: c.query.Get("prefix"), delimiter: c.query.Get("delimiter"), called: c.iam.AccountName}
	if c.bucket.OwnerEnforced() {
		l.sole = c.bucket.Owner
	}
	switch v := c.query.Get("encoding-type"); v {
	case "":
	case "url":
		l.encoded = true
	default:
		return nil, invalid("encoding-type", "Invalid Encoding Method specified in Request")
	}
	var err error
	if l.most, err = c.query.Number(limit, maxListed, maxListed); err != nil {
		return nil, err
	}
	if v, ok := c.query.Lookup("prefix"); ok {
		c.know("s3:prefix", v)
	}
	if v, ok := c.query.Lookup("delimiter"); ok {
		c.know("s3:delimiter", v)
	}
	if v := c.query.Get("max-keys"); v != "" {
		c.know("s3:max-keys", v)
	}
	return l, nil
}

// name writes a key, prefix or delimiter, encoded if the client asks for it.
func (l *listing) name(element, value string) {
	if l.encoded {
		value = wire.EncodeKey(value)
	}
	l.Text(element, value)
}

// nameIf is name unless value is empty.
func (l *listing) nameIf(element, value string) {
	if value != "" {
		l.name(element, value)
	}
}

// prefixes writes the common prefixes.
func (l *listing) prefixes(prefixes []string) {
	for _, p := range prefixes {
		l.Open("CommonPrefixes")
		l.name("Prefix", p)
		l.Close("CommonPrefixes")
	}
}

// owner writes the account that owns something.
func (l *listing) owner(element, account string) {
	if l.sole != "" {
		account = l.sole
	}
	l.account(element, account)
}

// initiator writes who began an upload: a role session by its ARN.
func (l *listing) initiator(u *store.Upload) {
	who, err := arn.Parse(u.Initiator)
	switch session, ok := strings.CutPrefix(who.Resource, "assumed-role/"); {
	case ok:
		writeOwner(l.Document, "Initiator", u.Initiator, session)
	case err == nil:
		l.account("Initiator", who.Account)
	default:
		l.account("Initiator", u.Owner)
	}
}

// account writes an account as S3 shows owners.
func (l *listing) account(element, account string) {
	o, known := l.owners[account]
	if !known {
		o = [2]string{acl.CanonicalID(account), l.called(account)}
		if l.owners == nil {
			l.owners = make(map[string][2]string, 1)
		}
		l.owners[account] = o
	}
	writeOwner(l.Document, element, o[0], o[1])
}

// writeOwner writes an account: its canonical id, and its name.
func writeOwner(x *wire.Document, element, id, name string) {
	x.Open(element)
	x.Text("ID", id)
	x.Text("DisplayName", name)
	x.Close(element)
}

// listObjects is ListObjects and ListObjectsV2.
func (c *call) listObjects() error {
	l, err := c.listing("max-keys")
	if err != nil {
		return err
	}
	second := false
	if v, ok := c.query.Lookup("list-type"); ok {
		if v != "2" {
			return invalid("list-type", "Invalid List Type specified in Request")
		}
		second = true
	}
	o := store.ListOptions{Prefix: l.prefix, Delimiter: l.delimiter, Max: l.most}
	token := ""
	if second {
		o.After = c.query.Get("start-after")
		if v, ok := c.query.Lookup("continuation-token"); ok {
			token = v
			if v != "" {
				if o.After, err = wire.ReadToken(v); err != nil {
					return err
				}
			}
		}
	} else {
		o.After = c.query.Get("marker")
	}
	if err := c.allow("s3:ListBucket"); err != nil {
		return err
	}
	page := &store.Page{}
	if o.Max > 0 {
		if page, err = c.store.List(c.r.Context(), c.name, o); err != nil {
			return err
		}
	}
	l.Document = wire.NewDocument()
	l.OpenNS("ListBucketResult", namespace)
	l.Text("Name", c.name)
	l.name("Prefix", l.prefix)
	if second {
		c.writeV2(l, page, token)
	} else {
		c.writeV1(l, page)
	}
	l.prefixes(page.Prefixes)
	l.Close("ListBucketResult")
	return c.send(l.Document)
}

func (c *call) writeV1(l *listing, page *store.Page) {
	l.name("Marker", c.query.Get("marker"))
	// Without a delimiter the last key is the marker; a page that is cut short
	// may have none.
	if page.Truncated && (l.delimiter != "" || len(page.Objects) < l.most) {
		l.name("NextMarker", page.Next)
	}
	c.writePage(l, page, true)
}

func (c *call) writeV2(l *listing, page *store.Page, token string) {
	l.nameIf("StartAfter", c.query.Get("start-after"))
	if c.query.Has("continuation-token") {
		l.Text("ContinuationToken", token)
	}
	if page.Truncated {
		l.Text("NextContinuationToken", wire.Token(page.Next))
	}
	l.Int("KeyCount", int64(len(page.Objects)+len(page.Prefixes)))
	c.writePage(l, page, c.query.Get("fetch-owner") == "true")
}

// writePage writes what both versions of the listing share.
func (c *call) writePage(l *listing, page *store.Page, owners bool) {
	l.Int("MaxKeys", int64(l.most))
	l.nameIf("Delimiter", l.delimiter)
	if l.encoded {
		l.Text("EncodingType", "url")
	}
	l.Bool("IsTruncated", page.Truncated)
	for _, o := range page.Objects {
		l.Open("Contents")
		l.name("Key", o.Key)
		l.content(&o.Version)
		if owners {
			l.owner("Owner", o.Owner)
		}
		l.Text("StorageClass", o.ClassOf())
		l.Close("Contents")
	}
}

// content writes what all listings say of a version with a body.
func (l *listing) content(v *object.Version) {
	l.Time("LastModified", v.Modified)
	l.Quoted("ETag", v.ETag)
	for i := range v.Checksums {
		l.Text("ChecksumAlgorithm", v.Checksums[i].Algorithm)
		l.Text("ChecksumType", checksum.Type(&v.Checksums[i]))
	}
	l.Int("Size", v.Size)
}

// listVersions is ListObjectVersions.
func (c *call) listVersions() error {
	if v := c.query.Get("max-keys"); strings.HasPrefix(v, "-") {
		return invalid("maxKeys", "max-keys cannot be negative").With("ArgumentValue", v)
	}
	l, err := c.listing("max-keys")
	if err != nil {
		return err
	}
	o := store.VersionsOptions{
		Prefix: l.prefix, Delimiter: l.delimiter, Max: l.most,
		AfterKey: c.query.Get("key-marker"), AfterID: c.query.Get("version-id-marker"),
	}
	if c.query.Has("version-id-marker") {
		if o.AfterKey == "" {
			return invalid("version-id-marker", "A version-id marker cannot be specified without a key marker.")
		}
		if o.AfterID != "" && object.CheckID(o.AfterID) != nil {
			return invalid("version-id-marker", "Invalid version id specified")
		}
	}
	if err := c.allow("s3:ListBucketVersions"); err != nil {
		return err
	}
	page := &store.VersionsPage{}
	if o.Max > 0 {
		if page, err = c.store.ListVersions(c.r.Context(), c.name, o); err != nil {
			return err
		}
	}
	l.Document = wire.NewDocument()
	l.OpenNS("ListVersionsResult", namespace)
	l.Text("Name", c.name)
	l.name("Prefix", l.prefix)
	l.name("KeyMarker", o.AfterKey)
	l.Text("VersionIdMarker", o.AfterID)
	if page.Truncated {
		l.name("NextKeyMarker", page.NextKey)
		l.Optional("NextVersionIdMarker", page.NextID)
	}
	l.Int("MaxKeys", int64(l.most))
	l.nameIf("Delimiter", l.delimiter)
	if l.encoded {
		l.Text("EncodingType", "url")
	}
	l.Bool("IsTruncated", page.Truncated)
	for _, v := range page.Versions {
		l.version(&v.Version, v.Latest)
	}
	l.prefixes(page.Prefixes)
	l.Close("ListVersionsResult")
	return c.send(l.Document)
}

// version writes a version or delete marker.
func (l *listing) version(v *object.Version, latest bool) {
	element := "Version"
	if v.Marker {
		element = "DeleteMarker"
	}
	l.Open(element)
	l.name("Key", v.Key)
	l.Text("VersionId", v.ID)
	l.Bool("IsLatest", latest)
	if v.Marker {
		l.Time("LastModified", v.Modified)
		l.owner("Owner", v.Owner)
	} else {
		l.content(v)
		l.owner("Owner", v.Owner)
		l.Text("StorageClass", v.ClassOf())
	}
	l.Close(element)
}

// listUploads is ListMultipartUploads.
func (c *call) listUploads() error {
	l, err := c.listing("max-uploads")
	if err != nil {
		return err
	}
	if err := c.allow("s3:ListBucketMultipartUploads"); err != nil {
		return err
	}
	keyMarker, idMarker := c.query.Get("key-marker"), c.query.Get("upload-id-marker")
	if keyMarker == "" {
		idMarker = "" // ignored without a key marker
	}
	if _, ours := object.IDTime(idMarker); idMarker != "" && !ours {
		return invalid("upload-id-marker", "Invalid uploadId marker").With("ArgumentValue", idMarker)
	}
	page, err := c.uploads(l, keyMarker, idMarker)
	if err != nil {
		return err
	}
	l.Document = wire.NewDocument()
	l.OpenNS("ListMultipartUploadsResult", namespace)
	l.Text("Bucket", c.name)
	l.name("KeyMarker", keyMarker)
	l.Text("UploadIdMarker", idMarker)
	if page.more {
		l.name("NextKeyMarker", page.nextKey)
		l.Optional("NextUploadIdMarker", page.nextID)
	}
	l.name("Prefix", l.prefix)
	l.nameIf("Delimiter", l.delimiter)
	l.Text("MaxUploads", strconv.Itoa(l.most))
	if l.encoded {
		l.Text("EncodingType", "url")
	}
	l.Bool("IsTruncated", page.more)
	for _, u := range page.uploads {
		l.Open("Upload")
		l.name("Key", u.Key)
		l.Text("UploadId", u.ID)
		l.initiator(u)
		l.owner("Owner", u.Owner)
		l.Text("StorageClass", u.ClassOf())
		l.Time("Initiated", u.Started)
		writeUploadChecksum(l.Document, &u.Version)
		l.Close("Upload")
	}
	l.prefixes(page.prefixes)
	l.Close("ListMultipartUploadsResult")
	return c.send(l.Document)
}

// uploadsPage is one page of unfinished uploads.
type uploadsPage struct {
	uploads         []*store.Upload
	prefixes        []string
	more            bool
	nextKey, nextID string
}

// uploads gathers a page of uploads, grouped by the listing's delimiter.
func (c *call) uploads(l *listing, afterKey, afterID string) (*uploadsPage, error) {
	p := &uploadsPage{}
	if l.most == 0 {
		return p, nil
	}
	from, fromID := afterKey, afterID
	for {
		list, more, err := c.store.Uploads(c.r.Context(), c.name, l.prefix, from, fromID, maxListed)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			group := l.group(u.Key)
			if group != "" && (len(p.prefixes) > 0 && p.prefixes[len(p.prefixes)-1] == group || group <= afterKey) {
				continue
			}
			if len(p.uploads)+len(p.prefixes) == l.most {
				p.more = true
				return p, nil
			}
			if group != "" {
				p.prefixes = append(p.prefixes, group)
				p.nextKey, p.nextID = group, ""
			} else {
				p.uploads = append(p.uploads, u)
				p.nextKey, p.nextID = u.Key, u.ID
			}
		}
		if !more || len(list) == 0 {
			return p, nil
		}
		from, fromID = list[len(list)-1].Key, list[len(list)-1].ID
	}
}

// group returns the common prefix that a key falls under, "" if none.
func (l *listing) group(key string) string {
	if l.delimiter == "" {
		return ""
	}
	rest := strings.TrimPrefix(key, l.prefix)
	i := strings.Index(rest, l.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(key)-len(rest)+i+len(l.delimiter)]
}
