package form

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// policy is the policy of an HTML form: what it may say, and until when.
type policy struct {
	expires    time.Time
	conditions []condition
}

// condition is one condition of a policy, on the field called field (lower
// case), or on the size of the file.
type condition struct {
	op     string // "eq", "starts-with" or "content-length-range"
	field  string // "" if it does not begin with a dollar sign: no such field
	value  string
	limits [2]int64
	bad    bool   // limits that are no numbers
	text   string // as AWS writes it in messages
}

// Check holds a form, sent to the bucket called bucketName, against its policy,
// and bounds its file to what that allows. Errors: InvalidPolicyDocument, and
// AccessDenied for what the policy does not allow.
func (f *Form) Check(bucketName string, now time.Time) error {
	p, err := parsePolicy(f.fields["policy"])
	if err != nil {
		return err
	}
	if !now.Before(p.expires) {
		return notAllowed("Policy expired.")
	}
	covered := map[string]bool{}
	for i := range p.conditions {
		cond := &p.conditions[i]
		if cond.op == "content-length-range" {
			if cond.bad {
				return notAllowed("Policy Condition failed: " + cond.text)
			}
			f.file.least = max(f.file.least, cond.limits[0])
			f.file.most, f.file.limited = min(f.file.most, cond.limits[1]), true
			continue
		}
		value, ok := f.Field(cond.field)
		if cond.field == "bucket" {
			value, ok = bucketName, true
		}
		if !ok || !cond.holds(value) {
			return notAllowed("Policy Condition failed: " + cond.text)
		}
		covered[cond.field] = true
	}
	return f.extra(covered)
}

// extra refuses the fields that no condition is about.
func (f *Form) extra(covered map[string]bool) error {
	var names []string
	if !covered["bucket"] {
		names = append(names, "bucket")
	}
	for _, name := range f.names {
		switch lower := strings.ToLower(name); {
		case covered[lower], strings.HasPrefix(lower, "x-ignore-"), slices.Contains(uncovered, lower):
		default:
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return notAllowed("Extra input fields: " + strings.Join(names, ", "))
}

// uncovered are the fields that need no condition.
var uncovered = []string{"awsaccesskeyid", "bucket", "policy", "signature", "x-amz-signature"}

// holds reports whether a field's value meets the condition.
func (c *condition) holds(value string) bool {
	if c.op == "eq" {
		return value == c.value
	}
	if c.field != "content-type" {
		return strings.HasPrefix(value, c.value)
	}
	for v := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(v), c.value) {
			return false
		}
	}
	return true
}

func notAllowed(message string) error {
	return fault.New(fault.Denied, "AccessDenied", "Invalid according to Policy: "+message).
		WithHint("who made the form signed what it may say: send it as it was made")
}

func badPolicy(message string) error {
	return fault.New(fault.Invalid, "InvalidPolicyDocument", "Invalid Policy: "+message)
}

// parsePolicy reads a policy in its base64 form.
func parsePolicy(text string) (*policy, error) {
	if text == "" {
		return nil, badPolicy("Expecting '{' but found End-of-Input")
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badPolicy("invalid Base64 encoding.")
	}
	var doc map[string]json.RawMessage
	if !decodeJSON(data, &doc) || doc == nil {
		return nil, badPolicy("Invalid JSON.")
	}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		if name != "expiration" && name != "conditions" {
			return nil, badPolicy("Unexpected: '" + strings.ToLower(name) + "'")
		}
	}
	p := &policy{}
	if p.expires, err = readExpiration(doc["expiration"]); err != nil {
		return nil, err
	}
	raw, ok := doc["conditions"]
	if !ok {
		return nil, badPolicy("Policy missing conditions.")
	}
	var list []json.RawMessage
	if !decodeJSON(raw, &list) || list == nil {
		return nil, badPolicy("Invalid 'conditions' value: must be a List.")
	}
	for _, item := range list {
		c, err := parseCondition(item)
		if err != nil {
			return nil, err
		}
		p.conditions = append(p.conditions, c)
	}
	return p, nil
}

// decodeJSON reads the one value in data; numbers stay as they are written.
func decodeJSON(data []byte, v any) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(v) != nil {
		return false
	}
	_, err := d.Token()
	return err == io.EOF
}

// readExpiration reads when a policy ends, in UTC.
func readExpiration(raw json.RawMessage) (time.Time, error) {
	if raw == nil {
		return time.Time{}, badPolicy("Policy missing expiration.")
	}
	var s string
	if !decodeJSON(raw, &s) {
		return time.Time{}, badPolicy("Invalid JSON.")
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999Z", s)
	if err != nil {
		return t, badPolicy("Invalid 'expiration' value: '" + s + "'")
	}
	return t, nil
}

// parseCondition reads {"field": "value"} or ["op", "$field", "value"].
func parseCondition(raw json.RawMessage) (condition, error) {
	switch raw[0] {
	case '{':
		return simpleCondition(raw)
	case '[':
	default:
		return condition{}, badPolicy("Invalid condition test: must be a List or Object.")
	}
	var list []any
	if !decodeJSON(raw, &list) {
		return condition{}, badPolicy("Invalid JSON.")
	}
	if len(list) == 0 {
		return condition{}, badPolicy("Invalid Condition: missing operation identifier.")
	}
	op, ok := list[0].(string)
	if !ok {
		return condition{}, badPolicy("Invalid JSON.")
	}
	c := condition{op: strings.ToLower(op), text: listText(list)}
	switch {
	case c.op != "eq" && c.op != "starts-with" && c.op != "content-length-range":
		return c, badPolicy("Invalid Condition: unknown operation '" + op + "'.")
	case len(list) != 3:
		return c, badPolicy("Invalid " + op + ": wrong number of arguments.")
	case c.op == "content-length-range":
		return c, c.readRange(list[1:])
	}
	field, ok1 := list[1].(string)
	value, ok2 := list[2].(string)
	if !ok1 || !ok2 {
		return c, badPolicy("Invalid JSON.")
	}
	c.value = value
	if name, ok := strings.CutPrefix(field, "$"); ok {
		c.field = strings.ToLower(name)
	}
	return c, nil
}

// simpleCondition reads {"field": "value"}.
func simpleCondition(raw json.RawMessage) (condition, error) {
	var doc map[string]any
	if !decodeJSON(raw, &doc) {
		return condition{}, badPolicy("Invalid JSON.")
	}
	if len(doc) != 1 {
		return condition{}, badPolicy("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}
	for name, v := range doc {
		value, ok := v.(string)
		if !ok {
			return condition{}, badPolicy("Invalid Simple-Condition: value must be a string.")
		}
		return condition{op: "eq", field: strings.ToLower(name), value: value, text: listText([]any{"eq", "$" + name, value})}, nil
	}
	return condition{}, nil
}

// readRange reads the sizes that a file may have. AWS takes numbers in quotes
// too; other words fail when the condition is checked.
func (c *condition) readRange(list []any) error {
	for i, v := range list {
		s, quoted := v.(string)
		if n, ok := v.(json.Number); ok {
			s = n.String()
		} else if !quoted {
			return badPolicy("Invalid JSON.")
		}
		n, err := strconv.ParseInt(s, 10, 64)
		switch {
		case err != nil && quoted:
			c.bad = true
		case err != nil || n < 0:
			return badPolicy("Invalid JSON.")
		}
		c.limits[i] = n
	}
	return nil
}

// listText writes a condition as AWS does: with a space behind each comma.
func listText(list []any) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if n, ok := v.(json.Number); ok {
			b.WriteString(n.String())
			continue
		}
		s, _ := v.(string)
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
	}
	b.WriteByte(']')
	return b.String()
}
