package stack

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/lifecycle"
	"twinbucket/rule"
	"twinbucket/setting"
)

// settingProperties are the properties of a bucket that become settings
// documents.
var settingProperties = []struct {
	property string
	document bucket.Document
	root     string
	of       func(w *wanted, o *properties) tree
}{
	{"ReplicationConfiguration", bucket.Replication, "ReplicationConfiguration", replicationTree},
	{"LifecycleConfiguration", bucket.Lifecycle, "LifecycleConfiguration", lifecycleTree},
	{"ObjectLockConfiguration", bucket.ObjectLock, "ObjectLockConfiguration", objectLockTree},
	{"PublicAccessBlockConfiguration", bucket.PublicAccessBlock, "PublicAccessBlockConfiguration", func(_ *wanted, o *properties) tree {
		return o.truths(tree{}, "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
	}},
	{"OwnershipControls", bucket.OwnershipControls, "OwnershipControls", func(_ *wanted, o *properties) tree {
		return tree{"Rule": o.trees("Rules", func(r *properties) tree { return r.take("ObjectOwnership") })}
	}},
	{"BucketEncryption", bucket.Encryption, "ServerSideEncryptionConfiguration", encryptionTree},
	{"CorsConfiguration", bucket.CORS, "CORSConfiguration", corsTree},
	{"LoggingConfiguration", bucket.Logging, "BucketLoggingStatus", loggingTree},
	{"NotificationConfiguration", bucket.Notification, "NotificationConfiguration", notificationTree},
	{"WebsiteConfiguration", bucket.Website, "WebsiteConfiguration", websiteTree},
	{"AccelerateConfiguration", bucket.Accelerate, "AccelerateConfiguration", func(_ *wanted, o *properties) tree {
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
		return o.filtered(o.take("Id"), filters...)
	}},
	{"AnalyticsConfigurations", bucket.Analytics, "AnalyticsConfiguration", analyticsTree},
	{"IntelligentTieringConfigurations", bucket.IntelligentTiering, "IntelligentTieringConfiguration", func(o *properties) tree {
		t := o.filtered(o.take("Id", "Status"), filters...)
		t["Tiering"] = o.trees("Tierings", func(x *properties) tree { return x.take("AccessTier", "Days") })
		return t
	}},
}

// filters are the properties that select objects for those, beside TagFilters.
var filters = []string{"Prefix", "AccessPointArn"}

// settings reads those properties into documents.
func (w *wanted) settings(p *properties) error {
	for _, s := range settingProperties {
		o := p.object(s.property)
		if o == nil {
			continue
		}
		t := s.of(w, o)
		if err := o.done(); err != nil {
			return err
		}
		data, err := w.checked(s.document, document(s.root, t))
		if err != nil {
			return err
		}
		if data != nil {
			w.documents[s.document] = data
		}
	}
	for _, s := range listedProperties {
		for _, o := range p.objects(s.property) {
			t := s.of(o)
			if err := o.done(); err != nil {
				return err
			}
			d, err := setting.Parse(s.document, document(s.root, t))
			if err != nil {
				return err
			}
			if err := setting.CheckID(d.ID()); err != nil {
				return err
			}
			if err := d.Unsupported(); err != nil {
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

// checked returns a document as it is stored; nil if it turns the setting off.
func (w *wanted) checked(name bucket.Document, data []byte) ([]byte, error) {
	switch name {
	case bucket.Replication:
		set, err := rule.Parse(data)
		if err != nil {
			return nil, err
		}
		w.role = set.Role
		return set.XML(), set.Unsupported()
	case bucket.Lifecycle:
		set, err := lifecycle.Parse(data)
		if err != nil {
			return nil, err
		}
		return set.XML(), nil
	}
	d, err := setting.Parse(name, data)
	if err != nil || d.Empty() {
		return nil, err
	}
	return d.XML(), nil
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
		if data == nil || !slices.Contains(changed, s.document) || setting.Limit(s.document) == 0 {
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
	list := setting.List(b)
	if err := setting.CheckList(b, list); err != nil {
		return err
	}
	return setting.CheckPublicList(b, list, a.caller.ARN, "s3:PutBucketAcl", b.ARN())
}

func replicationTree(_ *wanted, o *properties) tree {
	t := o.take("Role")
	t["Rule"] = o.trees("Rules", func(r *properties) tree {
		rule := r.take("Id=ID", "Priority", "Prefix", "Status")
		r.within(rule, "Filter", "Filter", func(f *properties) tree {
			filter := f.take("Prefix")
			f.within(filter, "TagFilter", "Tag", keyAndValue)
			f.within(filter, "And", "And", func(x *properties) tree {
				and := x.take("Prefix")
				and["Tag"] = x.trees("TagFilters", keyAndValue)
				return and
			})
			return filter
		})
		r.within(rule, "SourceSelectionCriteria", "SourceSelectionCriteria", func(x *properties) tree {
			criteria := tree{}
			x.within(criteria, "SseKmsEncryptedObjects", "SseKmsEncryptedObjects", status)
			x.within(criteria, "ReplicaModifications", "ReplicaModifications", status)
			return criteria
		})
		r.within(rule, "DeleteMarkerReplication", "DeleteMarkerReplication", status)
		r.within(rule, "Destination", "Destination", destinationTree)
		return rule
	})
	return t
}

func destinationTree(o *properties) tree {
	t := o.take("Bucket", "Account", "StorageClass")
	o.within(t, "AccessControlTranslation", "AccessControlTranslation", func(x *properties) tree { return x.take("Owner") })
	o.within(t, "EncryptionConfiguration", "EncryptionConfiguration", func(x *properties) tree { return x.take("ReplicaKmsKeyID") })
	for _, timed := range []struct{ property, after string }{{"ReplicationTime", "Time"}, {"Metrics", "EventThreshold"}} {
		o.within(t, timed.property, timed.property, func(x *properties) tree {
			one := status(x)
			x.within(one, timed.after, timed.after, func(m *properties) tree { return m.take("Minutes") })
			return one
		})
	}
	return t
}

func status(o *properties) tree { return o.take("Status") }

func encryptionTree(_ *wanted, o *properties) tree {
	return tree{"Rule": o.trees("ServerSideEncryptionConfiguration", func(r *properties) tree {
		rule := r.truths(tree{}, "BucketKeyEnabled")
		r.within(rule, "ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault", func(x *properties) tree {
			return x.take("SSEAlgorithm", "KMSMasterKeyID")
		})
		r.within(rule, "BlockedEncryptionTypes", "BlockedEncryptionTypes", func(x *properties) tree { return x.take("EncryptionType") })
		return rule
	})}
}

func objectLockTree(_ *wanted, o *properties) tree {
	t := o.take("ObjectLockEnabled")
	o.within(t, "Rule", "Rule", func(r *properties) tree {
		rule := tree{}
		r.within(rule, "DefaultRetention", "DefaultRetention", func(x *properties) tree { return x.take("Mode", "Days", "Years") })
		return rule
	})
	return t
}

func corsTree(_ *wanted, o *properties) tree {
	return tree{"CORSRule": o.trees("CorsRules", func(r *properties) tree {
		return r.take("Id=ID", "AllowedHeaders=AllowedHeader", "AllowedMethods=AllowedMethod",
			"AllowedOrigins=AllowedOrigin", "ExposedHeaders=ExposeHeader", "MaxAge=MaxAgeSeconds")
	})}
}

// loggingTree has the bucket log to itself if no other is named.
func loggingTree(w *wanted, o *properties) tree {
	t := tree{"TargetBucket": w.physical, "TargetPrefix": ""}
	maps.Copy(t, o.take("DestinationBucketName=TargetBucket", "LogFilePrefix=TargetPrefix"))
	o.within(t, "TargetObjectKeyFormat", "TargetObjectKeyFormat", func(f *properties) tree {
		format := tree{}
		f.within(format, "SimplePrefix", "SimplePrefix", func(*properties) tree { return tree{} })
		f.within(format, "PartitionedPrefix", "PartitionedPrefix", func(x *properties) tree { return x.take("PartitionDateSource") })
		return format
	})
	return tree{"LoggingEnabled": t}
}

func notificationTree(_ *wanted, o *properties) tree {
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

func websiteTree(_ *wanted, o *properties) tree {
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
	t := o.filtered(o.take("Id"), filters...)
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
