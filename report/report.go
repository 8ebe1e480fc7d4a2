// Package report writes and reads the completion report of a batch job in the
// format Report_CSV_20180820 (S3 User Guide, "Examples: S3 Batch Operations
// completion reports"): files of rows, one for the tasks that succeeded and
// one for those that failed, and a manifest.json that lists them.
package report

import (
	"bytes"
	"crypto/sha1"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// Format names the one format of reports.
const Format = "Report_CSV_20180820"

// schema is the column list of every manifest.json. AWS's rows, and ours,
// hold the HTTP status before the error code all the same.
const schema = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"

// The statuses of tasks.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
)

// Row is the outcome of one task.
type Row struct {
	Bucket, Key, VersionID string
	Succeeded              bool
	HTTPStatus             int    // 200 for success
	Code                   string // failure code, "" for success
	Message                string // one line; "" of a success is written as "success"
}

// Status returns Succeeded or Failed.
func (r *Row) Status() string {
	if r.Succeeded {
		return Succeeded
	}
	return Failed
}

// keyForm makes the query form of URL encoding the one of manifests.
var keyForm = strings.NewReplacer("+", "%20", "%2F", "/")

// AppendCSV appends the row and a line end to b. The key is URL-encoded;
// fields that need them are in double quotes.
func (r *Row) AppendCSV(b []byte) []byte {
	message := r.Message
	if r.Succeeded && message == "" {
		message = "success"
	}
	key := keyForm.Replace(url.QueryEscape(r.Key))
	b = appendField(b, r.Bucket)
	for _, f := range [...]string{key, r.VersionID, r.Status(), strconv.Itoa(r.HTTPStatus), r.Code, message} {
		b = appendField(append(b, ','), f)
	}
	return append(b, '\n')
}

// appendField appends one field, on one line: line breaks become spaces.
func appendField(b []byte, s string) []byte {
	if !strings.ContainsAny(s, "\",\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"':
			b = append(b, '"', '"')
		case '\r', '\n':
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// Reader reads the rows of one file.
type Reader struct{ in *csv.Reader }

// NewReader returns a Reader of the rows of r.
func NewReader(r io.Reader) *Reader {
	in := csv.NewReader(r)
	in.FieldsPerRecord = 7
	in.ReuseRecord = true
	return &Reader{in: in}
}

// Next returns the next row, and io.EOF after the last one. A file that is
// no report is Invalid.
func (r *Reader) Next() (Row, error) {
	f, err := r.in.Read()
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax):
		return Row{}, &fault.Error{Op: "report.read", Kind: fault.Invalid, Message: "The file is not a completion report.", Err: err}
	case err != nil:
		return Row{}, err
	}
	key, err := url.QueryUnescape(f[1])
	status, numErr := strconv.Atoi(f[4])
	if err = errors.Join(err, numErr); err != nil || f[3] != Succeeded && f[3] != Failed {
		line, _ := r.in.FieldPos(0)
		return Row{}, &fault.Error{
			Op: "report.read", Kind: fault.Invalid, Thing: fmt.Sprintf("line %d", line),
			Message: "The line is not a row of a completion report.", Err: err,
		}
	}
	return Row{
		Bucket: f[0], Key: key, VersionID: f[2], Succeeded: f[3] == Succeeded,
		HTTPStatus: status, Code: f[5], Message: f[6],
	}, nil
}

// Result is one file of a report.
type Result struct {
	TaskExecutionStatus string // Succeeded or Failed
	Bucket              string // name
	MD5Checksum         string // of the file, in hex; whoever writes the file knows it
	Key                 string
}

// Summary is the manifest.json of a report.
type Summary struct {
	Format             string
	ReportCreationDate string // UTC with milliseconds
	Results            []Result
	ReportSchema       string
}

// NewSummary returns the manifest.json of a report made at created.
func NewSummary(created time.Time, results []Result) *Summary {
	if results == nil {
		results = []Result{}
	}
	return &Summary{
		Format: Format, ReportCreationDate: created.UTC().Format("2006-01-02T15:04:05.000Z"),
		Results: results, ReportSchema: schema,
	}
}

// ParseSummary reads a manifest.json.
func ParseSummary(data []byte) (*Summary, error) {
	var s Summary
	if err := json.Unmarshal(data, &s); err != nil || s.Format != Format {
		return nil, &fault.Error{
			Op: "report.read", Kind: fault.Invalid, Err: err,
			Message: "The file is not the manifest of a completion report in the format " + Format + ".",
		}
	}
	return &s, nil
}

// JSON returns the document.
func (s *Summary) JSON() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("report: a summary that is no JSON: " + err.Error())
	}
	return b.Bytes()
}

// SummaryKey returns the key of a job's manifest.json; beside it goes
// manifest.json.md5, the MD5 of it in hex.
func SummaryKey(prefix, jobID string) string { return folder(prefix, jobID) + "manifest.json" }

// ResultKey returns the key of the file of a job's succeeded or failed tasks.
// Its name is 40 hex digits and always the same, so that writing a report
// again replaces it.
func ResultKey(prefix, jobID string, succeeded bool) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %t", jobID, succeeded))
	return folder(prefix, jobID) + "results/" + hex.EncodeToString(sum[:]) + ".csv"
}

// folder returns where a job's report goes. A slash at the end of the prefix
// is not doubled.
func folder(prefix, jobID string) string {
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return prefix + "job-" + jobID + "/"
}
