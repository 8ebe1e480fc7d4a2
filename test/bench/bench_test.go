// Package bench measures what the server spends: processor time of the server
// process alone, per operation, with 64 clients over loopback.
//
//	go test ./test/bench -run xxx -bench . -benchtime 20000x
//
// The S3 benchmarks run against Twinbucket, against a floor (see floor), and
// against versitygw if -versitygw names its program.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/examples"
	"twinbucket/job"
	"twinbucket/object"
)

const clients = 64

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// cpu is the processor time that the server has used.
func (s *server) cpu() time.Duration {
	s.b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	check(s.b, err)
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, v := range f[11:13] {
		n, err := strconv.ParseInt(v, 10, 64)
		check(s.b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// measure runs n operations over the clients and reports the server's
// processor time for each.
func (s *server) measure(n int, op func(ctx context.Context, i int) error) {
	s.b.Helper()
	s.b.ResetTimer()
	before := s.cpu()
	s.each(n, op)
	s.report(before, n)
}

func (s *server) report(before time.Duration, n int) {
	s.b.Helper()
	s.b.StopTimer()
	s.b.ReportMetric(float64((s.cpu()-before).Microseconds())/float64(n), "server-µs/op")
}

func (s *server) each(n int, op func(ctx context.Context, i int) error) {
	s.b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := op(context.Background(), i); err != nil {
					s.b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (s *server) versioned(name string, c *client.Client) {
	s.b.Helper()
	check(s.b, c.CreateBucket(context.Background(), name))
	check(s.b, c.PutBucketVersioning(context.Background(), name, bucket.Enabled))
}

func (s *server) put(name string, body []byte) func(context.Context, int) error {
	return func(ctx context.Context, i int) error {
		_, err := s.src.PutObject(ctx, client.Put{Version: object.Version{Bucket: name, Key: fmt.Sprintf("dir/%08d", i)}, Body: bytes.NewReader(body)})
		return err
	}
}

func (s *server) get(name string, keys int) func(context.Context, int) error {
	return func(ctx context.Context, i int) error {
		o, err := s.src.GetObject(ctx, name, fmt.Sprintf("dir/%08d", i%keys), client.Get{})
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, o.Body); err != nil {
			return err
		}
		return o.Body.Close()
	}
}

func BenchmarkPut4K(b *testing.B) { put(b, 4<<10) }

func BenchmarkGet4K(b *testing.B) { get(b, 4<<10, 2000) }

func BenchmarkPut1M(b *testing.B) { put(b, 1<<20) }

func BenchmarkGet1M(b *testing.B) { get(b, 1<<20, 50) }

func BenchmarkPut256M(b *testing.B) { put(b, 256<<20) }

func BenchmarkGet256M(b *testing.B) { get(b, 256<<20, 1) }

// put measures PUTs of new keys with bodies of size bytes.
func put(b *testing.B, size int) {
	compare(b, true, func(s *server) {
		s.versioned("bench", s.src)
		s.b.SetBytes(int64(size))
		s.measure(s.b.N, s.put("bench", make([]byte, size)))
	})
}

// get measures GETs of bodies of size bytes, of so many keys.
func get(b *testing.B, size, keys int) {
	compare(b, true, func(s *server) {
		s.versioned("bench", s.src)
		s.each(keys, s.put("bench", make([]byte, size)))
		s.b.SetBytes(int64(size))
		s.measure(s.b.N, s.get("bench", keys))
	})
}

func BenchmarkListPage(b *testing.B) {
	compare(b, false, func(s *server) {
		s.versioned("bench", s.src)
		s.each(5000, s.put("bench", nil))
		s.measure(s.b.N, func(ctx context.Context, _ int) error {
			_, err := s.src.ListObjectsV2(ctx, "bench", client.List{Max: 1000})
			return err
		})
	})
}

// scenario deploys cross-account replication; with live, the rule is there
// from the start.
func (s *server) scenario(live bool) {
	s.b.Helper()
	deploy := func(c *client.Client, name, file string, params map[string]string) {
		text, err := examples.Template(file)
		check(s.b, err)
		_, err = c.Deploy(context.Background(), name, text, params, []string{"CAPABILITY_NAMED_IAM"})
		check(s.b, err)
	}
	deploy(s.src, "source-bucket", "0-source-bucket.yaml", nil)
	deploy(s.dst, "destination-bucket", "2a-destination-bucket.yaml", nil)
	deploy(s.src, "replication-role", "1-replication-role.yaml", nil)
	deploy(s.dst, "destination-policy", "2-destination-policy.yaml", nil)
	deploy(s.src, "batch-role", "4-batch-role.yaml", nil)
	if live {
		deploy(s.src, "source-bucket", "3-source-bucket-replicated.yaml", nil)
	}
}

// BenchmarkLive4K is a PUT of 4 KiB with its replica: the difference to
// BenchmarkPut4K is what the replica costs.
func BenchmarkLive4K(b *testing.B) {
	s := start(b)
	s.scenario(true)
	s.b.ResetTimer()
	before := s.cpu()
	s.each(b.N, s.put("src", make([]byte, 4096)))
	for { // the last one may be settled before others: look at all that were in flight
		left := 0
		for i := max(0, b.N-4*clients); i < b.N; i++ {
			v, err := s.src.HeadObject(context.Background(), "src", fmt.Sprintf("dir/%08d", i), "")
			check(b, err)
			if v.Status == object.Pending {
				left++
			}
		}
		if left == 0 {
			break
		}
	}
	s.report(before, b.N)
}

// BenchmarkJob4K is what a batch job spends on an object: its manifest, the
// copy, the report.
func BenchmarkJob4K(b *testing.B) {
	s := start(b)
	s.scenario(false)
	s.each(b.N, s.put("src", make([]byte, 4096)))
	text, err := examples.Template("3-source-bucket-replicated.yaml")
	check(b, err)
	_, err = s.src.Deploy(context.Background(), "source-bucket", text, nil, nil)
	check(b, err)
	check(b, s.src.CreateBucket(context.Background(), "reports"))
	yes := true
	s.b.ResetTimer()
	before := s.cpu()
	id, err := s.src.CreateJob(context.Background(), "111111111111", &job.Spec{
		Token: "t", Operation: job.ReplicateObject, Priority: 1, RoleARN: arn.Role("111111111111", "/", "batch-role"),
		Report:    job.Report{},
		Generator: &job.Generator{SourceBucket: arn.Bucket("src"), Filter: &job.Filter{EligibleForReplication: &yes}},
	})
	check(b, err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		j, err := s.src.DescribeJob(context.Background(), "111111111111", id)
		check(b, err)
		if j.State.Terminal() {
			if j.State != job.Complete || j.Progress.Succeeded != int64(b.N) {
				b.Fatalf("%+v", j)
			}
			break
		}
	}
	s.report(before, b.N)
}
