package stack

import (
	"bytes"
	"encoding/xml"
	"maps"
	"slices"
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/setting"
)

// Properties of a bucket that become settings documents. A template nests and
// names things in another way than the S3 API, so each is turned into a tree
// in the form of the API: maps of elements by their names, lists of elements
// that come several times, and texts.
type tree = map[string]any

var settingProperties = []struct {
	property string
	document bucket.Document
	root     string
	of       func(a *action, o *properties) tree
}{
	{"CorsConfiguration", bucket.CORS, "CORSConfiguration", corsTree},
	{"LoggingConfiguration", bucket.Logging, "BucketLoggingStatus", loggingTree},
	{"NotificationConfiguration", bucket.Notification, "NotificationConfiguration", notificationTree},
	{"WebsiteConfiguration", bucket.Website, "WebsiteConfiguration", websiteTree},
	{"AccelerateConfiguration", bucket.Accelerate, "AccelerateConfiguration", func(_ *action, o *properties) tree {
		return o.take("AccelerationStatus=Status")
	}},
}

// listedProperties are those that become a document for each of their items.
var listedProperties = []struct {
	property string
	document bucket.Document
	root     string
	of       func(o *properties) tree
}{
	{"InventoryConfigurations", bucket.Inventory, "InventoryConfiguration", inventoryTree},
	{"MetricsConfigurations", bucket.Metrics, "MetricsConfiguration", func(o *properties) tree {
		return o.filtered(o.take("Id"))
	}},
	{"AnalyticsConfigurations", bucket.Analytics, "AnalyticsConfiguration", analyticsTree},
	{"IntelligentTieringConfigurations", bucket.IntelligentTiering, "IntelligentTieringConfiguration", func(o *properties) tree {
		t := o.filtered(o.take("Id", "Status"))
		t["Tiering"] = o.trees("Tierings", func(x *properties) tree { return x.take("AccessTier", "Days") })
		return t
	}},
}

// settings reads those properties into documents.
func (w *wanted) settings(a *action, p *properties) error {
	for _, s := range settingProperties {
		o := p.object(s.property)
		if o == nil {
			continue
		}
		t := s.of(a, o)
		if err := o.done(); err != nil {
			return err
		}
		d, err := parseTree(s.document, s.root, t)
		if err != nil {
			return err
		}
		if !d.Empty() {
			w.documents[s.document] = d.XML()
		}
	}
	for _, s := range listedProperties {
		for _, o := range p.objects(s.property) {
			t := s.of(o)
			if err := o.done(); err != nil {
				return err
			}
			d, err := parseTree(s.document, s.root, t)
			if err != nil {
				return err
			}
			if err := setting.CheckID(d.ID()); err != nil {
				return err
			}
			name := s.document.WithID(d.ID())
			if w.documents[name] != nil {
				return fault.Newf(fault.Invalid, "ValidationError", "There is more than one item with the Id %s in %s", d.ID(), s.property)
			}
			w.documents[name] = d.XML()
		}
	}
	return *p.err
}

// actionOf returns the action that changing a document needs.
func actionOf(d bucket.Document) string {
	kind, _, _ := strings.Cut(string(d), "/")
	return documentActions[bucket.Document(kind)]
}

// checkSettings checks those of the changed documents that name other buckets
// or depend on b.
func (a *action) checkSettings(b *bucket.Bucket, changed []bucket.Document) error {
	for _, s := range settingProperties {
		data := b.Documents[s.document]
		if data == nil || !slices.Contains(changed, s.document) {
			continue
		}
		d, err := setting.Parse(s.document, data)
		if err != nil {
			return err
		}
		err = d.Check(b, func(name string) (*bucket.Bucket, bool) {
			if name == b.Name {
				return b, true // it may not be made yet
			}
			x, err := a.Store.Bucket(name)
			return x, err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parseTree reads a document given as a tree.
func parseTree(name bucket.Document, root string, t tree) (*setting.Document, error) {
	var b bytes.Buffer
	writeTree(&b, root, t)
	return setting.Parse(name, b.Bytes())
}

func writeTree(b *bytes.Buffer, name string, v any) {
	if list, ok := v.([]any); ok {
		for _, item := range list {
			writeTree(b, name, item)
		}
		return
	}
	b.WriteString("<" + name + ">")
	switch v := v.(type) {
	case string:
		// A bytes.Buffer never fails, so neither does EscapeText.
		_ = xml.EscapeText(b, []byte(v))
	case tree:
		for _, kid := range slices.Sorted(maps.Keys(v)) {
			writeTree(b, kid, v[kid])
		}
	}
	b.WriteString("</" + name + ">")
}

// take returns the properties of the given names that are there, texts and
// lists of them. A name can be PROPERTY=ELEMENT.
func (p *properties) take(names ...string) tree {
	t := tree{}
	for _, name := range names {
		property, element, renamed := strings.Cut(name, "=")
		if !renamed {
			element = property
		}
		v, ok := p.get(property)
		if !ok {
			continue
		}
		if _, many := v.([]any); !many {
			t[element] = p.text(property)
			continue
		}
		list := []any{}
		for _, s := range p.texts(property) {
			list = append(list, s)
		}
		t[element] = list
	}
	return t
}

// trees returns what of makes of each item of a property that is a list of
// objects.
func (p *properties) trees(name string, of func(*properties) tree) []any {
	list := []any{}
	for _, o := range p.objects(name) {
		list = append(list, of(o))
		_ = o.done() // the error is kept
	}
	return list
}

// within sets t's element to what of makes of a property that is an object.
func (p *properties) within(t tree, property, element string, of func(*properties) tree) {
	if o := p.object(property); o != nil {
		t[element] = of(o)
		_ = o.done() // the error is kept
	}
}

// filtered adds to t the filter that Prefix, TagFilters and AccessPointArn
// make.
func (p *properties) filtered(t tree) tree {
	f := p.take("Prefix", "AccessPointArn")
	n := len(f)
	if tags := p.trees("TagFilters", func(x *properties) tree { return x.take("Key", "Value") }); len(tags) > 0 {
		f["Tag"] = tags
		n += len(tags)
	}
	switch {
	case n > 1:
		t["Filter"] = tree{"And": f}
	case n == 1:
		t["Filter"] = f
	}
	return t
}

func corsTree(_ *action, o *properties) tree {
	return tree{"CORSRule": o.trees("CorsRules", func(r *properties) tree {
		return r.take("Id=ID", "AllowedHeaders=AllowedHeader", "AllowedMethods=AllowedMethod",
			"AllowedOrigins=AllowedOrigin", "ExposedHeaders=ExposeHeader", "MaxAge=MaxAgeSeconds")
	})}
}

// loggingTree has the bucket log to itself if no other is named.
func loggingTree(a *action, o *properties) tree {
	t := tree{"TargetBucket": a.physical, "TargetPrefix": ""}
	maps.Copy(t, o.take("DestinationBucketName=TargetBucket", "LogFilePrefix=TargetPrefix"))
	o.within(t, "TargetObjectKeyFormat", "TargetObjectKeyFormat", func(f *properties) tree {
		format := tree{}
		f.within(format, "SimplePrefix", "SimplePrefix", func(*properties) tree { return tree{} })
		f.within(format, "PartitionedPrefix", "PartitionedPrefix", func(x *properties) tree { return x.take("PartitionDateSource") })
		return format
	})
	return tree{"LoggingEnabled": t}
}

func notificationTree(_ *action, o *properties) tree {
	t := tree{}
	for _, d := range []struct{ property, element, arn string }{
		{"LambdaConfigurations", "CloudFunctionConfiguration", "Function=CloudFunction"},
		{"QueueConfigurations", "QueueConfiguration", "Queue"},
		{"TopicConfigurations", "TopicConfiguration", "Topic"},
	} {
		t[d.element] = o.trees(d.property, func(x *properties) tree {
			one := x.take("Event", d.arn)
			x.within(one, "Filter", "Filter", func(f *properties) tree {
				key := tree{}
				f.within(key, "S3Key", "S3Key", func(k *properties) tree {
					return tree{"FilterRule": k.trees("Rules", func(r *properties) tree { return r.take("Name", "Value") })}
				})
				return key
			})
			return one
		})
	}
	if e := o.object("EventBridgeConfiguration"); e != nil {
		if _, said := e.m["EventBridgeEnabled"]; e.truth("EventBridgeEnabled") || !said {
			t["EventBridgeConfiguration"] = tree{}
		}
		_ = e.done() // the error is kept
	}
	return t
}

func websiteTree(_ *action, o *properties) tree {
	t := tree{}
	if s := o.take("IndexDocument=Suffix"); len(s) > 0 {
		t["IndexDocument"] = s
	}
	if s := o.take("ErrorDocument=Key"); len(s) > 0 {
		t["ErrorDocument"] = s
	}
	o.within(t, "RedirectAllRequestsTo", "RedirectAllRequestsTo", func(x *properties) tree { return x.take("HostName", "Protocol") })
	if _, ok := o.m["RoutingRules"]; ok {
		t["RoutingRules"] = tree{"RoutingRule": o.trees("RoutingRules", func(r *properties) tree {
			rule := tree{}
			r.within(rule, "RedirectRule", "Redirect", func(x *properties) tree {
				return x.take("HostName", "HttpRedirectCode", "Protocol", "ReplaceKeyPrefixWith", "ReplaceKeyWith")
			})
			r.within(rule, "RoutingRuleCondition", "Condition", func(x *properties) tree {
				return x.take("HttpErrorCodeReturnedEquals", "KeyPrefixEquals")
			})
			return rule
		})}
	}
	return t
}

func inventoryTree(o *properties) tree {
	t := o.take("Id", "Enabled=IsEnabled", "IncludedObjectVersions")
	if f := o.take("OptionalFields=Field"); len(f) > 0 {
		t["OptionalFields"] = f
	}
	if f := o.take("Prefix"); len(f) > 0 {
		t["Filter"] = f
	}
	if f := o.take("ScheduleFrequency=Frequency"); len(f) > 0 {
		t["Schedule"] = f
	}
	o.within(t, "Destination", "Destination", func(d *properties) tree {
		return tree{"S3BucketDestination": d.take("BucketAccountId=AccountId", "BucketArn=Bucket", "Format", "Prefix")}
	})
	return t
}

func analyticsTree(o *properties) tree {
	t := o.filtered(o.take("Id"))
	o.within(t, "StorageClassAnalysis", "StorageClassAnalysis", func(s *properties) tree {
		analysis := tree{}
		s.within(analysis, "DataExport", "DataExport", func(e *properties) tree {
			export := e.take("OutputSchemaVersion")
			e.within(export, "Destination", "Destination", func(d *properties) tree {
				return tree{"S3BucketDestination": d.take("BucketAccountId", "BucketArn=Bucket", "Format", "Prefix")}
			})
			return export
		})
		return analysis
	})
	return t
}
