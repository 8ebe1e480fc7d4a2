package check_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/internal/check"
	"twinbucket/internal/iamapi"
	"twinbucket/internal/s3api"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// TestExplainChangesOfReplicas explains a replica whose changes go back while they
// wait, after they failed, and after they arrived.
func TestExplainChangesOfReplicas(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	s3, iam := s3api.New(s3api.Config{Store: e.Store, IAM: e.IAM, Region: testenv.Region, Log: slog.New(slog.DiscardHandler)}), iamapi.New(e.IAM, testenv.Region)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "/s3/aws4_request") {
			s3.ServeHTTP(w, r)
		} else {
			iam.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	var c *client.Client
	for _, a := range e.IAM.Accounts() {
		if a.ID == testenv.Source {
			var err error
			c, err = client.New(client.Config{Endpoint: srv.URL, Region: testenv.Region, Credentials: client.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}})
			e.Must(err)
		}
	}
	for from, to := range map[string]string{"one": "two", "two": "one"} {
		e.Bucket(from, testenv.Source)
		e.Document(from, bucket.Replication, "<ReplicationConfiguration><Role>"+testenv.ReplRole+"</Role>"+strings.Replace(ruleXML("to-"+to, "", "Disabled", to), "<Filter>",
			"<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria><Filter>", 1)+"</ReplicationConfiguration>")
	}
	e.Role("repl", "s3.amazonaws.com", "s3:* *")
	b, err := e.Store.Bucket("one")
	e.Must(err)
	o := e.Put("one", "k", "x")
	_, err = e.Replicate.Replicate(t.Context(), b, []*store.Object{o})
	e.Must(err)
	change := func(value string) {
		t.Helper()
		_, err := e.Store.SetTags(t.Context(), "two", "k", o.ID, []object.Tag{{Key: value}})
		e.Must(err)
	}
	explain := func(status object.Status, changes object.Aspects, refused int, want ...string) {
		t.Helper()
		x, err := check.Explain(t.Context(), check.ObjectOptions{Bucket: "two", Key: "k", VersionID: o.ID, Source: c})
		e.Must(err)
		said := strings.Join(x.Conclusions, "\n")
		if !x.Replica || x.Status != status || len(x.Copies) != 1 || x.Copies[0].Bucket != "one" || x.Copies[0].Changes != changes {
			t.Errorf("%+v", x)
		}
		for _, part := range want {
			if !strings.Contains(said, part) {
				t.Errorf("%s: %q is not said in\n%s", status, part, said)
			}
		}
		if n, unknown := x.Refused(); n != refused || unknown != 0 {
			t.Errorf("%s: %d refused, %d unknown: %+v", status, n, unknown, x.Lines)
		}
		text, err := json.Marshal(x)
		e.Must(err)
		if got := strings.Contains(string(text), `"changes":"tags"`); got != (changes != 0) {
			t.Errorf("%s: %s", status, text)
		}
	}
	change("first")
	explain(object.Pending, object.AspectTags, 0, "it is a replica whose change of tags is on its way back to one")
	e.Role("repl", "s3.amazonaws.com", "!s3:ReplicateTags *", "s3:* *")
	e.Start()
	failed := e.Settled(e.Head("two", "k", o.ID))
	if failed.Status != object.Failed {
		t.Fatalf("%+v", failed.Version)
	}
	explain(object.Failed, object.AspectTags, 1, "one failed with DstPutTaggingNotPermitted", "it is a replica whose change of tags failed to go back to one", "carries what is FAILED")
	e.Role("repl", "s3.amazonaws.com", "s3:* *")
	change("second")
	e.Settled(e.Head("two", "k", o.ID))
	explain(object.Replica, 0, 0, "it came here by replication")
	_, err = e.Store.Delete(t.Context(), "one", "k", o.ID, testenv.Source)
	e.Must(err)
	change("third")
	e.Settled(e.Head("two", "k", o.ID))
	explain(object.Failed, object.AspectTags, 0, "DstVersionNotFound", "the version was deleted there")
}
