package markup

import (
	"encoding/xml"
	"strings"
)

// Namespace is that of S3's documents.
const Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Wrap writes an element around what inner writes.
func Wrap(b *strings.Builder, name string, inner func()) {
	b.WriteString("<" + name + ">")
	inner()
	b.WriteString("</" + name + ">")
}

// Leaf writes an element that holds text.
func Leaf(b *strings.Builder, name, text string) {
	b.WriteString("<" + name + ">")
	// A strings.Builder never fails, so neither does EscapeText.
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</" + name + ">")
}

// LeafIf is Leaf, if there is text.
func LeafIf(b *strings.Builder, name, text string) {
	if text != "" {
		Leaf(b, name, text)
	}
}

// LeafPtr is Leaf, if text is not nil.
func LeafPtr(b *strings.Builder, name string, text *string) {
	if text != nil {
		Leaf(b, name, *text)
	}
}
