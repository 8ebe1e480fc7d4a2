package iamapi

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/wire"
)

// timeForm is how IAM and STS write times.
const timeForm = "2006-01-02T15:04:05Z"

// constraint is how AWS's front end refuses a parameter, called as in the
// request.
func constraint(name, message string) *fault.Error {
	return fault.Newf(fault.Invalid, "ValidationError",
		"1 validation error detected: Value at '%s' failed to satisfy constraint: %s",
		strings.ToLower(name[:1])+name[1:], message)
}

// need returns a parameter that has to be there.
func (c *call) need(name string) (string, error) {
	if !c.form.Has(name) {
		return "", constraint(name, "Member must not be null").WithHint("add the parameter %s", name)
	}
	return c.form.Get(name), nil
}

// oneOf returns a parameter that is one of values; "" if it is not there.
func (c *call) oneOf(name string, values ...string) (string, error) {
	v := c.form.Get(name)
	if v == "" || slices.Contains(values, v) {
		return v, nil
	}
	return "", constraint(name, "Member must satisfy enum value set: ["+strings.Join(values, ", ")+"]")
}

// number returns a numeric parameter, or what stands for it when it is not
// there.
func (c *call) number(name string, absent int) (int, error) {
	text := c.form.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fault.Newf(fault.Invalid, "MalformedInput", "%s is not a number", name).On(text)
	}
	return n, nil
}

// seconds returns a parameter that is a duration in seconds; 0 if it is not
// there.
func (c *call) seconds(name string) (time.Duration, error) {
	n, err := c.number(name, 0)
	if err == nil && c.form.Has(name) && (n <= 0 || n > 1<<30) {
		return 0, constraint(name, "Member must have value greater than or equal to 900")
	}
	return time.Duration(n) * time.Second, err
}

// tags returns the list of tags called name.
func (c *call) tags(name string) (map[string]string, error) {
	list := wire.Structs(c.form, name)
	if len(list) == 0 {
		return nil, nil
	}
	tags := make(map[string]string, len(list))
	for i, t := range list {
		where := fmt.Sprintf("%s.%d.member", strings.ToLower(name), i+1)
		for _, field := range []string{"Key", "Value"} {
			if _, ok := t[field]; !ok {
				return nil, constraint(where+"."+strings.ToLower(field), "Member must not be null")
			}
		}
		if err := identity.CheckTag(where, t["Key"], t["Value"]); err != nil {
			return nil, err
		}
		for key := range tags {
			if strings.EqualFold(key, t["Key"]) {
				return nil, fault.New(fault.Invalid, c.api.invalid, "Duplicate tag keys found. Please note that Tag keys are case insensitive.").On(key)
			}
		}
		tags[t["Key"]] = t["Value"]
	}
	maps.Copy(c.context(), identity.RequestFacts(tags))
	return tags, identity.CheckTags(tags)
}

// page is a piece of a listing: what sorts behind after, at most max.
type page struct {
	after string
	max   int
}

// page reads Marker and MaxItems, and looks at PathPrefix.
func (c *call) page() (page, error) {
	if err := identity.CheckPathPrefix(c.pathPrefix()); err != nil {
		return page{}, err
	}
	max, err := c.number("MaxItems", 100)
	switch {
	case err != nil:
		return page{}, err
	case max < 1:
		return page{}, constraint("MaxItems", "Member must have value greater than or equal to 1")
	case max > 1000:
		return page{}, constraint("MaxItems", "Member must have value less than or equal to 1000")
	}
	after, err := base64.RawURLEncoding.DecodeString(c.form.Get("Marker"))
	if err != nil {
		return page{}, invalidMarker()
	}
	return page{string(after), max}, nil
}

func invalidMarker() error {
	return fault.New(fault.Invalid, "ValidationError", "Invalid Marker.").
		WithHint("use the Marker of the answer before as it is")
}

// cut returns the names of a list sorted by CompareNames that belong on the page, and whether
// there are more.
func (p page) cut(names []string) ([]string, bool) {
	from, exact := slices.BinarySearchFunc(names, p.after, identity.CompareNames)
	if exact {
		from++
	}
	names = names[from:]
	if len(names) > p.max {
		return names[:p.max], true
	}
	return names, false
}

// truncated writes how a listing goes on. last is the name on the page that
// sorts last.
func (c *call) truncated(more bool, last string) {
	c.out.Bool("IsTruncated", more)
	if more {
		c.out.Text("Marker", base64.RawURLEncoding.EncodeToString([]byte(last)))
	}
}

// pathPrefix returns PathPrefix, "/" if it is not there.
func (c *call) pathPrefix() string {
	if p := c.form.Get("PathPrefix"); p != "" {
		return p
	}
	return "/"
}

// document writes a policy document, percent-encoded as IAM does.
func (c *call) document(name string, text []byte) {
	c.out.Text(name, strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20"))
}

// writeTags writes tags as the list called name, by key.
func (c *call) writeTags(name string, tags map[string]string, keys []string) {
	c.out.Open(name)
	for _, key := range keys {
		c.out.Open("member")
		c.out.Text("Key", key)
		c.out.Text("Value", tags[key])
		c.out.Close("member")
	}
	c.out.Close(name)
}

// time writes a time.
func (c *call) time(name string, t time.Time) { c.out.Text(name, t.UTC().Format(timeForm)) }

// policyARN returns the parameter PolicyArn.
func (c *call) policyARN(name string) (string, error) {
	text, err := c.need(name)
	if err != nil {
		return "", err
	}
	a, err := arn.Parse(text)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return "", fault.Newf(fault.Invalid, "InvalidInput", "ARN %s is not valid.", text).On(text).
			WithHint("the ARN of a managed policy is arn:aws:iam::ACCOUNT:policy/NAME")
	}
	return text, nil
}
