// Package form reads the HTML forms by which browsers upload objects to S3:
// the fields of a multipart/form-data body one by one, then its file as a
// stream of unknown length, and the policy that says what the fields may be. It
// holds a few KiB whatever the sizes are.
//
// Source: Amazon S3 Developer Guide, "POST Object", "POST Policy" and "HTML
// forms (AWS signature version 2)"; where the guide is silent, what S3 is known
// to answer. Errors are *fault.Error with S3's codes and texts.
package form

import (
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"twinbucket/fault"
)

const (
	// MaxFile is the largest file, in bytes: that of any object put at once.
	MaxFile = 5 << 30
	// maxFields is the most that stands before the file, in bytes.
	maxFields = 20 << 10
	// readAhead is how far the parser reads beyond what it has given out.
	readAhead = 16 << 10
	// maxBehind is the most that stands around the file, in bytes.
	maxBehind = 1 << 20
	// maxCounted is how far a file that is too large is counted, in bytes.
	maxCounted = 64 << 20
)

// Form is an HTML form whose file is still to be read.
type Form struct {
	fields map[string]string // by name in lower case, ${filename} replaced
	names  []string          // as sent, in their order, each once
	file   *file
}

// Field returns a field, given its name in lower case.
func (f *Form) Field(name string) (string, bool) {
	v, ok := f.fields[name]
	return v, ok
}

// Fields returns the fields' names in lower case, sorted.
func (f *Form) Fields() []string { return slices.Sorted(maps.Keys(f.fields)) }

// File returns the file. It ends, with io.EOF, only when all of the body has
// arrived and is right. Errors of Read: EntityTooLarge, EntityTooSmall,
// MalformedPOSTRequest, InvalidArgument for a second file, and those of the
// body.
func (f *Form) File() io.Reader { return f.file }

// Read reads the fields of a form up to its file. length is that of the body in
// bytes. Fields behind the file are passed over. Errors: PreconditionFailed for
// another content type, MalformedPOSTRequest, MaxPostPreDataLengthExceeded,
// EntityTooLarge, InvalidArgument without a file, and those of the body.
func Read(body io.Reader, contentType string, length int64) (*Form, error) {
	media, params, err := mime.ParseMediaType(contentType)
	switch {
	case media != "multipart/form-data":
		return nil, fault.New(fault.Precondition, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold").
			With("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	case err != nil || params["boundary"] == "":
		return nil, malformed("the Content-Type has no boundary")
	case length > MaxFile+maxBehind:
		return nil, tooLarge(length, MaxFile)
	}
	limited := &bounded{r: body, left: maxFields + readAhead, over: tooManyFields()}
	parts := multipart.NewReader(limited, params["boundary"])
	f := &Form{fields: map[string]string{}}
	for size := 0; ; {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil, oneFile(0)
		}
		if err != nil {
			return nil, parseError(err)
		}
		name, filename := disposition(part)
		if strings.EqualFold(name, "file") {
			limited.left = -1
			f.file = &file{part: part, parts: parts, body: limited, most: MaxFile}
			return f, f.useFilename(filename)
		}
		if name == "" && filename != nil {
			return nil, malformed("a part holds a file and has no name; the name of the file's part is file")
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, parseError(err)
		}
		if size += partSize(part, params["boundary"]) + len(value); size > maxFields {
			return nil, tooManyFields()
		}
		if err := f.add(name, string(value)); err != nil {
			return nil, err
		}
	}
}

// add takes a field. Of several with one name the values are joined, as the
// guide says that a policy has to expect them.
func (f *Form) add(name, value string) error {
	if name == "" {
		return nil
	}
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		return malformed("the form is not in UTF-8")
	}
	lower := strings.ToLower(name)
	if have, ok := f.fields[lower]; ok {
		value = have + "," + value
	} else {
		f.names = append(f.names, name)
	}
	f.fields[lower] = value
	return nil
}

// disposition returns the names of a part and of its file. ok is false for a
// part whose file has no name, not even an empty one.
func disposition(p *multipart.Part) (name string, filename *string) {
	kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || kind != "form-data" {
		return "", nil
	}
	if v, ok := params["filename"]; ok {
		filename = &v
	}
	return params["name"], filename
}

// partSize returns how many bytes a part takes beside its value, about.
func partSize(p *multipart.Part, boundary string) int {
	n := len(boundary) + len("\r\n--\r\n\r\n")
	for name, values := range p.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// useFilename replaces ${filename} by the name of the file, without its folder.
// A part without any name of a file replaces nothing, and an empty one
// everything: so does S3.
func (f *Form) useFilename(filename *string) error {
	if filename == nil {
		return nil
	}
	name := (*filename)[strings.LastIndexAny(*filename, `/\`)+1:]
	if !utf8.ValidString(name) {
		return malformed("the name of the file is not in UTF-8")
	}
	for field, value := range f.fields {
		if field != "policy" {
			f.fields[field] = strings.ReplaceAll(value, "${filename}", name)
		}
	}
	return nil
}

// Key returns the key of the new object, as it is. Errors: InvalidArgument
// without one.
func (f *Form) Key() (string, error) {
	key, ok := f.Field("key")
	switch {
	case !ok:
		return "", fault.New(fault.Invalid, "InvalidArgument", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.").
			With("ArgumentName", "key").With("ArgumentValue", "")
	case key == "":
		return "", fault.New(fault.Invalid, "InvalidArgument", "User key must have a length greater than 0.").
			With("ArgumentName", "key").With("ArgumentValue", "")
	}
	return key, nil
}

// file is the file of a form. It ends when the whole form has arrived and
// is right: the fields behind it are passed over, and must be there.
type file struct {
	part        *multipart.Part
	parts       *multipart.Reader
	body        *bounded
	size        int64
	least, most int64 // sizes that the policy allows, in bytes
	limited     bool  // by the policy
	err         error
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.part.Read(p)
	f.size += int64(n)
	switch {
	case f.size > f.most:
		err = f.exceeded()
	case err == io.EOF && f.size < f.least:
		err = fault.New(fault.Invalid, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
			With("ProposedSize", strconv.FormatInt(f.size, 10)).With("MinSizeAllowed", strconv.FormatInt(f.least, 10))
	case err == io.EOF:
		if err = f.rest(); err == nil {
			err = io.EOF
		}
	case err != nil:
		err = parseError(err)
	}
	f.err = err
	if err != nil && err != io.EOF {
		n = 0
	}
	return n, err
}

// exceeded counts the file to its end, for AWS says how large it is.
func (f *file) exceeded() error {
	if f.limited {
		n, err := io.CopyN(io.Discard, f.part, maxCounted)
		if err != nil && err != io.EOF {
			return parseError(err)
		}
		f.size += n
	}
	return tooLarge(f.size, f.most)
}

// rest reads what comes after the file, to the body's end: only there it turns
// out whether it is the body that was signed.
func (f *file) rest() error {
	f.body.left, f.body.over = maxBehind, malformed("there is too much after the file")
	for {
		part, err := f.parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return parseError(err)
		}
		if name, _ := disposition(part); strings.EqualFold(name, "file") {
			return oneFile(2)
		}
		if _, err := io.Copy(io.Discard, part); err != nil {
			return parseError(err)
		}
	}
	_, err := io.Copy(io.Discard, f.body)
	return err
}

// bounded reads at most left bytes, and then fails; without bound if left is
// negative.
type bounded struct {
	r    io.Reader
	left int
	over error // when nothing is left
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.over
	}
	if b.left > 0 {
		p = p[:min(len(p), b.left)]
	}
	n, err := b.r.Read(p)
	if b.left > 0 {
		b.left -= n
	}
	return n, err
}

// formError gives an error of the parser its name; those of the body have one.
func parseError(err error) error {
	var fe *fault.Error
	if errors.As(err, &fe) {
		return err
	}
	return malformed(err.Error())
}

func malformed(hint string) error {
	return fault.New(fault.Invalid, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.").
		WithHint("%s", hint)
}

func oneFile(have int) error {
	return fault.New(fault.Invalid, "InvalidArgument", "POST requires exactly one file upload per request.").
		With("ArgumentName", "file").With("ArgumentValue", strconv.Itoa(have)).
		WithHint("a field called file holds the file; it is the last one")
}

func tooManyFields() error {
	return fault.New(fault.TooLarge, "MaxPostPreDataLengthExceeded", "Your POST request fields preceeding the upload file was too large.").
		With("MaxPostPreDataLengthBytes", strconv.Itoa(maxFields)).
		WithHint("a file has to be in a field called file; all fields before it have at most %d bytes", maxFields)
}

func tooLarge(size, most int64) error {
	return fault.New(fault.TooLarge, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").
		With("ProposedSize", strconv.FormatInt(size, 10)).With("MaxSizeAllowed", strconv.FormatInt(most, 10))
}
