package policy

import (
	"fmt"
	"strings"
)

// condition is one operator applied to one key: "StringLike": {"aws:userid": [...]}.
type condition struct {
	operator string   // as written
	name     string   // the key, as written
	texts    []string // the values, as written

	key      key
	wants    []matcher
	set      set
	negated  bool
	ifExists bool
	null     bool
}

// set is the set operator in front of an operator.
type set uint8

const (
	noSet set = iota
	forAll
	forAny
)

// matcher is one value of a condition.
type matcher interface {
	match(v string, r *Request) bool
}

// operators maps each operator but Null to how its values are read, and
// whether it is the negation of that.
var operators = map[string]struct {
	compile compiler
	negated bool
}{
	"StringEquals":              {compileEquals, false},
	"StringNotEquals":           {compileEquals, true},
	"StringEqualsIgnoreCase":    {compileFold, false},
	"StringNotEqualsIgnoreCase": {compileFold, true},
	"StringLike":                {compileLike, false},
	"StringNotLike":             {compileLike, true},
	"NumericEquals":             {number(equal), false},
	"NumericNotEquals":          {number(equal), true},
	"NumericLessThan":           {number(less), false},
	"NumericLessThanEquals":     {number(lessEqual), false},
	"NumericGreaterThan":        {number(greater), false},
	"NumericGreaterThanEquals":  {number(greaterEqual), false},
	"DateEquals":                {date(equal), false},
	"DateNotEquals":             {date(equal), true},
	"DateLessThan":              {date(less), false},
	"DateLessThanEquals":        {date(lessEqual), false},
	"DateGreaterThan":           {date(greater), false},
	"DateGreaterThanEquals":     {date(greaterEqual), false},
	"Bool":                      {compileBool, false},
	"BinaryEquals":              {compileBinary, false},
	"IpAddress":                 {compileAddress, false},
	"NotIpAddress":              {compileAddress, true},
	"ArnEquals":                 {compileArnLike, false},
	"ArnLike":                   {compileArnLike, false},
	"ArnNotEquals":              {compileArnLike, true},
	"ArnNotLike":                {compileArnLike, true},
}

// conditions reads a Condition element.
func (p *parser) conditions(n node) ([]condition, error) {
	if n.kind != objectNode {
		return nil, p.syntax("Condition is an object of operators")
	}
	var out []condition
	for i, operator := range n.names {
		keys := n.items[i]
		if keys.kind != objectNode {
			return nil, p.syntax("Condition.%s is an object of condition keys", operator)
		}
		for j, name := range keys.names {
			c, err := p.condition(operator, name, keys.items[j])
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func (p *parser) condition(operator, name string, value node) (condition, error) {
	c := condition{operator: operator, name: name, key: newKey(name)}
	base := operator
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.set = rest, forAll
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.set = rest, forAny
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	if err := p.conditionKey(name); err != nil {
		return c, err
	}
	texts, ok := value.strings(true)
	if !ok || len(texts) == 0 && p.kind != Identity {
		return c, p.syntax("Condition.%s.%s is a value or a list of values", operator, name)
	}
	c.texts = texts
	if err := p.address(c.key.name, texts); err != nil {
		return c, err
	}
	compile := compileBool
	if base == "Null" && c.set == noSet && !c.ifExists {
		c.null = true
	} else {
		op, known := operators[base]
		if !known {
			return c, p.bad("Syntax errors in policy.", "Invalid Condition type : "+operator,
				"%q is not a condition operator; see IAM JSON policy elements: Condition operators", operator)
		}
		compile, c.negated = op.compile, op.negated
	}
	for _, text := range texts {
		m, complaint := compile(text, p.variables())
		switch {
		case complaint != "" && strings.HasPrefix(base, "Date"):
			return c, p.bad(legacy, "Invalid policy syntax.", "Condition.%s.%s: %s", operator, name, complaint)
		case complaint != "":
			return c, p.syntax("Condition.%s.%s: %s", operator, name, complaint)
		}
		c.wants = append(c.wants, m)
	}
	return c, nil
}

// address refuses values of aws:SourceIp in a bucket policy that are no
// addresses, whatever the operator is.
func (p *parser) address(key string, texts []string) error {
	if p.kind != Resource || key != "aws:sourceip" {
		return nil
	}
	for _, text := range texts {
		if _, complaint := compileAddress(text, false); complaint != "" {
			return p.bad("", "Invalid IP address in Conditions", "%s", complaint)
		}
	}
	return nil
}

// conditionKey checks the form of a key's name. Bucket policies may use the
// global keys and those of S3 only; in identity policies any name goes, and no
// request has a key that does not exist.
func (p *parser) conditionKey(name string) error {
	vendor, rest, ok := strings.Cut(name, ":")
	known := ok && vendor != "" && rest != ""
	if p.kind == Resource {
		known = knownKey(name)
	}
	if known || p.kind == Identity {
		return nil
	}
	return p.bad("", "Policy has an invalid condition key", "%q is not a condition key; keys look like %s", name, keyExample(p.kind))
}

func keyExample(kind Kind) string {
	if kind == Resource {
		return "aws:SourceArn or s3:prefix"
	}
	return "aws:SourceArn"
}

// holds reports whether the condition is fulfilled.
func (c *condition) holds(r *Request) bool {
	v := c.key.lookup(r)
	if c.null {
		for _, w := range c.wants {
			if w.match(fmt.Sprint(v.n == 0), r) {
				return true
			}
		}
		return false
	}
	if v.n == 0 || c.set != noSet && v.blank() {
		return c.ifExists || c.set == forAll || c.negated && c.set != forAny
	}
	// A value fulfils a negated operator if it matches none of the texts.
	// Without a set operator that has to hold for every value there is.
	every := c.set == forAll || c.set == noSet && c.negated
	for i := range v.n {
		if c.any(v.at(i), r) != c.negated != every {
			return !every
		}
	}
	return every
}

// any reports whether v matches one of the condition's texts.
func (c *condition) any(v string, r *Request) bool {
	for _, w := range c.wants {
		if w.match(v, r) {
			return true
		}
	}
	return false
}
