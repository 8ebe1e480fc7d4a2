package identity

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"twinbucket/fault"
	"twinbucket/policy"
)

const maxTags = 50

// limits are those of a kind of identity: characters of its name and of all
// inline policies, white space aside, and managed policies attached (IAM User
// Guide, "IAM and AWS STS quotas").
type limits struct{ name, inline, attached int }

var quotas = map[Kind]limits{UserKind: {64, 2048, 10}, GroupKind: {128, 5120, 10}, RoleKind: {64, 10240, 10}}

// Word is a parameter of Min to Max characters, which are those of names and
// those in More.
type Word struct {
	Parameter string
	Min, Max  int
	More      string
	Pattern   string // as AWS writes it
}

// Check reports what is wrong with the parameter, in the words of AWS's front
// end: ValidationError.
func (w Word) Check(text string) error {
	switch {
	case len(text) < w.Min:
		return Constraint(w.Parameter, fmt.Sprintf("Member must have length greater than or equal to %d", w.Min))
	case len(text) > w.Max:
		return Constraint(w.Parameter, fmt.Sprintf("Member must have length less than or equal to %d", w.Max))
	case strings.ContainsFunc(text, func(c rune) bool { return NotInName(c) && !strings.ContainsRune(w.More, c) }):
		return Constraint(w.Parameter, "Member must satisfy regular expression pattern: "+w.Pattern)
	}
	return nil
}

// CheckName reports what is wrong with the name of an identity of the kind.
func (k Kind) CheckName(name string) error { return CheckName(k.String()+"Name", name, quotas[k].name) }

// CheckPolicies reports what is wrong with the inline policies of an identity,
// or with how many it has. Whether managed policies exist is not looked at.
func (i *Identity) CheckPolicies(k Kind) error {
	quota := quotas[k]
	total := 0
	for name, document := range i.Inline {
		if err := CheckName("policyName", name, 128); err != nil {
			return err
		}
		if _, err := policy.Parse(document, policy.Identity); err != nil {
			return err
		}
		total += Size(document)
	}
	if total > quota.inline {
		return over("Maximum policy size of %d bytes exceeded for %s %s", quota.inline, k, i.Name).
			WithHint("all inline policies of a %s together have %d characters, white space aside", k, total)
	}
	if len(i.Attached) > quota.attached {
		return over("Cannot exceed quota for PoliciesPer%s: %d", k.Word(), quota.attached).
			WithHint("detach a policy, or join several into one")
	}
	return nil
}

// Size returns the number of characters in a policy that count against
// quotas: all but white space.
func Size(document []byte) int {
	return len(bytes.Join(bytes.Fields(document), nil))
}

func over(format string, args ...any) *fault.Error {
	return fault.Newf(fault.TooLarge, "LimitExceeded", format, args...)
}

// Constraint is how AWS's front end says that a parameter is wrong.
func Constraint(parameter, message string) *fault.Error {
	return fault.Newf(fault.Invalid, "ValidationError",
		"1 validation error detected: Value at '%s' failed to satisfy constraint: %s", parameter, message)
}

// CheckName reports what is wrong with the name of an identity or policy, in
// AWS's words for the given parameter: ValidationError.
func CheckName(parameter, name string, longest int) error {
	switch {
	case name == "":
		return Constraint(parameter, "Member must have length greater than or equal to 1")
	case len(name) > longest:
		return fault.Newf(fault.Invalid, "ValidationError",
			"1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", parameter, longest)
	case strings.ContainsFunc(name, NotInName):
		return fault.Newf(fault.Invalid, "ValidationError",
			"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", parameter)
	}
	return nil
}

// NotInName reports whether a character cannot be in a name.
func NotInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("+=,.@_-", c)
}

// CheckPath reports what is wrong with the path of an identity or policy.
func CheckPath(path string) error {
	if len(path) > 512 {
		return Constraint("path", "Member must have length less than or equal to 512")
	}
	bad := !strings.HasPrefix(path, "/") || !strings.HasSuffix(path, "/") || strings.Contains(path, "//") ||
		strings.ContainsFunc(path, notInPath)
	if !bad {
		return nil
	}
	return fault.New(fault.Invalid, "ValidationError",
		"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.").
		WithHint(`it is %q; paths look like "/" and "/service-role/"`, path)
}

func notInPath(c rune) bool { return c < '!' || c > '~' || c == '*' || c == '?' || c == ':' }

// CheckPathPrefix reports what is wrong with the prefix of the paths to list.
func CheckPathPrefix(prefix string) error {
	if len(prefix) <= 512 && strings.HasPrefix(prefix, "/") && !strings.ContainsFunc(prefix, notInPath) {
		return nil
	}
	return fault.New(fault.Invalid, "ValidationError",
		"The specified value for pathPrefix is invalid. It must begin with the / character and contain only alphanumeric characters and/or / characters.").
		WithHint("it is %q", prefix)
}

// CheckTags reports what is wrong with the tags of an identity or session.
func CheckTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return Constraint("tags", "Member must have length less than or equal to 50")
	}
	seen := map[string]bool{}
	for key, value := range tags {
		if err := CheckTag("tags.member", key, value); err != nil {
			return err
		}
		if seen[strings.ToLower(key)] {
			return fault.New(fault.Invalid, "InvalidInput",
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.").On(key)
		}
		seen[strings.ToLower(key)] = true
	}
	return nil
}

// AddTags adds tags to those of an identity; a key in other letters is the same key.
func (i *Identity) AddTags(tags map[string]string) error {
	maps.DeleteFunc(i.Tags, func(have, _ string) bool {
		for key := range tags {
			if strings.EqualFold(key, have) {
				return true
			}
		}
		return false
	})
	if len(i.Tags)+len(tags) > maxTags {
		return over("The number of tags has reached the maximum limit.")
	}
	if i.Tags == nil {
		i.Tags = map[string]string{}
	}
	maps.Copy(i.Tags, tags)
	return nil
}

// CheckTag reports what is wrong with a tag, which stands at where in the
// request.
func CheckTag(where, key, value string) error {
	switch {
	case key == "":
		return Constraint(where+".key", "Member must have length greater than or equal to 1")
	case len([]rune(key)) > 128:
		return Constraint(where+".key", "Member must have length less than or equal to 128")
	case strings.ContainsFunc(key, notInTag):
		return Constraint(where+".key", `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`).
			WithHint("it is %q", key)
	case len([]rune(value)) > 256:
		return Constraint(where+".value", "Member must have length less than or equal to 256").
			WithHint("it is the value of the tag %q", key)
	case strings.ContainsFunc(value, notInTag):
		return Constraint(where+".value", `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*`).
			WithHint("that of %q is %q", key, value)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return fault.New(fault.Invalid, "InvalidInput", "Tag keys starting with 'aws:' are reserved for system use").On(key)
	}
	return nil
}

// CheckTagKeys reports what is wrong with the keys of tags to be taken away.
func CheckTagKeys(keys []string) error {
	if len(keys) > maxTags {
		return Constraint("tagKeys", "Member must have length less than or equal to 50")
	}
	for _, key := range keys {
		if key == "" || len([]rune(key)) > 128 || strings.ContainsFunc(key, notInTag) {
			return Constraint("tagKeys", "Member must satisfy constraint: [Member must have length less than or equal to 128, "+
				"Member must have length greater than or equal to 1, "+
				`Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]`).
				WithHint("it is %q", key)
		}
	}
	return nil
}

func notInTag(c rune) bool {
	return !unicode.In(c, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", c)
}
