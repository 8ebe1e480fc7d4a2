package manifest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
)

// Index is a manifest.json: the list of the files that hold a manifest's
// rows, as S3 Inventory and manifest generators write it.
type Index struct {
	SourceBucket      string `json:"sourceBucket"`      // name
	DestinationBucket string `json:"destinationBucket"` // ARN of the bucket that holds the files
	Version           string `json:"version"`           // "2016-11-30" or "2021-11-30"
	CreationTimestamp string `json:"creationTimestamp"` // milliseconds since 1970
	FileFormat        string `json:"fileFormat"`        // "CSV"
	FileSchema        string `json:"fileSchema"`        // column names, comma-separated
	Files             []File `json:"files"`
}

// File is one file of rows. Its key ends in ".gz" if it is compressed.
type File struct {
	Key         string `json:"key"`
	Size        int64  `json:"size"`
	MD5Checksum string `json:"MD5checksum"` // hex
}

// ParseIndex reads a manifest.json and checks that a job can work with it.
// Its errors have the code InvalidManifestContent, but for formats other than
// CSV, which are Unsupported.
func ParseIndex(data []byte) (*Index, error) {
	var x Index
	if err := json.Unmarshal(data, &x); err != nil {
		return nil, invalid("Manifest file is not properly formatted").WithHint("manifest.json: %v", err)
	}
	switch x.FileFormat {
	case "CSV":
	case "ORC", "Parquet":
		return nil, fault.New(fault.Unsupported, "NotImplemented", "Inventories in "+x.FileFormat+" format are not implemented.").
			WithHint("configure the inventory to be delivered as CSV")
	default:
		return nil, invalid("Invalid Manifest Content").WithHint("fileFormat is CSV and not %q", x.FileFormat)
	}
	if bucket.CheckName(x.SourceBucket) != nil {
		return nil, invalid("Invalid Manifest Content").WithHint("sourceBucket is the name of a bucket and not %q", x.SourceBucket)
	}
	if _, err := arn.BucketName(x.DestinationBucket); err != nil {
		return nil, invalid("Invalid Manifest Content").
			WithHint("destinationBucket is the ARN of a bucket and not %q", x.DestinationBucket)
	}
	if err := CheckFields(x.Columns()); err != nil {
		return nil, err
	}
	for _, f := range x.Files {
		if f.Key == "" {
			return nil, invalid("Invalid Manifest Content").WithHint("manifest.json lists a file without key")
		}
	}
	return &x, nil
}

// Columns returns the columns of the files; those a job has no use for are
// Ignore.
func (x *Index) Columns() []Field {
	var columns []Field
	for name := range strings.SplitSeq(x.FileSchema, ",") {
		f := Field(strings.TrimSpace(name))
		if f != Bucket && f != Key && f != VersionID {
			f = Ignore
		}
		if columns = append(columns, f); len(columns) > maxFields {
			break // CheckFields refuses it
		}
	}
	return columns
}

// GeneratedColumns are the columns of the files that a manifest generator
// writes, every field in double quotes. AWS does not document its own beyond
// these three.
func GeneratedColumns() []Field { return []Field{Bucket, Key, VersionID} }

// NewIndex returns the manifest.json of a generated manifest for the bucket
// source, whose files are in the bucket destination. Both are names.
func NewIndex(source, destination string, created time.Time, files []File) *Index {
	x := NewInventory(source, destination, created, []string{"Bucket", "Key", "VersionId"}, files)
	x.Version = "2021-11-30"
	return x
}

// NewInventory returns the manifest.json of an inventory of the bucket source,
// whose files are in the bucket destination and have the given columns.
func NewInventory(source, destination string, created time.Time, columns []string, files []File) *Index {
	if files == nil {
		files = []File{}
	}
	return &Index{
		SourceBucket: source, DestinationBucket: arn.Bucket(destination), Version: "2016-11-30",
		CreationTimestamp: strconv.FormatInt(created.UnixMilli(), 10),
		FileFormat:        "CSV", FileSchema: strings.Join(columns, ", "), Files: files,
	}
}

// JSON returns the document.
func (x *Index) JSON() []byte {
	b, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		panic("manifest: an index that is no JSON: " + err.Error())
	}
	return append(b, '\n')
}

// IndexKey returns the key of a generated manifest's manifest.json; beside it
// goes manifest.checksum, the MD5 of it in hex. AWS does not document its own
// layout; clients take the key from the job's GeneratedManifestDescriptor.
func IndexKey(prefix, jobID string) string { return folder(prefix, jobID) + "manifest.json" }

// FileKey returns the key of a generated manifest's n-th file, from 0.
func FileKey(prefix, jobID string, n int) string {
	return folder(prefix, jobID) + fmt.Sprintf("data/%05d.csv", n)
}

// folder returns where a job's manifest goes. A slash at the end of the
// prefix is not doubled.
func folder(prefix, jobID string) string {
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return prefix + "job-" + jobID + "/"
}
