package policy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// compiler reads the text of a condition value; variables says whether policy
// variables are replaced in it. The string returned says what is wrong with
// the text, "" if nothing.
type compiler func(text string, variables bool) (matcher, string)

// equals is StringEquals: no wildcards.
type equals struct{ pattern }

func compileEquals(text string, variables bool) (matcher, string) {
	p, complaint := compile(text, false, variables)
	return &equals{p}, complaint
}

func (e *equals) match(v string, r *Request) bool {
	text, ok := e.expand(r)
	return ok && text == v
}

// fold is StringEqualsIgnoreCase.
type fold struct{ pattern }

func compileFold(text string, variables bool) (matcher, string) {
	p, complaint := compile(text, false, variables)
	return &fold{p}, complaint
}

func (f *fold) match(v string, r *Request) bool {
	text, ok := f.expand(r)
	return ok && strings.EqualFold(text, v)
}

func compileLike(text string, variables bool) (matcher, string) {
	p, complaint := compile(text, true, variables)
	return &p, complaint
}

func compileArnLike(text string, variables bool) (matcher, string) {
	p, complaint := compileARN(text, variables, true)
	return &p, complaint
}

// order is how two values have to compare, as cmp.Compare and time.Compare
// say it: a set of -1, 0 and 1.
type order uint8

const (
	less         order = 1
	equal        order = 2
	lessEqual    order = less | equal
	greater      order = 4
	greaterEqual order = greater | equal
)

func (o order) holds(compared int) bool { return o&(1<<(compared+1)) != 0 }

type numeric struct {
	order order
	want  float64
}

func number(o order) compiler {
	return func(text string, _ bool) (matcher, string) {
		want, ok := parseNumber(text)
		if !ok {
			return nil, strconv.Quote(text) + " is not a number"
		}
		return &numeric{o, want}, ""
	}
}

func parseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (n *numeric) match(v string, _ *Request) bool {
	have, ok := parseNumber(v)
	if !ok {
		return false
	}
	switch {
	case have < n.want:
		return n.order.holds(-1)
	case have > n.want:
		return n.order.holds(1)
	}
	return n.order.holds(0)
}

type moment struct {
	order order
	want  time.Time
}

func date(o order) compiler {
	return func(text string, _ bool) (matcher, string) {
		want, ok := parseDate(text)
		if !ok {
			return nil, strconv.Quote(text) + " is not a date such as 2026-01-31T12:00:00Z or an epoch time"
		}
		return &moment{o, want}, ""
	}
}

// dateForms are the W3C's ISO 8601 profiles, which IAM takes.
var dateForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006",
}

func parseDate(s string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) != len("2006") {
		return time.Unix(seconds, 0), true
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (m *moment) match(v string, _ *Request) bool {
	have, ok := parseDate(v)
	return ok && m.order.holds(have.Compare(m.want))
}

type boolean bool

func compileBool(text string, _ bool) (matcher, string) {
	switch {
	case strings.EqualFold(text, "true"):
		return boolean(true), ""
	case strings.EqualFold(text, "false"):
		return boolean(false), ""
	}
	return nil, strconv.Quote(text) + " is neither true nor false"
}

func (b boolean) match(v string, _ *Request) bool {
	return strings.EqualFold(v, strconv.FormatBool(bool(b)))
}

type binary []byte

func compileBinary(text string, _ bool) (matcher, string) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, strconv.Quote(text) + " is not base64"
	}
	return binary(b), ""
}

func (b binary) match(v string, _ *Request) bool {
	have, err := base64.StdEncoding.DecodeString(v)
	return err == nil && bytes.Equal(have, b)
}

type network netip.Prefix

// mappedBits come before an address of IPv4 that is written as one of IPv6.
const mappedBits = 96

// parseNetwork reads an address or a range of addresses.
func parseNetwork(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p, err == nil
}

func compileAddress(text string, _ bool) (matcher, string) {
	p, ok := parseNetwork(text)
	if !ok {
		return nil, strconv.Quote(text) + " is not an IP address or a range such as 203.0.113.0/24"
	}
	return network(p), ""
}

func (n network) match(v string, _ *Request) bool {
	a, err := netip.ParseAddr(v)
	return err == nil && netip.Prefix(n).Contains(a.Unmap().WithZone(""))
}
