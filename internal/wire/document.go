package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"twinbucket/fault"
)

// MaxXML is the largest XML document that the S3 door reads, in bytes.
const MaxXML = 2 << 20

// TimeFormat is how AWS writes times in XML: UTC, milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// Document writes one XML document. Characters that XML 1.0 cannot hold are written as
// character references, as S3 does: nothing is lost, and a client that cannot
// read them asks for encoding-type=url.
type Document struct{ b []byte }

var documents = sync.Pool{New: func() any { return &Document{b: make([]byte, 0, 4<<10)} }}

// NewDocument returns an empty document with the XML declaration. Send releases it.
func NewDocument() *Document {
	x := documents.Get().(*Document)
	x.b = append(x.b[:0], xml.Header...)
	return x
}

// Bytes returns what has been written; it is valid until Send.
func (x *Document) Bytes() []byte { return x.b }

// Open begins an element.
func (x *Document) Open(name string) {
	x.b = append(append(append(x.b, '<'), name...), '>')
}

// OpenNS begins an element with a default name space.
func (x *Document) OpenNS(name, namespace string) {
	x.b = append(append(append(x.b, '<'), name...), ` xmlns="`...)
	x.Escape(namespace)
	x.b = append(x.b, `">`...)
}

// OpenTyped begins an element with an xsi:type, by which S3 tells grantees
// apart.
func (x *Document) OpenTyped(name, typ string) {
	x.b = append(append(append(x.b, '<'), name...), ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="`...)
	x.Escape(typ)
	x.b = append(x.b, `">`...)
}

// Close ends an element.
func (x *Document) Close(name string) {
	x.b = append(append(append(x.b, '<', '/'), name...), '>')
}

// Raw writes what is XML already.
func (x *Document) Raw(data []byte) { x.b = append(x.b, data...) }

// Text writes an element that holds value.
func (x *Document) Text(name, value string) {
	x.Open(name)
	x.Escape(value)
	x.Close(name)
}

// Optional is Text unless value is empty.
func (x *Document) Optional(name, value string) {
	if value != "" {
		x.Text(name, value)
	}
}

// Int writes an element that holds a number.
func (x *Document) Int(name string, n int64) {
	x.Open(name)
	x.b = strconv.AppendInt(x.b, n, 10)
	x.Close(name)
}

// Bool writes an element that holds true or false.
func (x *Document) Bool(name string, v bool) {
	x.Open(name)
	x.b = strconv.AppendBool(x.b, v)
	x.Close(name)
}

// Time writes an element that holds a time in TimeFormat.
func (x *Document) Time(name string, t time.Time) {
	x.Open(name)
	x.b = t.UTC().AppendFormat(x.b, TimeFormat)
	x.Close(name)
}

// Quoted writes an element that holds an entity tag in its quotes.
func (x *Document) Quoted(name, value string) {
	x.Open(name)
	x.b = append(x.b, "&quot;"...)
	x.Escape(value)
	x.b = append(x.b, "&quot;"...)
	x.Close(name)
}

// Escape writes character data.
func (x *Document) Escape(s string) {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '<' && c != '>' && c != '&' && c != '"' && c != '\'' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r >= 0x7f && r != 0xfffe && r != 0xffff && (r != utf8.RuneError || n > 1) {
			i += n
			continue
		}
		x.b = append(x.b, s[from:i]...)
		x.escapeRune(r)
		i += n
		from = i
	}
	x.b = append(x.b, s[from:]...)
}

func (x *Document) escapeRune(r rune) {
	switch r {
	case '<':
		x.b = append(x.b, "&lt;"...)
	case '>':
		x.b = append(x.b, "&gt;"...)
	case '&':
		x.b = append(x.b, "&amp;"...)
	case '"':
		x.b = append(x.b, "&quot;"...)
	case '\'':
		x.b = append(x.b, "&#39;"...)
	default:
		x.b = append(strconv.AppendInt(append(x.b, "&#x"...), int64(r), 16), ';')
	}
}

// Send answers with the document and releases it.
func (x *Document) Send(w http.ResponseWriter, status int) error {
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(x.b)))
	w.WriteHeader(status)
	_, err := w.Write(x.b)
	if cap(x.b) <= 1<<20 {
		documents.Put(x)
	}
	return err
}

// Malformed is the fault of XML that is not the document the call needs; hint
// says where it goes wrong.
func Malformed(hint string) error {
	return fault.New(fault.Invalid, "MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema").
		WithHint("%s", hint)
}

// Decode reads the one XML document in data into v, whose root element is
// called root in whatever name space. Anything else is Malformed.
func Decode(data []byte, root string, v any) error {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, byteOrderMark)))
	d.CharsetReader = func(label string, _ io.Reader) (io.Reader, error) {
		return nil, errors.New("the encoding " + label + " is not UTF-8")
	}
	for {
		t, err := d.Token()
		if err != nil {
			if err == io.EOF {
				return Malformed("the body holds no XML document; " + root + " is expected")
			}
			return Malformed(err.Error())
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			if err := aside(t); err != nil {
				return err
			}
			continue
		}
		if start.Name.Local != root {
			return Malformed("the root element is " + start.Name.Local + "; " + root + " is expected")
		}
		if err := d.DecodeElement(v, &start); err != nil {
			return Malformed(err.Error())
		}
		break
	}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return Malformed(err.Error())
		}
		if err := aside(t); err != nil {
			return err
		}
	}
}

var byteOrderMark = []byte("\ufeff")

// aside refuses what may not stand beside a document's one root element. A
// document type may not: its entities could make much out of little.
func aside(t xml.Token) error {
	switch t := t.(type) {
	case xml.Comment, xml.ProcInst:
		return nil
	case xml.CharData:
		if len(bytes.TrimSpace(t)) == 0 {
			return nil
		}
		return Malformed("there is text beside the document")
	case xml.Directive:
		return Malformed("a document has no document type here")
	}
	return Malformed("there is more than one document in the body")
}
