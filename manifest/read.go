package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
)

// maxRow is the longest row, in bytes: an encoded key takes up to 3 KiB.
const maxRow = 16 << 10

// Reader reads the rows of one CSV file.
type Reader struct {
	in      *bufio.Reader
	columns []Field
	bucket  string
	row     int64
	fields  [][]byte // of the current row, reused
	plain   []byte   // unquoted text, reused
}

// NewReader returns a Reader of the rows of r. Every row must have the given
// columns, and its bucket must be the given one; with "", the first row's.
func NewReader(r io.Reader, columns []Field, bucket string) (*Reader, error) {
	if err := CheckFields(columns); err != nil {
		return nil, err
	}
	return &Reader{in: bufio.NewReaderSize(r, maxRow), columns: slices.Clone(columns), bucket: bucket}, nil
}

// Next returns the next entry, and io.EOF after the last one. Other errors
// have the code InvalidManifestContent and end the reading, or are those of
// the underlying reader. Empty lines are skipped.
func (r *Reader) Next() (Entry, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Entry{}, err
		}
		if len(line) == 0 {
			continue
		}
		return r.entry(line)
	}
}

// line returns the next line without its end.
func (r *Reader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if r.row == 0 {
		if err := checkBegin(line); err != nil {
			return nil, err
		}
	}
	switch {
	case err == nil:
		line = line[:len(line)-1]
	case errors.Is(err, io.EOF) && len(line) > 0:
	case errors.Is(err, bufio.ErrBufferFull):
		r.row++
		return nil, invalid("Manifest file is not properly formatted").WithHint("row %d is longer than %d bytes", r.row, maxRow)
	default:
		return nil, err
	}
	r.row++
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// checkBegin knows files that are no CSV in UTF-8 by their first bytes.
func checkBegin(line []byte) error {
	for mark, hint := range map[string]string{
		"\xef\xbb\xbf": "the file begins with a byte order mark; save it as UTF-8 without one",
		"\xff\xfe":     "the file is in UTF-16; save it as UTF-8",
		"\xfe\xff":     "the file is in UTF-16; save it as UTF-8",
		"\x1f\x8b":     "the file is compressed; of manifests only the files of an inventory, whose keys end in .gz, can be",
	} {
		if bytes.HasPrefix(line, []byte(mark)) {
			return invalid("Manifest file is not properly formatted").WithHint("%s", hint)
		}
	}
	return nil
}

func (r *Reader) entry(line []byte) (Entry, error) {
	if err := r.split(line); err != nil {
		return Entry{}, err
	}
	if len(r.fields) != len(r.columns) {
		return Entry{}, invalid("Manifest file is not properly formatted").
			WithHint("row %d has %d columns and not %d", r.row, len(r.fields), len(r.columns))
	}
	e := Entry{Row: r.row}
	for i, column := range r.columns {
		field := r.fields[i]
		switch column {
		case Bucket:
			if r.bucket == "" {
				if err := bucket.CheckName(string(field)); err != nil {
					return Entry{}, invalid("Invalid Manifest Content").
						WithHint("row %d has %q in the column of the bucket, where a bucket's name belongs; a manifest has no header", r.row, field)
				}
				r.bucket = string(field)
			}
			if string(field) != r.bucket {
				return Entry{}, invalid("Invalid Manifest Content").
					WithHint("row %d names the bucket %q; all rows name the source bucket %q", r.row, field, r.bucket)
			}
			e.Bucket = r.bucket
		case Key:
			key, err := DecodeKey(string(field))
			if err != nil {
				hint := fault.HintOf(err)
				return Entry{}, invalid("Invalid object key format").WithHint("row %d: %s", r.row, hint)
			}
			e.Key = key
		case VersionID:
			if len(field) == 0 {
				e.Problem = MissingVersion()
			}
			if len(field) > 1024 || strings.ContainsAny(string(field), " \t") {
				return Entry{}, invalid("Invalid version ID format").WithHint("row %d", r.row)
			}
			e.VersionID = string(field)
		}
	}
	return e, nil
}

// split sets r.fields to the fields of line, which are either bare or whole
// in double quotes.
func (r *Reader) split(line []byte) error {
	r.fields, r.plain = r.fields[:0], r.plain[:0]
	for {
		if len(line) == 0 || line[0] != '"' {
			field, rest, more := bytes.Cut(line, []byte(","))
			r.fields = append(r.fields, field)
			if !more {
				return nil
			}
			line = rest
			continue
		}
		field, rest, ok := r.quoted(line[1:])
		if !ok || len(rest) > 0 && rest[0] != ',' {
			return invalid("Manifest file is not properly formatted").WithHint("row %d: a quote is in the wrong place", r.row)
		}
		r.fields = append(r.fields, field)
		if len(rest) == 0 {
			return nil
		}
		line = rest[1:]
	}
}

// quoted returns the text up to the closing quote, with doubled quotes
// undone, and what follows it.
func (r *Reader) quoted(s []byte) (field, rest []byte, ok bool) {
	begin := len(r.plain)
	for {
		text, rest, found := bytes.Cut(s, []byte(`"`))
		if !found {
			return nil, nil, false
		}
		if len(rest) == 0 || rest[0] != '"' {
			if begin == len(r.plain) {
				return text, rest, true
			}
			r.plain = append(r.plain, text...)
			return r.plain[begin:len(r.plain):len(r.plain)], rest, true
		}
		r.plain = append(append(r.plain, text...), '"')
		s = rest[1:]
	}
}
