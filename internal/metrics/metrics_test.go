package metrics_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"twinbucket/bucket"
	"twinbucket/internal/event"
	"twinbucket/internal/inventory"
	"twinbucket/internal/metrics"
	"twinbucket/internal/prove"
	"twinbucket/internal/replicate"
	"twinbucket/internal/scrub"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twoRules sends everything to one bucket, and what is below m/ to another too,
// for which the role has no rights.
var twoRules = strings.Replace(testenv.Config, "</ReplicationConfiguration>",
	`<Rule><ID>"two" \ &#10;rules for a{b="c"}</ID><Priority>2</Priority><Filter><Prefix>m/</Prefix></Filter><Status>Enabled</Status>`+
		`<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>`+
		`<Destination><Bucket>arn:aws:s3:::`+testenv.Reports+`</Bucket></Destination></Rule></ReplicationConfiguration>`, 1)

// of returns the metrics of an environment at a time.
func of(e *testenv.Env, now time.Time) *metrics.Metrics {
	return metrics.New(metrics.Config{
		Store: e.Store, Jobs: e.Batch, Scrubs: scrub.Noted(e.Catalog), Proofs: prove.New(prove.Config{Store: e.Store, Catalog: e.Catalog}),
		Inventories: inventory.New(inventory.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM}),
		Replication: replicate.New(replicate.Config{Store: e.Store, IAM: e.IAM, Rules: e.Rules, Now: func() time.Time { return now }}),
	})
}

// scrape returns the lines that begin with a prefix.
func scrape(t *testing.T, m *metrics.Metrics, prefix string) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/_twinbucket/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var out strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestReplication has operations that are completed, failed, deleted and
// pending, and loses first the power and then the index.
func TestReplication(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, twoRules)
	e.Start()
	e.Settled(e.Put(testenv.SrcBucket, "m/a", "12345"))
	failed := e.Settled(e.Put(testenv.SrcBucket, "m/b", "1"))
	e.Settled(e.Put(testenv.SrcBucket, "c", "123"))
	_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, failed.Key, failed.ID, testenv.Source)
	e.Must(err)
	e.Crash() // and nothing is replicated from now on
	first := e.Put(testenv.SrcBucket, "m/d", "1234567")
	e.Put(testenv.SrcBucket, "e", strings.Repeat("x", 1<<20))
	now := first.Modified.Add(90 * time.Second)
	const all, two = `{destination_bucket="dst-bucket",rule_id="all",source_bucket="src-bucket"} `,
		`{destination_bucket="reports",rule_id="\"two\" \\ \nrules for a{b=\"c\"}",source_bucket="src-bucket"} `
	want := ""
	for _, m := range []struct{ name, all, two string }{
		{"bytes_completed_total", "9", "0"},
		{"bytes_pending", "1.048583e+06", "7"},
		{"failed_versions", "0", "1"},
		{"latency_seconds", "90", "90"},
		{"operations_completed_total", "3", "0"},
		{"operations_failed_total", "0", "2"},
		{"operations_pending", "2", "1"},
	} {
		want += "twinbucket_replication_" + m.name + all + m.all + "\n" + "twinbucket_replication_" + m.name + two + m.two + "\n"
	}
	want += "twinbucket_replication_tasks_in_flight 0\n"
	hold := func(step string) {
		t.Helper()
		if diff := cmp.Diff(want, scrape(t, of(e, now), "twinbucket_replication_")); diff != "" {
			t.Errorf("%s: %s", step, diff)
		}
	}
	hold("at first")
	e.Crash()
	hold("after a crash")
	fs := e.FS.Crash(0, nil)
	e.Must(fs.RemoveAll("/data/index"))
	made, err := store.Open(fs, "/data", store.Options{Select: e.Rules.Select})
	e.Must(err)
	anew := *e
	anew.Store = made
	if diff := cmp.Diff(want, scrape(t, of(&anew, now), "twinbucket_replication_")); diff != "" {
		t.Errorf("with an index made anew: %s", diff)
	}
	e.Must(made.Close())
	// Rules that are gone are told of only while something waits or is FAILED.
	e.Document(testenv.SrcBucket, bucket.Replication, "")
	hold("without rules")
	e.Start()
	e.Settled(e.Head(testenv.SrcBucket, "m/d", ""))
	e.Settled(e.Head(testenv.SrcBucket, "e", ""))
	for _, key := range []string{"m/a", "m/d", "e"} {
		_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, key, e.Head(testenv.SrcBucket, key, "").ID, testenv.Source)
		e.Must(err)
	}
	want = "twinbucket_replication_tasks_in_flight 0\n"
	hold("without rules and versions")
}

// TestServer has what is told of the server itself.
func TestServer(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	m := of(e, time.Now())
	if got := scrape(t, m, "twinbucket_scrub"); got != "" {
		t.Errorf("before the first pass: %s", got)
	}
	e.Scenario()
	end := time.Unix(1764277200, 0)
	e.Must(scrub.Noted(e.Catalog).Note(t.Context(), scrub.Pass{Began: end.Add(-time.Minute), Finished: end, Checked: store.Checked{Bytes: 7, Problems: 2}}))
	for _, a := range []struct {
		method string
		status int
	}{{"GET", 200}, {"GET", 206}, {"PUT", 503}, {"BREW", 405}} {
		m.Answered("s3", a.method, a.status, 30*time.Millisecond)
	}
	for prefix, want := range map[string]string{
		"twinbucket_buckets":   "twinbucket_buckets 3\n",
		"twinbucket_disk_full": "twinbucket_disk_full 0\n",
		"twinbucket_scrub_": "twinbucket_scrub_last_pass_bytes 7\ntwinbucket_scrub_last_pass_duration_seconds 60\n" +
			"twinbucket_scrub_last_pass_problems 2\ntwinbucket_scrub_last_pass_timestamp_seconds 1.7642772e+09\n",
		"twinbucket_batch_jobs{state=\"S": "twinbucket_batch_jobs{state=\"Suspended\"} 0\n",
		"twinbucket_http_requests_total": "twinbucket_http_requests_total{api=\"s3\",code=\"2xx\",method=\"GET\"} 2\n" +
			"twinbucket_http_requests_total{api=\"s3\",code=\"4xx\",method=\"other\"} 1\n" +
			"twinbucket_http_requests_total{api=\"s3\",code=\"5xx\",method=\"PUT\"} 1\n",
		"twinbucket_http_request_duration_seconds_sum{api=\"s3\",method=\"GET\"}": "twinbucket_http_request_duration_seconds_sum{api=\"s3\",method=\"GET\"} 0.06\n",
	} {
		if diff := cmp.Diff(want, scrape(t, m, prefix)); diff != "" {
			t.Errorf("%s: %s", prefix, diff)
		}
	}
	for _, name := range []string{"twinbucket_journal_written_bytes_total", "twinbucket_journal_size_bytes", "twinbucket_index_size_bytes", "go_goroutines", "process_start_time_seconds"} {
		if got := scrape(t, m, name+" "); got == "" || strings.HasSuffix(got, " 0\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/_twinbucket/metrics", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("posted: %d %v", w.Code, w.Header())
	}
}

// proved has a pass over the replicas of the source bucket end.
func proved(e *testenv.Env) {
	e.T.Helper()
	b, err := e.Store.Bucket(testenv.SrcBucket)
	e.Must(err)
	state, err := json.Marshal(map[string]any{"created": b.Created, "last": []prove.Verified{
		{Destination: testenv.DstBucket, Finished: time.Unix(1764277200, 0), Replicas: 10, Differ: 1, Removed: 2, Missing: 3},
	}})
	e.Must(err)
	_, err = e.Store.PutRecord(e.T.Context(), "proof", testenv.SrcBucket, state, 0)
	e.Must(err)
}

// TestProofs has what the last look at replicas found.
func TestProofs(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	m := of(e, time.Now())
	if got := scrape(t, m, "twinbucket_replicas_"); got != "" {
		t.Errorf("before the first pass: %s", got)
	}
	proved(e)
	const ends = `{destination_bucket="dst-bucket",source_bucket="src-bucket"} `
	want := "twinbucket_replicas_verified" + ends + "4\n" + "twinbucket_replicas_verified_timestamp_seconds" + ends + "1.7642772e+09\n" + "twinbucket_replicas_wrong" + ends + "4\n"
	if diff := cmp.Diff(want, scrape(t, m, "twinbucket_replicas_")); diff != "" {
		t.Error(diff)
	}
}

// listed has an inventory of the source bucket delivered, and one refused.
func listed(e *testenv.Env) {
	e.T.Helper()
	for _, s := range []inventory.Standing{
		{Bucket: "src-bucket", Configuration: "daily", Delivered: 3, Refused: 1, Last: time.Unix(1764277200, 0)},
		{Bucket: "src-bucket", Configuration: "new", Refused: 2},
	} {
		data, err := json.Marshal(s)
		e.Must(err)
		_, err = e.Store.PutRecord(e.T.Context(), "inventory", s.Bucket+"/"+s.Configuration, data, 0)
		e.Must(err)
	}
}

// TestInventories has how configurations have fared.
func TestInventories(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	listed(e)
	const daily, anew = `{bucket="src-bucket",configuration="daily"} `, `{bucket="src-bucket",configuration="new"} `
	want := "twinbucket_inventories_delivered_total" + daily + "3\n" + "twinbucket_inventories_delivered_total" + anew + "0\n" +
		"twinbucket_inventories_refused_total" + daily + "1\n" + "twinbucket_inventories_refused_total" + anew + "2\n" +
		"twinbucket_inventory_last_delivered_timestamp_seconds" + daily + "1.7642772e+09\n" + "twinbucket_inventory_last_delivered_timestamp_seconds" + anew + "0\n"
	if diff := cmp.Diff(want, scrape(t, of(e, time.Now()), "twinbucket_inventor")); diff != "" {
		t.Error(diff)
	}
}

// telling is a store that has three events for a target.
func telling(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(vfs.Memory(), "/data", store.Options{Tell: func(b *bucket.Bucket, e *event.Event) bool {
		e.Target = "arn:aws:sqs:us-east-1:111111111111:q"
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	err = s.CreateBucket(t.Context(), &bucket.Bucket{Name: "told", Owner: testenv.Source, Documents: map[bucket.Document][]byte{bucket.Notification: []byte("x")}})
	for _, key := range []string{"a", "b", "c"} {
		if err == nil {
			_, err = s.Put(t.Context(), store.Put{Version: object.Version{Bucket: "told", Key: key, Owner: testenv.Source}, Body: strings.NewReader("")})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEvents has what targets are to be told.
func TestEvents(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	with := *e
	with.Store = telling(t)
	want := ""
	for _, line := range []string{"dropped_total%s 0", "told_total%s 0", "waiting%s 3"} {
		want += "twinbucket_events_" + fmt.Sprintf(line, `{target="arn:aws:sqs:us-east-1:111111111111:q"}`) + "\n"
	}
	if diff := cmp.Diff(want, scrape(t, of(&with, time.Now()), "twinbucket_events_")); diff != "" {
		t.Error(diff)
	}
}

// TestJobs counts jobs by their states.
func TestJobs(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	for _, j := range []struct{ account, state string }{{"1", "Suspended"}, {"2", "Suspended"}, {"2", "Complete"}} {
		_, err := e.Store.PutRecord(t.Context(), "job", j.account+"/"+j.state, []byte(`{"state":"`+j.state+`"}`), 0)
		e.Must(err)
	}
	got := scrape(t, of(e, time.Now()), "twinbucket_batch_jobs")
	for _, want := range []string{`{state="Suspended"} 2`, `{state="Complete"} 1`, `{state="Active"} 0`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// TestScrapesWhileBusy scrapes while objects are put, replicated and deleted.
func TestScrapesWhileBusy(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	m := metrics.New(metrics.Config{Store: e.Store, Jobs: e.Batch, Scrubs: scrub.Noted(e.Catalog), Proofs: prove.New(prove.Config{Store: e.Store, Catalog: e.Catalog}), Inventories: inventory.New(inventory.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM}), Replication: e.Replicate})
	const writers, objects = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range objects {
				key := fmt.Sprintf("%d/%d", w, i)
				if o := e.Settled(e.Put(testenv.SrcBucket, key, "123")); i%2 == 0 {
					_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, key, o.ID, testenv.Source)
					e.Must(err)
				}
				m.Answered("s3", "PUT", 200, time.Millisecond)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		scrape(t, m, "twinbucket_")
	}
	want := fmt.Sprintf("{destination_bucket=%q,rule_id=\"all\",source_bucket=%q} %d\n", testenv.DstBucket, testenv.SrcBucket, writers*objects)
	if got := scrape(t, m, "twinbucket_replication_operations_completed_total"); !strings.HasSuffix(got, want) {
		t.Error(got)
	}
}

// types scrapes a server that has something of everything, and returns the
// metrics of its own with their types.
func types(t *testing.T) map[string]string {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Must(scrub.Noted(e.Catalog).Note(t.Context(), scrub.Pass{Finished: time.Now()}))
	proved(e)
	listed(e)
	m := of(e, time.Now())
	m.Answered("s3", "GET", 200, time.Second)
	with := *e
	with.Store = telling(t)
	out := map[string]string{}
	for line := range strings.Lines(scrape(t, m, "# TYPE twinbucket_") + scrape(t, of(&with, time.Now()), "# TYPE twinbucket_events")) {
		f := strings.Fields(line)
		out[f[2]] = f[3]
	}
	problems, err := promlint.New(strings.NewReader(scrape(t, m, ""))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	return out
}

var named = regexp.MustCompile(`twinbucket_[a-z0-9_]+`)

// TestDocumented: the document names what there is, and nothing else.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(twinbucket_[a-z_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2]
	}
	if diff := cmp.Diff(types(t), documented); diff != "" {
		t.Error(diff)
	}
}

// expressions returns what the shipped files ask Prometheus, by where.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(name string) []byte {
		data, err := os.ReadFile("../../examples/monitoring/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(read("twinbucket.rules.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s: %+v says too little", g.Name, r)
			}
			if _, twice := out[r.Alert]; twice {
				t.Errorf("%s is there twice", r.Alert)
			}
			out[r.Alert] = r.Expr
		}
	}
	var board struct {
		UID, Title string
		Panels     []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			Targets     []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(read("dashboard.json"), &board); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for i, target := range p.Targets {
			out[fmt.Sprint(p.Title, i)] = target.Expr
		}
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("panel %s asks nothing", p.Title)
		}
	}
	for _, v := range board.Templating.List {
		if v.Name != "datasource" {
			out["variable "+v.Name] = v.Query
		}
	}
	if len(out) < 20 {
		t.Errorf("only %d expressions: %v", len(out), out)
	}
	return out
}

// TestExamplesNameWhatThereIs holds alert rules and dashboard against the metrics.
func TestExamplesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	have := types(t)
	for name, kind := range maps.Clone(have) {
		if kind == "histogram" {
			have[name+"_bucket"], have[name+"_sum"], have[name+"_count"] = kind, kind, kind
		}
	}
	for where, expr := range expressions(t) {
		names := named.FindAllString(expr, -1)
		for _, name := range names {
			if have[name] == "" {
				t.Errorf("%s: there is no %s", where, name)
			}
			if have[name] == "counter" && !strings.Contains(expr, "rate(") && !strings.Contains(expr, "increase(") && !strings.Contains(expr, "label_values(") {
				t.Errorf("%s: %s is a counter", where, name)
			}
		}
		if len(names) == 0 && !strings.Contains(expr, "up{") && !strings.Contains(expr, "process_") && !strings.Contains(expr, "go_") {
			t.Errorf("%s asks for nothing of ours: %q", where, expr)
		}
	}
}
