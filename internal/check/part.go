package check

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/object"
	"twinbucket/policy"
)

// parts returns the question about those of its objects that a Deny may have
// in mind: under its resources, and with the tags of its conditions. r is the
// question's request.
func (q *question) parts(deny *statement, r *policy.Request) []question {
	under := []string{q.resource} // the tags alone may make the difference
	for _, pattern := range values(deny.Resource) {
		if pattern, ok := r.Expand(pattern); ok {
			under = append(under, overlaps(q.resource, pattern)...)
		}
	}
	var out []question
	for _, resource := range under {
		part := *q
		part.resource = resource
		out = append(out, part)
		if part.tag(deny) {
			out = append(out, part)
		}
	}
	return out
}

// overlaps returns what ARNs under one that ends in *, and has no other
// wildcards, have in common with a pattern.
func overlaps(objects, pattern string) []string {
	stem := strings.TrimSuffix(objects, "*")
	var out []string
	for i := range len(pattern) + 1 {
		if !arn.Match(pattern[:i], stem) {
			continue
		}
		rest := pattern[i:]
		if strings.HasSuffix(pattern[:i], "*") {
			rest = "*" + rest
		}
		if part := stem + rest; !slices.Contains(out, part) {
			out = append(out, part)
		}
	}
	return out
}

// tag gives the objects of a question the tags that a Deny asks for in its
// conditions; false if it asks for none beside those that they have.
func (q *question) tag(deny *statement) bool {
	conditions, _ := deny.exemptions()
	context, tags := map[string][]string{}, []string(nil)
	maps.Copy(context, q.context)
	for operator, keys := range conditions {
		for key, text := range keys {
			name := strings.ToLower(key)
			value := values(text)
			switch {
			case !strings.HasPrefix(name, object.ExistingTag), q.context[name] != nil, len(value) == 0, strings.Contains(operator, "Not"):
				continue
			case operator == "Null" && value[0] == "true":
				continue
			case operator == "Null":
				value[0] = "*"
			}
			context[name] = value[:1]
			tags = append(tags, key[len(object.ExistingTag):]+"="+value[0])
		}
	}
	if tags == nil || !q.tagged {
		return false
	}
	slices.Sort(tags)
	q.context = context
	q.what = q.action + " on " + q.resource + " with the tag " + strings.Join(tags, " and ")
	return true
}
