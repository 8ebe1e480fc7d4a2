package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/internal/check"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
)

// TestSavedManifest: check and a job agree on what a manifest needs that the
// job saves.
func TestSavedManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.src.CreateBucket(t.Context(), "versioned"))
	w.must(w.src.PutBucketVersioning(t.Context(), "versioned", bucket.Enabled))
	w.must(w.src.CreateBucket(t.Context(), "plain"))
	_, err := w.src.PutObject(t.Context(), client.Put{Version: object.Version{Bucket: "src", Key: "k"}, Body: strings.NewReader("x")})
	w.must(err)
	for _, c := range []struct {
		name, actions string
		want          []string
	}{
		{"versioned", "s3:PutObject", []string{"s3:GetObject", "s3:GetObjectVersion"}},
		{"versioned", "s3:PutObject,s3:GetObject", []string{"s3:GetObjectVersion"}},
		{"versioned", "s3:PutObject,s3:GetObjectVersion", []string{"s3:GetObject"}},
		{"versioned", "s3:PutObject,s3:GetObject,s3:GetObjectVersion", nil},
		{"plain", "s3:PutObject", []string{"s3:GetObject"}},
		{"plain", "s3:PutObject,s3:GetObject", nil},
	} {
		w.role("job", "batchoperations.s3.amazonaws.com",
			"s3:InitiateReplication arn:aws:s3:::src/*",
			"s3:GetReplicationConfiguration,s3:PutInventoryConfiguration arn:aws:s3:::src",
			c.actions+" arn:aws:s3:::"+c.name+"/*")
		r, err := check.Run(t.Context(), check.Options{
			Bucket: "src", Source: w.src, Others: []*client.Client{w.dst}, JobRole: jobRole, Manifest: "s3://" + c.name, Role: replRole, Destination: "dst",
		})
		w.must(err)
		var want []string
		for _, action := range c.want {
			want = append(want, action+" on "+arn.Object(c.name, "*"))
		}
		if got := refused(r); !slices.Equal(got, want) {
			t.Errorf("%s of %s: check finds %q, want %q", c.actions, c.name, got, want)
		}
		id, err := w.src.CreateJob(t.Context(), "111111111111", &job.Spec{
			Token: time.Now().String(), Operation: job.ReplicateObject, RoleARN: jobRole,
			Generator: &job.Generator{SourceBucket: arn.Bucket("src"), EnableOutput: true, Output: &job.Output{Bucket: arn.Bucket(c.name), Format: manifest.Generated}},
		})
		w.must(err)
		done := testenv.Wait(t, func() (*job.Job, bool) {
			j, err := w.src.DescribeJob(t.Context(), "111111111111", id)
			w.must(err)
			return j, j.State.Terminal()
		})
		if (done.State == job.Complete) != (c.want == nil) {
			t.Errorf("%s of %s: the job ends %s: %+v", c.actions, c.name, done.State, done.Failures)
		}
	}
}
