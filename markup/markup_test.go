package markup_test

import (
	"strings"
	"testing"

	"twinbucket/fault"
	"twinbucket/markup"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "text", "<A>", "<A></B>", "<B/>", "<A/><A/>", "<A/>text", "<!DOCTYPE a><A/>",
		strings.Repeat("<A>", 13) + strings.Repeat("</A>", 13), "<A>" + strings.Repeat(" ", 100) + "</A>",
	} {
		if _, err := markup.Parse([]byte(text), "A", 100); fault.CodeOf(err) != "MalformedXML" {
			t.Errorf("%q: %v", text, err)
		}
	}
	e, err := markup.Parse([]byte("\ufeff"+`<?xml version="1.0"?><!-- c --><x:A xmlns:x="u" b="c"> <B> t&lt; </B><C/></x:A>`), "A", 100)
	if err != nil || len(e.Kids) != 2 || string(e.Kids[0].Text) != " t< " {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, hint string }{
		{"<A><B>x</B></A>", ""},
		{"<A>text<B>x</B></A>", "A holds elements and no text"},
		{"<A><B/><B/></A>", "A holds more than one B"},
		{"<A><B/><D/></A>", "A may hold only B, C, N, T"},
		{"<A><C/><C/></A>", "A lacks B"},
		{"<A><B><E/></B></A>", "B holds text and no elements"},
		{"<A><B/><N>1.5</N></A>", `N is a whole number and not "1.5"`},
		{"<A><B/><N>2147483648</N></A>", "N is too large a number: 2147483648"},
		{"<A><B/><N>-2147483648</N></A>", ""},
		{"<A><B/><T>yes</T></A>", `T is true or false and not "yes"`},
		{"<A><B/><T/></A>", `T is true or false and not ""`},
		{"<A><B/><T> 1 </T></A>", ""},
	} {
		e, err := markup.Parse([]byte(tt.text), "A", 100)
		if err != nil {
			t.Fatal(err)
		}
		r := markup.NewReader(&err).Read(e, "B", "C+", "N", "T")
		r.Need("B")
		r.Word("B")
		r.Int("N")
		if is, ok := r.Bool("T"); is != (err == nil && ok) {
			t.Errorf("%s: %t, %t", tt.text, is, ok)
		}
		if fault.HintOf(err) != tt.hint || r.Err() != err {
			t.Errorf("%s: %q, want %q", tt.text, fault.HintOf(err), tt.hint)
		}
		if err != nil && (r.Child("B") != nil || r.All("C") != nil) {
			t.Errorf("%s: children are handed out after an error", tt.text)
		}
	}
}
