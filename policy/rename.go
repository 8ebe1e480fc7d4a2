package policy

import (
	"bytes"
	"encoding/json"
)

// RenamePrincipals returns the text of a document with each of its AWS
// principals called as name says, which returns what it is given to leave it.
// All else stays as it was written. Text that is no JSON comes back as it is.
func RenamePrincipals(text []byte, name func(string) string) []byte {
	var out []byte
	var in nesting
	done := 0
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		from := int(d.InputOffset())
		token, err := d.Token()
		if err != nil {
			if done == 0 {
				return text
			}
			return append(out, text[done:]...)
		}
		value, isText := token.(string)
		if !in.step(token) || !isText || !in.principal() {
			continue
		}
		if renamed := name(value); renamed != value {
			from += bytes.IndexByte(text[from:], '"')
			quoted, _ := json.Marshal(renamed) // text never fails
			out = append(append(out, text[done:from]...), quoted...)
			done = int(d.InputOffset())
		}
	}
}

// nesting is where in a JSON document a token stands.
type nesting []level

// level is an object or a list.
type level struct {
	object bool
	key    string // the member being read
	value  bool   // its value is next
}

// step takes a token in, and reports whether it is a value or the end of one,
// not the name of a member.
func (n *nesting) step(token json.Token) bool {
	switch token {
	case json.Delim('{'), json.Delim('['):
		*n = append(*n, level{object: token == json.Delim('{')})
		return true
	case json.Delim('}'), json.Delim(']'):
		*n = (*n)[:len(*n)-1]
	default:
		if len(*n) == 0 {
			return true
		}
		if top := &(*n)[len(*n)-1]; top.object && !top.value {
			top.key, top.value = token.(string), true
			return false
		}
	}
	if len(*n) > 0 {
		(*n)[len(*n)-1].value = false
	}
	return true
}

// principal reports whether the value just read is an AWS principal of a
// statement, by itself or in a list.
func (n nesting) principal() bool {
	if len(n) > 0 && !n[len(n)-1].object {
		n = n[:len(n)-1]
	}
	if len(n) < 2 || n[len(n)-1].key != "AWS" {
		return false
	}
	of := n[len(n)-2].key
	return of == "Principal" || of == "NotPrincipal"
}
