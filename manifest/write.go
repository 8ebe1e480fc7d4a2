package manifest

import (
	"bufio"
	"io"
	"slices"
	"strings"
)

// Writer writes rows.
type Writer struct {
	out     *bufio.Writer
	columns []Field
	quoted  bool
	rows    int64
}

// NewWriter returns a Writer of rows with the given columns; the fields of an
// Ignore column are empty. Quoted puts every field into double quotes, as
// inventories do.
func NewWriter(w io.Writer, columns []Field, quoted bool) (*Writer, error) {
	if err := CheckFields(columns); err != nil {
		return nil, err
	}
	return &Writer{out: bufio.NewWriter(w), columns: slices.Clone(columns), quoted: quoted}, nil
}

// Write writes one row. An entry without version id is written with an empty
// field.
func (w *Writer) Write(e *Entry) error {
	for i, column := range w.columns {
		field := ""
		switch column {
		case Bucket:
			field = e.Bucket
		case Key:
			field = EncodeKey(e.Key)
		case VersionID:
			field = e.VersionID
		}
		if i > 0 {
			if err := w.out.WriteByte(','); err != nil {
				return err
			}
		}
		if w.quoted || strings.ContainsAny(field, "\",") {
			field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		}
		if _, err := w.out.WriteString(field); err != nil {
			return err
		}
	}
	w.rows++
	return w.out.WriteByte('\n')
}

// Rows returns how many rows were written.
func (w *Writer) Rows() int64 { return w.rows }

// Flush passes what is buffered to the underlying writer.
func (w *Writer) Flush() error { return w.out.Flush() }
