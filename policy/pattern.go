package policy

import (
	"strings"
	"unicode/utf8"
)

// In a compiled pattern these two bytes stand for the wildcards. They occur in
// no UTF-8 text, so every other byte is literal, an escaped ${*} too.
const (
	anyRun = '\xff' // '*': any run of bytes, also none
	anyOne = '\xfe' // '?': one character

	anyRunText, anyOneText = "\xff", "\xfe"
)

// pattern is a text of a policy with wildcards and variables. The zero pattern
// matches the empty string.
type pattern struct {
	text  string // without variables: the compiled pattern
	parts []part // with variables: what to join
	plain bool   // text has no wildcard
}

// part is a stretch of compiled text, or a variable.
type part struct {
	text        string
	variable    *key
	fallback    string
	hasFallback bool
}

// compile reads a pattern. Without wild '*' and '?' are literal; without
// variables "${" is. The string returned says what is wrong, "" if nothing.
func compile(s string, wild, variables bool) (pattern, string) {
	var p pattern
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			p.parts = append(p.parts, part{text: b.String()})
			b.Reset()
		}
	}
	variable := false
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case wild && c == '*':
			b.WriteByte(anyRun)
		case wild && c == '?':
			b.WriteByte(anyOne)
		case variables && strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return p, "a policy variable has no closing brace"
			}
			body := s[i+2 : i+end]
			i += end + 1
			if body == "*" || body == "?" || body == "$" {
				b.WriteString(body)
				continue
			}
			v, complaint := compileVariable(body)
			if complaint != "" {
				return p, complaint
			}
			flush()
			p.parts = append(p.parts, v)
			variable = true
			continue
		default:
			b.WriteByte(c)
		}
		i++
	}
	if variable {
		flush()
		return p, ""
	}
	p.parts = nil
	p.text = b.String()
	p.plain = strings.IndexByte(p.text, anyRun) < 0 && strings.IndexByte(p.text, anyOne) < 0
	return p, ""
}

// compileVariable reads what stands between the braces: a key, or a key and a
// default in single quotes.
func compileVariable(body string) (part, string) {
	name, rest, hasDefault := strings.Cut(body, ",")
	name = strings.TrimSpace(name)
	if name == "" || !strings.Contains(name, ":") {
		return part{}, "${" + body + "} is not a policy variable: it has no key such as aws:username"
	}
	k := newKey(name)
	v := part{variable: &k}
	if hasDefault {
		rest = strings.TrimSpace(rest)
		if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' {
			return part{}, "the default in ${" + body + "} is not in single quotes"
		}
		v.fallback, v.hasFallback = rest[1:len(rest)-1], true
	}
	return v, ""
}

// expand returns the compiled text with the variables' values of r, and false
// if a variable has no single value; an empty one is none. Values are literal:
// a '*' in a tag is not a wildcard.
func (p *pattern) expand(r *Request) (string, bool) {
	if p.parts == nil {
		return p.text, true
	}
	var b strings.Builder
	for i := range p.parts {
		t := &p.parts[i]
		if t.variable == nil {
			b.WriteString(t.text)
			continue
		}
		v, ok := t.variable.lookup(r).single()
		if ok = ok && v != ""; !ok && t.hasFallback {
			v, ok = t.fallback, true
		}
		if !ok || strings.IndexByte(v, anyRun) >= 0 || strings.IndexByte(v, anyOne) >= 0 {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}

// Expand returns a text of a policy with the values that its variables have in
// the request, and with its wildcards; false if one has no single value.
func (r *Request) Expand(text string) (string, bool) {
	p, complaint := compile(text, true, true)
	out, ok := p.expand(r)
	return strings.NewReplacer(anyRunText, "*", anyOneText, "?").Replace(out), ok && complaint == ""
}

// match reports whether s matches the pattern under r.
func (p *pattern) match(s string, r *Request) bool {
	if p.plain {
		return p.text == s
	}
	text, ok := p.expand(r)
	return ok && wildcard(text, s)
}

// matchFold is match without regard to the case of ASCII letters; the pattern
// has been compiled in lower case and has no variables. It is for short texts.
func (p *pattern) matchFold(s string) bool { return wildcardFold(p.text, s) }

// wildcard matches s against a compiled text. Parts between stars are searched
// for one after the other, by whole strings: patterns and keys can be long,
// and made to be slow.
func wildcard(text, s string) bool {
	part, rest, more := strings.Cut(text, anyRunText)
	n := begins(s, part)
	for n >= 0 && more {
		s = s[n:]
		if part, rest, more = strings.Cut(rest, anyRunText); !more {
			return ends(s, part)
		}
		n = within(s, part)
	}
	return n == len(s)
}

// begins returns how many bytes at the beginning of s a part without stars
// matches, -1 if it does not match.
func begins(s, part string) int {
	rest := s
	for {
		piece, after, more := strings.Cut(part, anyOneText)
		if !strings.HasPrefix(rest, piece) {
			return -1
		}
		rest = rest[len(piece):]
		if !more {
			return len(s) - len(rest)
		}
		if rest == "" {
			return -1
		}
		_, n := utf8.DecodeRuneInString(rest)
		rest, part = rest[n:], after
	}
}

// within returns where the first match of a part in s ends, -1 if there is none.
func within(s, part string) int {
	piece, _, _ := strings.Cut(part, anyOneText)
	for from := 0; from <= len(s); {
		i := strings.Index(s[from:], piece)
		if i < 0 {
			return -1
		}
		from += i
		if n := begins(s[from:], part); n >= 0 {
			return from + n
		}
		_, n := utf8.DecodeRuneInString(s[from:]) // a character has no parts
		from += max(1, n)
	}
	return -1
}

// ends reports whether a part matches at the end of s.
func ends(s, part string) bool {
	first := len(s) - utf8.UTFMax*len(part)
	for from := range s { // at characters, which have no parts
		if from >= first && from+begins(s[from:], part) == len(s) {
			return true
		}
	}
	return part == ""
}

// wildcardFold matches s against a compiled text; the letters of s count as
// lower-case ones.
func wildcardFold(text, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(text) {
			switch c := text[p]; c {
			case anyRun:
				star, mark = p, i
				p++
				if p == len(text) {
					return true
				}
				continue
			case anyOne:
				_, n := utf8.DecodeRuneInString(s[i:])
				p++
				i += n
				continue
			default:
				if c == lower(s[i]) {
					p++
					i++
					continue
				}
			}
		}
		if star < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[mark:])
		mark += n
		p, i = star+1, mark
	}
	for p < len(text) && text[p] == anyRun {
		p++
	}
	return p == len(text)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// arnPattern is a pattern for ARNs: each of the first five parts for itself,
// so that no wildcard reaches over their colons.
type arnPattern struct {
	all   bool   // "*"
	head  string // the first five parts with their colons, when they are literal
	parts []pattern
	tail  pattern // the resource
}

// arnParts is the number of parts of an ARN, "arn" included.
const arnParts = 6

// compileARN reads the pattern of an ARN. A pattern with fewer parts is
// completed with wildcards, as IAM does. Variables are replaced in the resource,
// and in the parts before it only if inHead says so.
func compileARN(s string, variables, inHead bool) (arnPattern, string) {
	if s == "*" {
		return arnPattern{all: true}, ""
	}
	inHead = inHead && variables
	texts := splitARN(s, inHead)
	for len(texts) < arnParts {
		texts = append(texts, "*")
	}
	var a arnPattern
	var head strings.Builder
	literal := true
	for i, t := range texts {
		last := i == arnParts-1
		p, complaint := compile(t, true, inHead || last && variables)
		if complaint != "" {
			return a, complaint
		}
		if last {
			a.tail = p
			break
		}
		a.parts = append(a.parts, p)
		literal = literal && p.plain
		head.WriteString(p.text + ":")
	}
	if literal {
		a.head, a.parts = head.String(), nil
	}
	return a, ""
}

// splitARN cuts s at its first five colons outside of variables.
func splitARN(s string, variables bool) []string {
	var out []string
	start := 0
	for i := 0; i < len(s) && len(out) < arnParts-1; i++ {
		if variables && strings.HasPrefix(s[i:], "${") {
			if end := strings.IndexByte(s[i:], '}'); end >= 0 {
				i += end
			}
			continue
		}
		if s[i] == ':' {
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// match reports whether the ARN s matches.
func (a *arnPattern) match(s string, r *Request) bool {
	if a.all {
		return true
	}
	if a.parts == nil {
		return len(s) >= len(a.head) && s[:len(a.head)] == a.head && a.tail.match(s[len(a.head):], r)
	}
	for i := range a.parts {
		part, rest, ok := strings.Cut(s, ":")
		if !ok || !a.parts[i].match(part, r) {
			return false
		}
		s = rest
	}
	return a.tail.match(s, r)
}
