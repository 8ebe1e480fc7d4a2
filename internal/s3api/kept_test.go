package s3api_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestKeptSettings puts each settings document and reads it back: in AWS's
// order and name space, with the ids that were made.
func TestKeptSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/logs", "")
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	for _, c := range []struct{ sub, put, get, told string }{
		{"cors", `<CORSConfiguration><CORSRule><AllowedOrigin> http://*.a:80</AllowedOrigin><MaxAgeSeconds> 5 </MaxAgeSeconds><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><ID>i</ID></CORSRule></CORSConfiguration>`, `<CORSConfiguration` + ns + `><CORSRule><ID>i</ID><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><AllowedOrigin> http://*.a:80</AllowedOrigin><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>`, ""},
		{"website", `<WebsiteConfiguration><ErrorDocument><Key>e&amp;</Key></ErrorDocument><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>`, `<WebsiteConfiguration` + ns + `><IndexDocument><Suffix>i</Suffix></IndexDocument><ErrorDocument><Key>e&amp;</Key></ErrorDocument></WebsiteConfiguration>`, "no website endpoint"},
		{"notification", `<NotificationConfiguration><EventBridgeConfiguration/><QueueConfiguration><Queue>arn:aws:sqs:us-east-1:111111111111:q</Queue><Event>s3:ObjectCreated:*</Event><Id>q</Id><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>`, `<NotificationConfiguration` + ns + `><QueueConfiguration><Id>q</Id><Queue>arn:aws:sqs:us-east-1:111111111111:q</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration><EventBridgeConfiguration></EventBridgeConfiguration></NotificationConfiguration>`, "no EventBridge here"},
		{"notification", `<NotificationConfiguration/>`, `<NotificationConfiguration` + ns + `></NotificationConfiguration>`, ""},
		{"logging", `<BucketLoggingStatus><LoggingEnabled><TargetPrefix>p/</TargetPrefix><TargetBucket>logs</TargetBucket></LoggingEnabled></BucketLoggingStatus>`, `<BucketLoggingStatus` + ns + `><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>`, "access logs are not written"},
		{"logging", `<BucketLoggingStatus/>`, `<BucketLoggingStatus` + ns + `></BucketLoggingStatus>`, ""},
		{"requestPayment", `<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>`, `<RequestPaymentConfiguration` + ns + `><Payer>Requester</Payer></RequestPaymentConfiguration>`, ""},
		{"accelerate", `<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>`, `<AccelerateConfiguration` + ns + `><Status>Suspended</Status></AccelerateConfiguration>`, "no accelerated endpoint"},
		{"inventory&id=i", inventory("i"), strings.Replace(inventory("i"), ">", ns+">", 1), ""},
		{"analytics&id=i", `<AnalyticsConfiguration><StorageClassAnalysis/><Id>i</Id></AnalyticsConfiguration>`, `<AnalyticsConfiguration` + ns + `><Id>i</Id><StorageClassAnalysis></StorageClassAnalysis></AnalyticsConfiguration>`, "not analysed"},
		{"metrics&id=i", `<MetricsConfiguration><Id>i</Id></MetricsConfiguration>`, `<MetricsConfiguration` + ns + `><Id>i</Id></MetricsConfiguration>`, "no request metrics"},
		{"intelligent-tiering&id=i", `<IntelligentTieringConfiguration><Id>i</Id><Status>Enabled</Status><Tiering><Days>90</Days><AccessTier>ARCHIVE_ACCESS</AccessTier></Tiering></IntelligentTieringConfiguration>`, `<IntelligentTieringConfiguration` + ns + `><Id>i</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering></IntelligentTieringConfiguration>`, "do not move"},
	} {
		put := w.call(200, "PUT", "/bkt?"+c.sub, c.put, "Content-MD5", md5Of(c.put), "x-amz-skip-destination-validation", "true")
		if told := put.header.Get("X-Twinbucket-Hint"); !strings.Contains(told, c.told) || c.told == "" && told != "" {
			t.Errorf("%s: told %q", c.sub, told)
		}
		if got := w.call(200, "GET", "/bkt?"+c.sub, "").body; got != head+c.get {
			t.Errorf("%s: %s", c.sub, got)
		}
	}
	for _, sub := range []string{"cors", "website", "inventory&id=i", "analytics&id=i", "metrics&id=i", "intelligent-tiering&id=i"} {
		w.call(204, "DELETE", "/bkt?"+sub, "")
		if got := w.call(404, "GET", "/bkt?"+sub, ""); !strings.HasPrefix(got.code, "NoSuch") || !strings.HasSuffix(got.code, "Configuration") {
			t.Errorf("%s: %s", sub, got.body)
		}
	}
	w.call(204, "DELETE", "/bkt?cors", "")
	w.call(204, "DELETE", "/bkt?website", "")
	w.call(404, "DELETE", "/bkt?inventory&id=i", "")
}

func inventory(id string) string {
	return `<InventoryConfiguration><Id>` + id + `</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination><Format>CSV</Format><Bucket>arn:aws:s3:::logs</Bucket></S3BucketDestination></Destination><Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>`
}

func TestConfigurationsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	if got := w.call(200, "GET", "/bkt?inventory", "").body; !strings.HasSuffix(got, `<ListInventoryConfigurationsResult`+ns+`><IsTruncated>false</IsTruncated></ListInventoryConfigurationsResult>`) {
		t.Errorf("none: %s", got)
	}
	for i := range 101 {
		id := fmt.Sprintf("id-%03d", i)
		w.call(200, "PUT", "/bkt?metrics&id="+id, "<MetricsConfiguration><Id>"+id+"</Id></MetricsConfiguration>")
	}
	got := w.call(200, "GET", "/bkt?metrics", "").body
	if strings.Count(got, "<MetricsConfiguration>") != 100 || !strings.Contains(got, "<IsTruncated>true</IsTruncated><NextContinuationToken>") {
		t.Errorf("first page: %s", got)
	}
	_, token, _ := strings.Cut(got, "<NextContinuationToken>")
	token, _, _ = strings.Cut(token, "<")
	got = w.call(200, "GET", "/bkt?metrics&continuation-token="+token, "").body
	if !strings.HasSuffix(got, `<ListMetricsConfigurationsResult`+ns+`><ContinuationToken>`+token+`</ContinuationToken><MetricsConfiguration><Id>id-100</Id></MetricsConfiguration><IsTruncated>false</IsTruncated></ListMetricsConfigurationsResult>`) {
		t.Errorf("last page: %s", got)
	}
	if got := w.call(400, "GET", "/bkt?metrics&continuation-token=x", ""); got.code != "InvalidArgument" {
		t.Errorf("%s", got.body)
	}
}

func TestSettingsErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/with.dot", "")
	w.callAs(dest, 200, "PUT", "/other", "")
	w.call(200, "PUT", "/west", `<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>`)
	w.call(200, "PUT", "/logs", "")
	w.call(200, "PUT", "/open", "", "x-amz-object-ownership", "ObjectWriter")
	logTo := func(name, grants string) string {
		return `<BucketLoggingStatus><LoggingEnabled><TargetBucket>` + name + `</TargetBucket><TargetPrefix></TargetPrefix>` + grants + `</LoggingEnabled></BucketLoggingStatus>`
	}
	const grants = `<TargetGrants><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></TargetGrants>`
	w.call(200, "PUT", "/bkt?logging", logTo("open", grants))
	if got := w.call(200, "GET", "/bkt?logging", "").body; !strings.HasSuffix(got, `<TargetPrefix></TargetPrefix>`+grants+`</LoggingEnabled></BucketLoggingStatus>`) {
		t.Errorf("grants: %s", got)
	}
	const topic = `<NotificationConfiguration><TopicConfiguration><Topic>arn:aws:sns:eu-west-1:111111111111:t</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>`
	for _, c := range []struct {
		path, query, body string
		status            int
		code, message     string
	}{
		{"/bkt", "logging", logTo("nobucket", ""), 400, "InvalidTargetBucketForLogging", "The target bucket for logging does not exist"},
		{"/bkt", "logging", logTo("other", ""), 400, "InvalidTargetBucketForLogging", "The owner for the bucket to be logged and the target bucket must be the same."},
		{"/bkt", "logging", logTo("west", ""), 403, "CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. "},
		{"/bkt", "logging", logTo("logs", grants), 400, "AccessControlListNotSupported", "Target grants not allowed for bucket owner enforced buckets"},
		{"/bkt", "logging", "", 400, "MissingRequestBodyError", "Request Body is empty"},
		{"/bkt", "notification", topic, 400, "InvalidArgument", "The notification destination service region is not valid for the bucket location constraint"},
		{"/with.dot", "accelerate", `<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>`, 400, "InvalidRequest", "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"},
		{"/bkt", "inventory&id=i", strings.Replace(inventory("i"), "CSV", "Parquet", 1), 501, "NotImplemented", "Inventories in Parquet format are not implemented."},
		{"/bkt", "inventory&id=j", inventory("i"), 400, "IdMismatch", "Document ID does not match the specified configuration ID."},
		{"/bkt", "inventory", inventory("i"), 400, "InvalidConfigurationId", "The specified configuration id is invalid."},
		{"/bkt", "inventory&id=", inventory("i"), 400, "InvalidConfigurationId", "The specified configuration id is invalid."},
		{"/bkt", "inventory&id=a/b", inventory("a/b"), 400, "InvalidConfigurationId", "The specified configuration id is invalid."},
		{"/nobucket", "cors", corsRules, 404, "NoSuchBucket", "The specified bucket does not exist"},
	} {
		got := w.do(request{method: "PUT", path: c.path, query: c.query, body: c.body, header: map[string]string{"Content-MD5": md5Of(c.body)}})
		if got.status != c.status || got.code != c.code || !strings.Contains(got.body, "<Message>"+c.message+"</Message>") {
			t.Errorf("%s?%s: %d %s", c.path, c.query, got.status, got.body)
		}
	}
}

func TestRequesterPays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "body")
	w.callAs(dest, 200, "PUT", "/mine", "")
	w.call(204, "PUT", "/bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`)
	w.callAs(nobody, 200, "GET", "/bkt/k", "")
	w.call(200, "PUT", "/bkt?requestPayment", `<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>`)
	pays := []string{"x-amz-request-payer", "requester"}
	for _, c := range []struct {
		as, status int
		method     string
		target     string
		headers    []string
		charged    string
	}{
		{source, 200, "GET", "/bkt/k", nil, ""},
		{dest, 403, "GET", "/bkt/k", nil, ""},
		{dest, 403, "HEAD", "/bkt/k", nil, ""},
		{dest, 403, "GET", "/bkt/k", []string{"x-amz-request-payer", "bucketowner"}, ""},
		{dest, 200, "GET", "/bkt/k", pays, "requester"},
		{dest, 200, "GET", "/bkt/k?x-amz-request-payer=requester", nil, "requester"},
		{dest, 403, "DELETE", "/bkt/k", pays, ""},
		{nobody, 403, "GET", "/bkt/k", pays, ""},
		{dest, 403, "PUT", "/mine/copy", []string{"x-amz-copy-source", "/bkt/k"}, ""},
		{dest, 200, "PUT", "/mine/copy", append([]string{"x-amz-copy-source", "/bkt/k"}, pays...), "requester"},
	} {
		got := w.callAs(c.as, c.status, c.method, c.target, "", c.headers...)
		if got.header.Get("x-amz-request-charged") != c.charged || c.status == 403 && got.code != "AccessDenied" {
			t.Errorf("%s %v: %s %v", c.target, c.headers, got.code, got.header)
		}
	}
	w.call(200, "PUT", "/bkt?requestPayment", `<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>`)
	w.callAs(nobody, 200, "GET", "/bkt/k", "")
}
