// Package arn reads, writes and matches Amazon Resource Names and account ids.
//
// Form (AWS General Reference, "Amazon Resource Names"):
// arn:partition:service:region:account:resource, where the resource itself may
// hold colons and slashes.
package arn

import (
	"strings"

	"twinbucket/fault"
)

// ARN is one resource name in its six parts; the leading "arn" is implied.
type ARN struct {
	Partition string // "aws"
	Service   string // "s3", "iam", "sts", "cloudformation"
	Region    string // empty for S3 objects and IAM
	Account   string // 12 digits; empty for S3 buckets and objects
	Resource  string // "bucket/key", "role/path/name", ...
}

// Parse reads an ARN. It checks the form and not whether the resource exists.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fault.Newf(fault.Invalid, "InvalidArgument", "%q is not an ARN", s).
			WithHint("an ARN looks like arn:aws:s3:::bucket or arn:aws:iam::111111111111:role/name")
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// String returns the ARN as AWS writes it.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// ValidAccount reports whether id is twelve digits.
func ValidAccount(id string) bool {
	if len(id) != 12 {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}

// Bucket returns the ARN of a bucket.
func Bucket(name string) string { return "arn:aws:s3:::" + name }

// Object returns the ARN of an object.
func Object(bucket, key string) string { return "arn:aws:s3:::" + bucket + "/" + key }

// Role returns the ARN of an IAM role. Path begins and ends with a slash; ""
// means "/".
func Role(account, path, name string) string {
	if path == "" {
		path = "/"
	}
	return "arn:aws:iam::" + account + ":role" + path + name
}

// Policy returns the ARN of a customer managed policy.
func Policy(account, path, name string) string {
	if path == "" {
		path = "/"
	}
	return "arn:aws:iam::" + account + ":policy" + path + name
}

// Root returns the ARN of an account's root user.
func Root(account string) string { return "arn:aws:iam::" + account + ":root" }

// Session returns the ARN of a role session. AWS leaves the role's path out.
func Session(account, role, session string) string {
	return "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session
}

// FederatedUser returns the ARN of a session of a federated user.
func FederatedUser(account, name string) string {
	return "arn:aws:sts::" + account + ":federated-user/" + name
}

// Job returns the ARN of an S3 Batch Operations job.
func Job(region, account, id string) string {
	return "arn:aws:s3:" + region + ":" + account + ":job/" + id
}

// BucketName returns the bucket that s, the ARN of a bucket, names.
func BucketName(s string) (string, error) {
	a, err := Parse(s)
	if err != nil || a.Service != "s3" || a.Region != "" || a.Account != "" || strings.Contains(a.Resource, "/") {
		return "", fault.New(fault.Invalid, "InvalidArgument", "Invalid bucket ARN.").On(s).
			WithHint("a bucket's ARN is arn:aws:s3:::BUCKET")
	}
	return a.Resource, nil
}

// RoleParts splits the ARN of an IAM role into account, path and name.
func RoleParts(s string) (account, path, name string, err error) {
	a, err := Parse(s)
	if err == nil && a.Service == "iam" && ValidAccount(a.Account) {
		if rest, ok := strings.CutPrefix(a.Resource, "role/"); ok {
			i := strings.LastIndexByte(rest, '/') + 1
			if rest[i:] != "" {
				return a.Account, "/" + rest[:i], rest[i:], nil
			}
		}
	}
	return "", "", "", fault.New(fault.Invalid, "InvalidArgument", "Invalid role ARN.").On(s).
		WithHint("a role's ARN is arn:aws:iam::ACCOUNT:role/NAME")
}

// Match reports whether s matches pattern, both ARNs, each of the six parts
// for itself: '*' stands for any run of characters and '?' for one. A
// wildcard does not reach across the first five colons.
func Match(pattern, s string) bool {
	if pattern == "*" {
		return true
	}
	for range 5 {
		p, prest, ok := strings.Cut(pattern, ":")
		if !ok {
			return false
		}
		v, vrest, ok := strings.Cut(s, ":")
		if !ok || !Wildcard(p, v) {
			return false
		}
		pattern, s = prest, vrest
	}
	return Wildcard(pattern, s)
}

// Wildcard reports whether s matches pattern, in which '*' stands for any run
// of bytes, also none, and '?' for exactly one.
func Wildcard(pattern, s string) bool {
	var star, mark int = -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
