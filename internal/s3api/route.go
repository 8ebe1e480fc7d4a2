package s3api

import (
	"net/http"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/wire"
)

// level is what a request is about.
type level uint8

const (
	onService level = iota
	onBucket
	onObject
)

// need says what must be there before an operation runs.
type need uint8

const (
	existingBucket need = iota
	noBucket            // the operation looks for itself
)

// route finds an operation: what it is about, the HTTP method and the
// sub-resource, "" for the thing itself.
type route struct {
	level  level
	method string
	sub    string
}

type operation struct {
	run    func(*call) error
	needs  need
	chunks bool // the body may come in chunks
}

var routes = map[route]operation{
	{onService, "GET", ""}: {run: (*call).listBuckets, needs: noBucket},

	{onBucket, "PUT", ""}:        {run: (*call).createBucket, needs: noBucket},
	{onBucket, "HEAD", ""}:       {run: (*call).headBucket},
	{onBucket, "GET", ""}:        {run: (*call).listObjects},
	{onBucket, "DELETE", ""}:     {run: (*call).deleteBucket},
	{onBucket, "POST", ""}:       {run: (*call).postObject, needs: noBucket},
	{onBucket, "POST", "delete"}: {run: (*call).deleteObjects},

	{onBucket, "GET", "versions"}: {run: (*call).listVersions},
	{onBucket, "GET", "uploads"}:  {run: (*call).listUploads},
	{onBucket, "GET", "location"}: {run: (*call).getLocation},

	{onBucket, "GET", "versioning"}:           {run: (*call).getVersioning},
	{onBucket, "PUT", "versioning"}:           {run: (*call).putVersioning},
	{onBucket, "GET", "policy"}:               {run: (*call).getPolicy},
	{onBucket, "PUT", "policy"}:               {run: (*call).putPolicy},
	{onBucket, "DELETE", "policy"}:            {run: (*call).deletePolicy},
	{onBucket, "GET", "policyStatus"}:         {run: (*call).getPolicyStatus},
	{onBucket, "GET", "replication"}:          {run: (*call).getReplication},
	{onBucket, "PUT", "replication"}:          {run: (*call).putReplication},
	{onBucket, "DELETE", "replication"}:       {run: (*call).deleteReplication},
	{onBucket, "GET", "tagging"}:              {run: (*call).getBucketTags},
	{onBucket, "PUT", "tagging"}:              {run: (*call).putBucketTags},
	{onBucket, "DELETE", "tagging"}:           {run: (*call).deleteBucketTags},
	{onBucket, "GET", "encryption"}:           {run: (*call).getEncryption},
	{onBucket, "PUT", "encryption"}:           {run: (*call).putEncryption},
	{onBucket, "DELETE", "encryption"}:        {run: (*call).deleteEncryption},
	{onBucket, "GET", "ownershipControls"}:    {run: (*call).getOwnership},
	{onBucket, "PUT", "ownershipControls"}:    {run: (*call).putOwnership},
	{onBucket, "DELETE", "ownershipControls"}: {run: (*call).deleteOwnership},
	{onBucket, "GET", "publicAccessBlock"}:    {run: (*call).getPublicAccessBlock},
	{onBucket, "PUT", "publicAccessBlock"}:    {run: (*call).putPublicAccessBlock},
	{onBucket, "DELETE", "publicAccessBlock"}: {run: (*call).deletePublicAccessBlock},
	{onBucket, "GET", "lifecycle"}:            {run: (*call).getLifecycle},
	{onBucket, "PUT", "lifecycle"}:            {run: (*call).putLifecycle},
	{onBucket, "DELETE", "lifecycle"}:         {run: (*call).deleteLifecycle},
	{onBucket, "GET", "acl"}:                  {run: (*call).getBucketACL},
	{onBucket, "PUT", "acl"}:                  {run: (*call).putBucketACL},
	{onBucket, "GET", "object-lock"}:          {run: (*call).getObjectLock},
	{onBucket, "PUT", "object-lock"}:          {run: (*call).putObjectLock},

	{onBucket, "GET", "cors"}:                   {run: keptCORS.answer},
	{onBucket, "PUT", "cors"}:                   {run: keptCORS.store},
	{onBucket, "DELETE", "cors"}:                {run: keptCORS.delete},
	{onBucket, "GET", "website"}:                {run: keptWebsite.answer},
	{onBucket, "PUT", "website"}:                {run: keptWebsite.store},
	{onBucket, "DELETE", "website"}:             {run: keptWebsite.delete},
	{onBucket, "GET", "notification"}:           {run: keptNotification.answer},
	{onBucket, "PUT", "notification"}:           {run: keptNotification.store},
	{onBucket, "GET", "logging"}:                {run: keptLogging.answer},
	{onBucket, "PUT", "logging"}:                {run: keptLogging.store},
	{onBucket, "GET", "accelerate"}:             {run: keptAcceleration.answer},
	{onBucket, "PUT", "accelerate"}:             {run: keptAcceleration.store},
	{onBucket, "GET", "requestPayment"}:         {run: keptPayment.answer},
	{onBucket, "PUT", "requestPayment"}:         {run: keptPayment.store},
	{onBucket, "GET", "inventory"}:              {run: inventories.answer},
	{onBucket, "PUT", "inventory"}:              {run: inventories.store},
	{onBucket, "DELETE", "inventory"}:           {run: inventories.delete},
	{onBucket, "GET", "analytics"}:              {run: analyses.answer},
	{onBucket, "PUT", "analytics"}:              {run: analyses.store},
	{onBucket, "DELETE", "analytics"}:           {run: analyses.delete},
	{onBucket, "GET", "metrics"}:                {run: metrics.answer},
	{onBucket, "PUT", "metrics"}:                {run: metrics.store},
	{onBucket, "DELETE", "metrics"}:             {run: metrics.delete},
	{onBucket, "GET", "intelligent-tiering"}:    {run: tierings.answer},
	{onBucket, "PUT", "intelligent-tiering"}:    {run: tierings.store},
	{onBucket, "DELETE", "intelligent-tiering"}: {run: tierings.delete},

	{onObject, "GET", ""}:    {run: (*call).getObject},
	{onObject, "HEAD", ""}:   {run: (*call).getObject},
	{onObject, "PUT", ""}:    {run: (*call).putOrCopyObject, chunks: true},
	{onObject, "DELETE", ""}: {run: (*call).deleteObject},

	{onObject, "GET", "attributes"}: {run: (*call).getAttributes},
	{onObject, "GET", "tagging"}:    {run: (*call).getTags},
	{onObject, "PUT", "tagging"}:    {run: (*call).putTags},
	{onObject, "DELETE", "tagging"}: {run: (*call).deleteTags},
	{onObject, "GET", "acl"}:        {run: (*call).getObjectACL},
	{onObject, "PUT", "acl"}:        {run: (*call).putObjectACL},
	{onObject, "GET", "legal-hold"}: {run: (*call).getLegalHold},
	{onObject, "PUT", "legal-hold"}: {run: (*call).putLegalHold},
	{onObject, "GET", "retention"}:  {run: (*call).getRetention},
	{onObject, "PUT", "retention"}:  {run: (*call).putRetention},

	{onObject, "POST", "uploads"}:    {run: (*call).createUpload},
	{onObject, "PUT", "uploadId"}:    {run: (*call).uploadPart, chunks: true},
	{onObject, "GET", "uploadId"}:    {run: (*call).listParts},
	{onObject, "POST", "uploadId"}:   {run: (*call).completeUpload},
	{onObject, "DELETE", "uploadId"}: {run: (*call).abortUpload},
}

// subs are the sub-resources of S3, the ones that are not offered as well:
// these must never be taken for the bucket or object itself.
var subs = func() map[string]bool {
	m := map[string]bool{}
	for r := range routes {
		if r.sub != "" {
			m[r.sub] = true
		}
	}
	for _, s := range []string{
		"abac", "metadataConfiguration",
		"metadataInventoryTable", "metadataJournalTable", "metadataTable", "renameObject",
		"restore", "select", "session", "torrent",
	} {
		m[s] = true
	}
	return m
}()

// operation finds what the request asks for.
func (c *call) operation() (operation, error) {
	rt := route{level: onObject, method: c.r.Method}
	switch {
	case c.name == "":
		rt.level = onService
	case c.key == "":
		rt.level = onBucket
	}
	for _, p := range c.query {
		switch {
		case subs[p.Name]:
			if rt.sub != "" && rt.sub != p.Name {
				return operation{}, invalid("ResourceType", "Conflicting query string parameters: "+rt.sub+", "+p.Name)
			}
			rt.sub = p.Name
		case p.Value == "" && !harmless(p.Name) && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead:
			return operation{}, unsupported("the query parameter %q is not known", p.Name)
		}
	}
	if err := c.checkTarget(rt); err != nil {
		return operation{}, err
	}
	if op, ok := routes[rt]; ok {
		return op, c.refuseHeaders()
	}
	if rt.sub != "" {
		return operation{}, unsupported("%s of the sub-resource %q is not offered", c.r.Method, rt.sub)
	}
	return operation{}, c.notAllowed(rt)
}

// checkTarget refuses what is asked of the wrong thing, in AWS's words.
func (c *call) checkTarget(rt route) error {
	if rt.method != "PUT" && len(c.r.Header["X-Amz-Copy-Source"]) > 0 {
		return invalid("x-amz-copy-source", "You can only specify a copy source header for copy requests.").
			With("ArgumentValue", c.r.Header.Get("X-Amz-Copy-Source"))
	}
	if rt.level != onObject {
		return nil
	}
	wrong := func(message string) error { return fault.New(fault.Invalid, "InvalidRequest", message).On(c.key) }
	switch {
	case rt.method == "GET" && rt.sub == "uploads":
		return wrong("Key is not expected for the GET method ?uploads subresource")
	case rt.method == "GET" && rt.sub == "versions":
		return wrong("There is no such thing as the ?versions sub-resource for a key")
	case rt.method == "PUT" && rt.sub == "" && c.query.Has("partNumber"):
		return invalid("partNumber", "This operation does not accept partNumber without uploadId")
	case rt.method == "PUT" && rt.sub == "uploadId" && !c.query.Has("partNumber"):
		return c.notAllowed(rt)
	}
	return nil
}

// notAllowed is the fault of a method that a thing does not take.
func (c *call) notAllowed(rt route) error {
	wire.Set(c.h, "Allow", rt.allowed())
	kind := [...]string{onService: "SERVICE", onBucket: "BUCKET", onObject: "OBJECT"}[rt.level]
	if rt.sub == "uploadId" {
		kind = "UPLOAD"
	}
	return fault.New(fault.Unsupported, "MethodNotAllowed", "The specified method is not allowed against this resource.").
		On(rt.method).With("Method", rt.method).With("ResourceType", kind)
}

// allowed returns the other methods of a resource, for the header Allow.
func (rt route) allowed() string {
	var methods []string
	for other := range routes {
		if other.level == rt.level && other.sub == rt.sub && other.method != rt.method {
			methods = append(methods, other.method)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// harmless reports whether a query parameter without a value asks for nothing.
func harmless(name string) bool {
	switch name {
	case "prefix", "marker", "delimiter", "versionId", "x-id", "id", "key-marker", "partNumber":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "x-amz-")
}

// refused are the headers that ask for something not offered, with what to do.
var refused = []struct{ name, hint string }{
	{"X-Amz-Write-Offset-Bytes", "appending is a feature of directory buckets; write the whole object"},
	{"X-Amz-If-Match-Last-Modified-Time", "this condition is one of directory buckets; use If-Match"},
	{"X-Amz-If-Match-Size", "this condition is one of directory buckets; use If-Match"},
	{"X-Amz-If-Match-Initiated-Time", "this condition is one of directory buckets; the upload's id is enough"},
}

func (c *call) refuseHeaders() error {
	for i := range refused {
		if len(c.r.Header[refused[i].name]) > 0 {
			return unsupported("%s", refused[i].hint)
		}
	}
	return nil
}
