package s3api_test

import (
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"twinbucket/arn"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/stack"
	"twinbucket/policy"
)

// tagsOf returns a bucket's tags as "key=value", one a line.
func (w *world) tagsOf(name string) string {
	w.t.Helper()
	var doc struct {
		Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal([]byte(w.call(200, "GET", "/"+name+"?tagging", "").body), &doc); err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, t := range doc.Tags {
		out = append(out, t.Key+"="+t.Value)
	}
	return strings.Join(out, "\n")
}

// tagging is a tagging document of tags written as tagsOf has them.
func tagging(tags ...string) string {
	var b strings.Builder
	for _, t := range tags {
		key, value, _ := strings.Cut(t, "=")
		fmt.Fprintf(&b, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", key, value)
	}
	return "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"
}

// The tags that CloudFormation puts on a bucket are neither the user's to set
// nor to remove.
func TestSystemTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stacks := stack.New(stack.Deps{Store: w.store, Catalog: catalog.New(w.store), IAM: w.iam, Region: "us-east-1", Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(stacks.Stop)
	account := w.account[source].ID
	root := &iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: account, ARN: arn.Root(account), UserID: account}}
	id, err := stacks.Create(t.Context(), root, stack.Input{
		Name: "s", Template: "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: bkt, Tags: [{Key: team, Value: a}]}}}",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := stacks.Wait(t.Context(), account, id); err != nil || s.Status != stack.CreateComplete {
		t.Fatal(s, err)
	}
	system := []string{"aws:cloudformation:stack-name=s", "aws:cloudformation:stack-id=" + id, "aws:cloudformation:logical-id=B"}
	want := func(own ...string) {
		t.Helper()
		if got, want := w.tagsOf("bkt"), strings.Join(append(own, system...), "\n"); got != want {
			t.Errorf("tags\n%s\nwant\n%s", got, want)
		}
	}
	want("team=a")
	for _, tags := range [][]string{{"x=1"}, nil, append([]string{"x=1"}, system[1:]...)} {
		if got := w.call(400, "PUT", "/bkt?tagging", tagging(tags...)); got.code != "InvalidTag" || !strings.Contains(got.body, "System tags cannot be removed by requester") {
			t.Errorf("without system tags: %s", got.body)
		}
	}
	w.call(204, "PUT", "/bkt?tagging", tagging(append(system, "x=1", "y=")...))
	want("x=1", "y=")
	// What GetBucketTagging answered may be sent back, with changes to what is
	// the user's.
	w.call(204, "PUT", "/bkt?tagging", tagging(append(system, "x=2")...))
	want("x=2")
	for name, tags := range map[string][]string{
		"another value": {"x=3", "aws:cloudformation:stack-name=t"},
		"another key":   {"x=3", "aws:cloudformation:stack=s"},
		"another case":  {"x=3", "AWS:cloudformation:stack-name=s"},
	} {
		got := w.call(400, "PUT", "/bkt?tagging", tagging(tags...))
		if got.code != "InvalidTag" || !strings.Contains(got.body, "<Message>System tags cannot be added/updated by requester</Message>") {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if got := w.call(400, "PUT", "/bkt?tagging", tagging(system[0], system[0])); !strings.Contains(got.body, "Cannot provide multiple Tags with the same key") {
		t.Errorf("twice: %s", got.body)
	}
	want("x=2")
	// System tags do not count.
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("k%02d=", i))
	}
	w.call(204, "PUT", "/bkt?tagging", tagging(append(many, system...)...))
	want(many...)
	if got := w.call(400, "PUT", "/bkt?tagging", tagging(append(many, "x=1")...)); got.code != "BadRequest" || !strings.Contains(got.body, "Bucket tag count cannot be greater than 50") {
		t.Errorf("51 tags: %s", got.body)
	}
	for range 2 {
		w.call(204, "DELETE", "/bkt?tagging", "")
		want()
	}
	w.call(204, "PUT", "/bkt?tagging", tagging(system...))
	want()

	// A bucket can have tags from its beginning.
	w.call(200, "PUT", "/born", "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>")
	if got := w.tagsOf("born"); got != "a=1" {
		t.Errorf("tags %s", got)
	}

	// A bucket without system tags.
	w.call(200, "PUT", "/plain", "")
	w.call(204, "PUT", "/plain?tagging", tagging())
	if got := w.tagsOf("plain"); got != "" {
		t.Errorf("tags %s", got)
	}
	if got := w.call(400, "PUT", "/plain?tagging", tagging(system[0])); got.code != "InvalidTag" {
		t.Errorf("system tag on a bucket of the user's: %s", got.body)
	}
	for range 2 {
		w.call(204, "DELETE", "/plain?tagging", "")
		w.call(404, "GET", "/plain?tagging", "")
	}
}
