package policy

import (
	"bytes"
	"encoding/json"
)

// printer writes JSON in the order documents are usually written in.
type printer struct{ bytes.Buffer }

// JSON returns the document in a canonical form: elements in the usual order,
// one value as a string and more as a list. Parsing it gives an equal document.
func (d *Document) JSON() []byte {
	var p printer
	p.WriteByte('{')
	if d.version != "" {
		p.member("Version", d.version)
	}
	if d.id != "" {
		p.member("Id", d.id)
	}
	p.name("Statement")
	if !d.single {
		p.WriteByte('[')
	}
	for i := range d.statements {
		if i > 0 {
			p.WriteByte(',')
		}
		p.statement(&d.statements[i])
	}
	if !d.single {
		p.WriteByte(']')
	}
	p.WriteByte('}')
	return p.Bytes()
}

// Statement returns statement i, from 0, as JSON.
func (d *Document) Statement(i int) []byte {
	var p printer
	p.statement(&d.statements[i])
	return p.Bytes()
}

func (p *printer) string(s string) {
	enc := json.NewEncoder(&p.Buffer)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string and a buffer do not fail
	p.Truncate(p.Len() - 1)
}

// name begins a member of an object.
func (p *printer) name(name string) {
	if b := p.Bytes(); b[len(b)-1] != '{' {
		p.WriteByte(',')
	}
	p.string(name)
	p.WriteByte(':')
}

// member writes a member with one value or a list of them.
func (p *printer) member(name string, values ...string) {
	p.name(name)
	if len(values) == 1 {
		p.string(values[0])
		return
	}
	p.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			p.WriteByte(',')
		}
		p.string(v)
	}
	p.WriteByte(']')
}

func (p *printer) statement(s *statement) {
	not := func(negated bool, name string) string {
		if negated {
			return "Not" + name
		}
		return name
	}
	p.WriteByte('{')
	if s.sid != "" {
		p.member("Sid", s.sid)
	}
	p.member("Effect", s.effect.String())
	switch {
	case s.bare:
		p.member(not(s.spare, "Principal"), "*")
	case len(s.principals) > 0:
		p.name(not(s.spare, "Principal"))
		p.principals(s.principals)
	}
	p.member(not(s.notAction, "Action"), s.actionTexts...)
	if len(s.resourceTexts) > 0 {
		p.member(not(s.notResource, "Resource"), s.resourceTexts...)
	}
	if len(s.conditions) > 0 {
		p.name("Condition")
		p.conditions(s.conditions)
	}
	p.WriteByte('}')
}

func (p *printer) principals(entries []entry) {
	var forms []string
	ids := map[string][]string{}
	for _, e := range entries {
		if ids[e.form] == nil {
			forms = append(forms, e.form)
		}
		ids[e.form] = append(ids[e.form], e.id)
	}
	p.WriteByte('{')
	for _, form := range forms {
		p.member(form, ids[form]...)
	}
	p.WriteByte('}')
}

// conditions writes conditions, which the parser left grouped by operator.
func (p *printer) conditions(list []condition) {
	p.WriteByte('{')
	for i, c := range list {
		if i == 0 || list[i-1].operator != c.operator {
			if i > 0 {
				p.WriteByte('}')
			}
			p.name(c.operator)
			p.WriteByte('{')
		}
		p.member(c.name, c.texts...)
	}
	p.WriteString("}}")
}
