package check_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/check"
	"twinbucket/object"
)

// put puts an object and waits until it is settled.
func (w *world) put(key string, tags ...object.Tag) *object.Version {
	w.Helper()
	v, err := w.src.PutObject(w.Context(), client.Put{Version: object.Version{Bucket: "src", Key: key, Tags: tags}, Body: strings.NewReader("x")})
	w.must(err)
	for {
		now, err := w.src.HeadObject(w.Context(), "src", key, v.ID)
		w.must(err)
		if now.Status != object.Pending {
			return now
		}
	}
}

func (w *world) configure(rules string) {
	w.Helper()
	w.must(w.src.PutBucketReplication(w.Context(), "src", []byte("<ReplicationConfiguration><Role>"+replRole+"</Role>"+rules+"</ReplicationConfiguration>")))
}

func ruleXML(id, filter, markers, destination string) string {
	return "<Rule><ID>" + id + "</ID><Priority>" + fmt.Sprint(len(id)) + "</Priority><Status>Enabled</Status><Filter>" + filter + "</Filter><DeleteMarkerReplication><Status>" + markers + "</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::" + destination + "</Bucket></Destination></Rule>"
}

// TestExplain brings versions into every state, and looks at what is said.
func TestExplain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		do       func(w *world) (key, version string)
		status   object.Status
		presence check.Presence // of the only copy; "" for none
		want     string         // a part of a conclusion
		why      string         // of the first rule
		refused  bool
	}{
		{
			name: "replicated", do: func(w *world) (string, string) { v := w.put("k"); return v.Key, v.ID },
			status: object.Completed, presence: check.There, want: "it was replicated",
		},
		{
			name: "from before the rule", do: func(w *world) (string, string) {
				w.must(w.src.DeleteBucketReplication(w.Context(), "src"))
				v := w.put("k")
				w.configure(ruleXML("all", "", "Disabled", "dst"))
				return v.Key, v.ID
			},
			presence: check.Absent, want: "it was there before the rule",
		},
		{
			name: "failed", do: func(w *world) (string, string) {
				w.policy("s3:ReplicateDelete arn:aws:s3:::dst/*")
				v := w.put("k")
				return v.Key, v.ID
			},
			status: object.Failed, presence: check.Absent, want: "dst failed with DstPutObjectNotPermitted: User: ", refused: true,
		},
		{
			name: "failed and mended", do: func(w *world) (string, string) {
				w.policy("s3:ReplicateDelete arn:aws:s3:::dst/*")
				v := w.put("k")
				w.policy("s3:ReplicateObject arn:aws:s3:::dst/*")
				return v.Key, v.ID
			},
			status: object.Failed, presence: check.Absent, want: "nothing that is known refuses it now",
		},
		{
			name: "deleted by its id at the destination", do: func(w *world) (string, string) {
				v := w.put("k")
				_, err := w.dst.DeleteObject(w.Context(), "dst", "k", v.ID)
				w.must(err)
				w.must(w.src.PutObjectTagging(w.Context(), "src", "k", v.ID, []object.Tag{{Key: "a", Value: "b"}}))
				for v.Status != object.Failed {
					v, err = w.src.HeadObject(w.Context(), "src", "k", v.ID)
					w.must(err)
				}
				return v.Key, v.ID
			},
			status: object.Failed, presence: check.Absent, want: "no job brings back what was deleted by its id",
		},
		{
			name: "another prefix", do: func(w *world) (string, string) {
				w.configure(ruleXML("logs", "<Prefix>logs/</Prefix>", "Disabled", "dst"))
				v := w.put("k")
				return v.Key, v.ID
			},
			want: "no rule takes it", why: `the key does not begin with "logs/"`,
		},
		{
			name: "another tag", do: func(w *world) (string, string) {
				w.configure(ruleXML("team", "<Tag><Key>team</Key><Value>x</Value></Tag>", "Disabled", "dst"))
				v := w.put("k", object.Tag{Key: "team", Value: "y"})
				return v.Key, v.ID
			},
			want: "no rule takes it", why: "the object has no tag team=x",
		},
		{
			name: "a stronger rule", do: func(w *world) (string, string) {
				w.configure(ruleXML("a", "", "Disabled", "dst") + ruleXML("strong", "", "Disabled", "dst"))
				v := w.put("k")
				return v.Key, v.ID
			},
			status: object.Completed, presence: check.There, want: "it was replicated", why: `rule "strong", of a higher priority, decides for the same destination`,
		},
		{
			name: "a delete marker that no rule takes", do: func(w *world) (string, string) {
				w.configure(ruleXML("all", "", "Disabled", "dst"))
				w.put("k")
				_, err := w.src.DeleteObject(w.Context(), "src", "k", "")
				w.must(err)
				return "k", ""
			},
			want: "no rule takes it", why: "it is a delete marker, and DeleteMarkerReplication is Disabled",
		},
		{
			name: "a delete marker that failed", do: func(w *world) (string, string) {
				w.policy("s3:ReplicateObject arn:aws:s3:::dst/*")
				w.put("k")
				d, err := w.src.DeleteObject(w.Context(), "src", "k", "")
				w.must(err)
				for {
					v, err := w.src.HeadObject(w.Context(), "src", "k", d.VersionID)
					w.must(err)
					if object.Sum(v.Deliveries) != object.Pending {
						return "k", ""
					}
				}
			},
			status: object.Failed, presence: check.Absent, want: "DstDelObjNotPermitted", refused: true,
		},
		{
			name: "nothing configured", do: func(w *world) (string, string) {
				w.must(w.src.DeleteBucketReplication(w.Context(), "src"))
				v := w.put("k")
				return v.Key, v.ID
			},
			want: "has no replication configuration",
		},
		{
			name: "replicated and deleted there", do: func(w *world) (string, string) {
				v := w.put("k")
				_, err := w.dst.DeleteObject(w.Context(), "dst", v.Key, v.ID)
				w.must(err)
				return v.Key, v.ID
			},
			status: object.Completed, presence: check.Absent, want: "a destination does not have it now",
		},
		{
			name: "the destination is gone", do: func(w *world) (string, string) {
				w.must(w.dst.DeleteBucket(w.Context(), "dst"))
				v := w.put("k")
				return v.Key, v.ID
			},
			status: object.Failed, presence: check.Absent, want: "DstBucketNotFound", refused: true,
		},
		{
			name: "an odd key", do: func(w *world) (string, string) { v := w.put("a?b/ü&*+ c"); return v.Key, v.ID },
			status: object.Completed, presence: check.There, want: "it was replicated",
		},
		{
			name: "denied by its tag", do: func(w *world) (string, string) {
				w.must(w.src.PutRolePolicy(w.Context(), "repl", "q", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:GetObjectVersionForReplication","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"secret"}}}}`))
				v := w.put("k", object.Tag{Key: "class", Value: "secret"})
				return v.Key, v.ID
			},
			status: object.Failed, presence: check.Absent, want: "explicit deny", refused: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			key, version := tt.do(w)
			o := check.ObjectOptions{Bucket: "src", Key: key, VersionID: version, Source: w.src, Others: []*client.Client{w.dst}}
			x, err := check.Explain(t.Context(), o)
			w.must(err)
			var b bytes.Buffer
			w.must(x.Write(&b))
			fail := func(format string, args ...any) { t.Errorf(format+"\n%s", append(args, &b)...) }
			if x.Status != tt.status || !strings.Contains(strings.Join(x.Conclusions, "\n"), tt.want) {
				fail("status %q, conclusions %q; want %q, %q", x.Status, x.Conclusions, tt.status, tt.want)
			}
			switch {
			case tt.presence == "" && len(x.Copies) != 0, tt.presence != "" && (len(x.Copies) != 1 || x.Copies[0].Presence != tt.presence):
				fail("copies %+v, want %q", x.Copies, tt.presence)
			}
			if tt.why != "" && x.Rules[0].Why != tt.why {
				fail("rules %+v, want %q", x.Rules, tt.why)
			}
			if refused, unknown := x.Refused(); (refused > 0) != tt.refused || unknown != 0 {
				fail("%d refused, %d unknown", refused, unknown)
			}
			if len(x.History) == 0 {
				fail("nothing happened")
			}
			if !tt.refused {
				return
			}
			r := &check.Report{Plans: x.Plans}
			w.apply(r, "mend")
			if x, err = check.Explain(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if refused, _ := x.Refused(); refused != 0 {
				b.Reset()
				w.must(x.Write(&b))
				fail("after the fixes %d are refused", refused)
			}
		})
	}
}

// TestExplainReplica explains a replica where it arrived, and a version with
// too few credentials.
func TestExplainReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.put("k")
	x, err := check.Explain(t.Context(), check.ObjectOptions{Bucket: "dst", Key: "k", VersionID: v.ID, Source: w.dst})
	w.must(err)
	if x.Status != object.Replica || !strings.Contains(x.Conclusions[0], "it is a replica") {
		t.Errorf("%+v", x)
	}
	x, err = check.Explain(t.Context(), check.ObjectOptions{Bucket: "src", Key: "k", Source: w.src})
	w.must(err)
	if _, unknown := x.Refused(); unknown == 0 || x.Copies[0].Presence != check.Unseen {
		t.Errorf("%+v", x)
	}
	if _, err := check.Explain(t.Context(), check.ObjectOptions{Bucket: "src", Key: "none", Source: w.src}); !errors.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("no such key: %v", err)
	}
	if _, err := check.Explain(t.Context(), check.ObjectOptions{Bucket: "src", Key: "k", VersionID: "none", Source: w.src}); err == nil {
		t.Error("no such version is explained")
	}
}

// TestExplanation is what people read.
func TestExplanation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.dst.PutBucketVersioning(t.Context(), "dst", bucket.Suspended))
	v := w.put("k")
	x, err := check.Explain(t.Context(), check.ObjectOptions{Bucket: "src", Key: "k", VersionID: v.ID, Source: w.src, Others: []*client.Client{w.dst}})
	w.must(err)
	var b bytes.Buffer
	w.must(x.Write(&b))
	text := strings.ReplaceAll(b.String(), v.ID, "VERSION")
	golden(t, "explanation.txt", regexp.MustCompile(`20\d\d-[-0-9T:.]*Z`).ReplaceAll([]byte(text), []byte("TIME")))
}
