package check

import (
	"encoding/json"
	"slices"
)

// document is a policy document in the usual order of its elements.
type document struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// policyVersion is that of the policy language in documents that we make.
const policyVersion = "2012-10-17"

// merged returns the document of a group of fixes as it should be; without a
// statement if nothing is left of it.
func merged(g []Fix) document {
	d := document{Version: policyVersion}
	if t := g[0].target.text; t != "" {
		d = readDocument(t)
	}
	var gone []int
	for _, f := range g {
		switch f.Do {
		case Change:
			d.Statement[f.index] = merge(d.Statement[f.index], f)
		case Remove:
			gone = append(gone, f.index)
		case Add:
			d.add(f.Statement)
		}
	}
	for i, text := range d.Statement {
		if living, ok := living(text); ok {
			d.Statement[i] = living
		} else {
			gone = append(gone, i)
		}
	}
	slices.Sort(gone)
	for _, i := range slices.Backward(slices.Compact(gone)) {
		d.Statement = slices.Delete(d.Statement, i, i+1)
	}
	return d
}

// living returns a statement without the principals that were deleted, which
// stand in it by their unique ids and are refused when the document is put
// again; false if it has no others.
func living(text json.RawMessage) (json.RawMessage, bool) {
	var s statement
	var principal map[string]json.RawMessage
	if json.Unmarshal(text, &s) != nil || json.Unmarshal(s.Principal, &principal) != nil {
		return text, true
	}
	ids := values(principal["AWS"])
	rest := slices.DeleteFunc(slices.Clone(ids), deleted)
	if len(rest) == len(ids) {
		return text, true
	}
	delete(principal, "AWS")
	if len(rest) > 0 {
		principal["AWS"] = encode(one(rest))
	}
	return change(text, func(s *statement) { s.Principal = encode(principal) }), len(principal) > 0
}

// merge changes a statement that another fix may have changed already.
func merge(now json.RawMessage, f Fix) json.RawMessage {
	for _, principal := range spared(f.Statement) {
		if !slices.Contains(spared(now), principal) {
			now = spare(now, principal)
		}
	}
	return now
}

// readDocument reads a document that was put, whose Statement may be a single
// one.
func readDocument(text string) document {
	var whole struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &whole) != nil {
		return document{Version: policyVersion}
	}
	d := document{Version: whole.Version, ID: whole.ID}
	if json.Unmarshal(whole.Statement, &d.Statement) != nil {
		d.Statement = []json.RawMessage{whole.Statement}
	}
	return d
}

// add adds a statement, into one that differs in its actions only if there is
// such a one.
func (d *document) add(text json.RawMessage) {
	rest := func(t json.RawMessage) string {
		return string(change(t, func(s *statement) { s.Action = nil }))
	}
	for i, have := range d.Statement {
		if rest(have) != rest(text) {
			continue
		}
		var a, b statement
		if json.Unmarshal(have, &a) != nil || json.Unmarshal(text, &b) != nil || a.Action == nil || b.Action == nil {
			continue
		}
		actions := values(a.Action)
		for _, action := range values(b.Action) {
			if !slices.Contains(actions, action) {
				actions = append(actions, action)
			}
		}
		d.Statement[i] = change(have, func(s *statement) { s.Action = encode(one(actions)) })
		return
	}
	d.Statement = append(d.Statement, text)
}
