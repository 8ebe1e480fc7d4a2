package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinbucket/fault"
	"twinbucket/internal/inventory"
	"twinbucket/internal/outbox"
	"twinbucket/internal/prove"
	"twinbucket/internal/replicate"
	"twinbucket/internal/scrub"
	"twinbucket/internal/store"
	"twinbucket/job"
)

// of is a metric that is read from a T.
type of[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

func gauge[T any](name, help string, value func(T) float64, labels ...string) of[T] {
	return of[T]{prometheus.NewDesc("twinbucket_"+name, help, labels, nil), prometheus.GaugeValue, value}
}

func counter[T any](name, help string, value func(T) float64, labels ...string) of[T] {
	return of[T]{prometheus.NewDesc("twinbucket_"+name, help, labels, nil), prometheus.CounterValue, value}
}

// lane are the labels of what is told of each rule and destination: the
// dimensions of Amazon's metrics.
var lane = []string{"source_bucket", "destination_bucket", "rule_id"}

// configurations are the labels of what is told of inventory configurations.
var configurations = []string{"bucket", "configuration"}

// ends are the labels of what is told of replicas.
var ends = lane[:2]

var (
	ofLanes = []of[replicate.Standing]{
		gauge("replication_bytes_pending", "Bytes of objects that wait for replication (Amazon S3: BytesPendingReplication).",
			func(s replicate.Standing) float64 { return float64(s.PendingBytes) }, lane...),
		gauge("replication_operations_pending", "Objects, delete markers and changes of metadata that wait for replication (Amazon S3: OperationsPendingReplication).",
			func(s replicate.Standing) float64 { return float64(s.Pending) }, lane...),
		gauge("replication_latency_seconds", "How far the destination is behind: how long the first operation has waited; 0 if none waits (Amazon S3: ReplicationLatency).",
			func(s replicate.Standing) float64 { return s.Latency.Seconds() }, lane...),
		gauge("replication_failed_versions", "Versions that are FAILED now, until they are retried or deleted.",
			func(s replicate.Standing) float64 { return float64(s.Failed) }, lane...),
		counter("replication_operations_failed_total", "Operations that failed, those of batch jobs included (Amazon S3: OperationsFailedReplication).",
			func(s replicate.Standing) float64 { return float64(s.Failures) }, lane...),
		counter("replication_operations_completed_total", "Operations that were completed, those of batch jobs included.",
			func(s replicate.Standing) float64 { return float64(s.Completed) }, lane...),
		counter("replication_bytes_completed_total", "Bytes of the objects that were replicated, by batch jobs too.",
			func(s replicate.Standing) float64 { return float64(s.CompletedBytes) }, lane...),
	}
	ofEngine = []of[*replicate.Engine]{
		gauge("replication_tasks_in_flight", "Tasks of live replication, of up to 256 versions each, that are on their way or being worked on.",
			func(e *replicate.Engine) float64 { return float64(e.InFlight()) }),
	}
	ofStore = []of[store.Usage]{
		gauge("buckets", "Buckets of all accounts.",
			func(u store.Usage) float64 { return float64(u.Buckets) }),
		counter("journal_written_bytes_total", "Bytes that were ever appended to the journal.",
			func(u store.Usage) float64 { return float64(u.Written) }),
		gauge("journal_size_bytes", "Size of the journal on disk.",
			func(u store.Usage) float64 { return float64(u.Journal) }),
		gauge("index_size_bytes", "Size of the index on disk.",
			func(u store.Usage) float64 { return float64(u.Index) }),
		gauge("disk_full", "1 while the disk is full, the reserve is given up and only deletes are taken; else 0.",
			func(u store.Usage) float64 {
				if u.Full {
					return 1
				}
				return 0
			}),
	}
	ofScrub = []of[scrub.Pass]{
		gauge("scrub_last_pass_timestamp_seconds", "When the last reading of everything stored ended, as Unix time; absent before the first.",
			func(p scrub.Pass) float64 { return float64(p.Finished.UnixNano()) / float64(time.Second) }),
		gauge("scrub_last_pass_duration_seconds", "How long the last reading of everything stored took.",
			func(p scrub.Pass) float64 { return p.Finished.Sub(p.Began).Seconds() }),
		gauge("scrub_last_pass_bytes", "Bytes that the last reading of everything stored read.",
			func(p scrub.Pass) float64 { return float64(p.Checked.Bytes) }),
		gauge("scrub_last_pass_problems", "Damage that the last reading of everything stored found.",
			func(p scrub.Pass) float64 { return float64(p.Checked.Problems) }),
	}
	ofProofs = []of[prove.Verified]{
		gauge("replicas_verified_timestamp_seconds", "When the last look at the replicas of a bucket at one destination ended, as Unix time; absent before the first.",
			func(v prove.Verified) float64 { return float64(v.Finished.UnixNano()) / float64(time.Second) }, ends...),
		gauge("replicas_verified", "Replicas that the last look found as they have to be.",
			func(v prove.Verified) float64 { return float64(v.Replicas - v.Differ - v.Removed - v.Missing) }, ends...),
		gauge("replicas_wrong", "Replicas that the last look found different or missing; those that were deleted at the destination are not among them.",
			func(v prove.Verified) float64 { return float64(v.Differ + v.Missing) }, ends...),
	}
	ofInventories = []of[inventory.Standing]{
		counter("inventories_delivered_total", "Inventories that were delivered.",
			func(s inventory.Standing) float64 { return float64(s.Delivered) }, configurations...),
		counter("inventories_refused_total", "Inventories that their destination refused.",
			func(s inventory.Standing) float64 { return float64(s.Refused) }, configurations...),
		gauge("inventory_last_delivered_timestamp_seconds", "When the last inventory that was delivered began, as Unix time; 0 before the first.",
			func(s inventory.Standing) float64 {
				if s.Last.IsZero() {
					return 0
				}
				return float64(s.Last.UnixNano()) / float64(time.Second)
			}, configurations...),
	}
	ofOutboxes = []of[outbox.Box]{
		gauge("events_waiting", "Events that a target is to be told of.",
			func(x outbox.Box) float64 { return float64(x.Waiting) }, "target"),
		counter("events_told_total", "Events that a target has taken.",
			func(x outbox.Box) float64 { return float64(x.Told) }, "target"),
		counter("events_dropped_total", "Events that were given up, too old or too many.",
			func(x outbox.Box) float64 { return float64(x.Dropped) }, "target"),
	}
	ofJobs = gauge("batch_jobs", "Batch jobs of all accounts, by state. Suspended jobs wait for their user's confirmation.",
		func(n int) float64 { return float64(n) }, "state")
)

// collector reads the metrics that are kept elsewhere, when it is asked.
type collector struct{ Config }

// Describe tells what there are.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, ofLanes)
	describe(ch, ofEngine)
	describe(ch, ofStore)
	describe(ch, ofScrub)
	describe(ch, ofProofs)
	describe(ch, ofInventories)
	describe(ch, ofOutboxes)
	ch <- ofJobs.desc
}

func describe[T any](ch chan<- *prometheus.Desc, metrics []of[T]) {
	for _, m := range metrics {
		ch <- m.desc
	}
}

func collect[T any](ch chan<- prometheus.Metric, metrics []of[T], from T, labels ...string) {
	for _, m := range metrics {
		v, err := prometheus.NewConstMetric(m.desc, m.kind, m.value(from), labels...)
		if err != nil {
			v = prometheus.NewInvalidMetric(m.desc, err)
		}
		ch <- v
	}
}

// Collect reads them. What cannot be read fails the scrape.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	standings, err := c.Replication.Standings(context.Background(), "")
	if err != nil {
		ch <- prometheus.NewInvalidMetric(ofLanes[0].desc, err)
	}
	for _, s := range standings {
		collect(ch, ofLanes, s, s.Source, s.Destination, s.Rule)
	}
	collect(ch, ofEngine, c.Replication)
	collect(ch, ofStore, c.Store.Usage())
	switch pass, err := c.Scrubs.Last(); {
	case err == nil:
		collect(ch, ofScrub, pass)
	case !errors.Is(err, fault.NotFound):
		ch <- prometheus.NewInvalidMetric(ofScrub[0].desc, err)
	}
	for _, b := range c.Store.Buckets() {
		proofs, err := c.Proofs.Last(b.Name)
		if err != nil && !errors.Is(err, fault.NotFound) { // a bucket may go meanwhile
			ch <- prometheus.NewInvalidMetric(ofProofs[0].desc, err)
		}
		for _, v := range proofs {
			collect(ch, ofProofs, v, b.Name, v.Destination)
		}
	}
	inventories, err := c.Inventories.Standings()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(ofInventories[0].desc, err)
	}
	for _, s := range inventories {
		collect(ch, ofInventories, s, s.Bucket, s.Configuration)
	}
	boxes, err := c.Store.Outboxes()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(ofOutboxes[0].desc, err)
	}
	for _, x := range boxes {
		collect(ch, ofOutboxes, x, x.Target)
	}
	jobs, err := c.Jobs.Census()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(ofJobs.desc, err)
		return
	}
	for _, state := range job.States() {
		collect(ch, []of[int]{ofJobs}, jobs[state], string(state))
	}
}
