// Package policy is the IAM policy language: it reads and validates policy
// documents and decides requests with them, as the IAM User Guide says under
// "IAM JSON policy element reference" and "Policy evaluation logic".
//
// Parse compiles a document once; Decide is a pure function of a request and
// the documents that apply to it. Who gathers those documents, and from where,
// is not this package's concern.
package policy

import (
	"slices"
	"strings"

	"twinbucket/fault"
)

// Kind says what a document is attached to, which decides the elements it may
// have and the words of AWS's complaints.
type Kind uint8

// The kinds of documents. Session policies and permissions boundaries are
// written as Identity ones.
const (
	Identity Kind = iota // of a role or user: no Principal
	Resource             // of a bucket
	Trust                // of a role: who may assume it; no Resource
	Key                  // of a key of KMS
)

// Effect is what a statement does.
type Effect uint8

// The effects.
const (
	Deny Effect = iota
	Allow
)

// String returns the effect as documents write it.
func (e Effect) String() string {
	if e == Allow {
		return "Allow"
	}
	return "Deny"
}

// The versions of the language. Only the newer one has policy variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// MaxBucketPolicy is the largest bucket policy, in bytes.
const MaxBucketPolicy = 20 * 1024

// Document is a compiled policy document. It does not change; share it freely.
type Document struct {
	kind       Kind
	version    string // "" if the document does not say
	id         string
	single     bool // Statement is an object, not a list
	statements []statement
}

// Parse reads and validates a document. Complaints have AWS's texts under
// MalformedPolicyDocument for Identity and Trust and under MalformedPolicy for
// Resource, and a hint that names the statement.
func Parse(data []byte, kind Kind) (*Document, error) {
	if kind == Resource {
		if len(data) > MaxBucketPolicy {
			return nil, kind.bad("", "Policy exceeds the maximum allowed document size.",
				"a bucket policy has at most %d bytes; this one has %d", MaxBucketPolicy, len(data))
		}
		if trimmed := strings.TrimLeft(string(data[:min(len(data), 64)]), " \t\r\n"); !strings.HasPrefix(trimmed, "{") {
			return nil, kind.bad("", "Policies must be valid JSON and the first byte must be '{'",
				"a policy is a JSON object")
		}
	}
	root, err := readJSON(data)
	if err != nil {
		return nil, kind.bad("Syntax errors in policy.", "This policy contains invalid Json", "%s", err.Error())
	}
	p := parser{kind: kind}
	return p.document(root)
}

// bad makes a complaint: identity is AWS's text for identity policies, other
// the text for bucket and trust policies ("" where there is only one).
func (k Kind) bad(identity, other, hint string, args ...any) *fault.Error {
	code, text := "MalformedPolicyDocument", other
	switch {
	case k == Resource:
		code = "MalformedPolicy"
	case k == Identity && identity != "":
		text = identity
	}
	if text == "" {
		text = identity
	}
	return fault.New(fault.Invalid, code, text).WithHint(hint, args...)
}

// Kind returns the kind the document was parsed as.
func (d *Document) Kind() Kind { return d.kind }

// Version returns the language version that the document states, "" if none.
func (d *Document) Version() string { return d.version }

// Len returns the number of statements.
func (d *Document) Len() int { return len(d.statements) }

// Named is a principal that a document names.
type Named struct {
	Form string // "AWS", "Service", "Federated" or "CanonicalUser"
	ID   string // as written
}

// Named returns every principal in Principal and NotPrincipal elements but
// "*", once each, in the order they are written.
func (d *Document) Named() []Named {
	var out []Named
	for i := range d.statements {
		for _, p := range d.statements[i].principals {
			n := Named{p.form, p.id}
			if p.match != everyone && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// Principals returns the AWS principals that the document names, "*" excluded:
// account ids, ARNs of roots, roles, users and sessions, and unique ids.
func (d *Document) Principals() []string {
	var out []string
	for _, n := range d.Named() {
		if n.Form == "AWS" {
			out = append(out, n.ID)
		}
	}
	return out
}
