package report_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/fault"
	"twinbucket/report"
)

// TestRows holds rows as AWS writes them: the HTTP status comes before the
// error code, whatever the schema says.
func TestRows(t *testing.T) {
	t.Parallel()
	for want, row := range map[string]report.Row{
		"src,key,ver,succeeded,200,,success\n": {Bucket: "src", Key: "key", VersionID: "ver", Succeeded: true, HTTPStatus: 200},
		"src,key,ver,failed,500,SrcObjectNotEligible,Object is not eligible for replication\n": {
			Bucket: "src", Key: "key", VersionID: "ver", HTTPStatus: 500,
			Code: "SrcObjectNotEligible", Message: "Object is not eligible for replication",
		},
		"src,a/b%20c%2B,null,failed,403,DstPutObjectNotPermitted,\"no \"\"Allow\"\", in  dst\"\n": {
			Bucket: "src", Key: "a/b c+", VersionID: "null", HTTPStatus: 403,
			Code: "DstPutObjectNotPermitted", Message: "no \"Allow\", in\r\ndst",
		},
	} {
		if diff := cmp.Diff(want, string(row.AppendCSV(nil))); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var b []byte
		var want []report.Row
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			r := report.Row{
				Bucket: "src", Key: rapid.StringN(1, -1, 1024).Draw(t, "key"), VersionID: "v",
				Succeeded: rapid.Bool().Draw(t, "succeeded"), HTTPStatus: rapid.IntRange(200, 599).Draw(t, "status"),
				Code: "Code", Message: rapid.StringMatching(`[a-z",]{1,20}`).Draw(t, "message"),
			}
			want = append(want, r)
			b = r.AppendCSV(b)
		}
		var got []report.Row
		for in := report.NewReader(strings.NewReader(string(b))); ; {
			r, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read)\n%s", diff)
		}
	})
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"a,b\n", "src,key,ver,done,200,,success\n", "src,key,ver,failed,x,,\n", "src,%zz,ver,failed,400,,\n", "\"",
	} {
		if _, err := report.NewReader(strings.NewReader(in)).Next(); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	s := report.NewSummary(time.Date(2019, 4, 5, 17, 48, 39, 725e6, time.UTC), []report.Result{
		{TaskExecutionStatus: "succeeded", Bucket: "reports", MD5Checksum: "83b1", Key: report.ResultKey("p/", "5a1c", true)},
	})
	const want = `{"Format":"Report_CSV_20180820","ReportCreationDate":"2019-04-05T17:48:39.725Z",` +
		`"Results":[{"TaskExecutionStatus":"succeeded","Bucket":"reports","MD5Checksum":"83b1",` +
		`"Key":"p/job-5a1c/results/211def621972fdd8ea6817ca07fcc603047cdad3.csv"}],` +
		`"ReportSchema":"Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"}` + "\n"
	if diff := cmp.Diff(want, string(s.JSON())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	back, err := report.ParseSummary(s.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := report.ParseSummary([]byte(`{"Format":"other"}`)); !errors.Is(err, fault.Invalid) {
		t.Errorf("another format: %v", err)
	}
	if got := string(report.NewSummary(time.Time{}, nil).JSON()); !strings.Contains(got, `"Results":[]`) {
		t.Errorf("no results: %s", got)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	if got := report.SummaryKey("", "5a1c"); got != "job-5a1c/manifest.json" {
		t.Errorf("%s", got)
	}
	if got := report.SummaryKey("a/b", "5a1c"); got != "a/b/job-5a1c/manifest.json" {
		t.Errorf("%s", got)
	}
	if report.ResultKey("p", "5a1c", true) == report.ResultKey("p", "5a1c", false) {
		t.Error("succeeded and failed tasks share a file")
	}
}
