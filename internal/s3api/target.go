package s3api

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// target returns the bucket and key that a request means. Both are empty for
// the service; key is empty for a bucket. The bucket stands before the host
// (virtual-hosted style) or first in the path (path style).
func (s *server) target(r *http.Request) (name, key string, err error) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if !utf8.ValidString(path) {
		return "", "", fault.New(fault.Invalid, "InvalidURI", "Couldn't parse the specified URI.").
			WithHint("a key is percent-encoded UTF-8")
	}
	name = s.hostBucket(r.Host)
	if name == "" {
		name, key, _ = strings.Cut(path, "/")
	} else {
		key = path
	}
	if name == "" && key != "" {
		return "", "", fault.New(fault.Invalid, "InvalidBucketName", "The specified bucket is not valid.").
			WithHint("the path begins with an empty bucket name; a key that begins with a slash is /BUCKET//KEY")
	}
	if key != "" {
		if err := checkKey(key); err != nil {
			return name, "", err
		}
	}
	return name, key, nil
}

// checkKey reports what is wrong with the key of a request. The S3 User Guide,
// "Naming Amazon S3 objects": read from the left, there are never more
// segments ".." than others.
func checkKey(key string) error {
	if err := object.CheckKey(key); err != nil || !strings.Contains(key, "..") {
		return err
	}
	depth := 0
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return fault.New(fault.Invalid, "400", "Bad Request").On(key).
				WithHint(`the segments ".." of the key lead out of the bucket, and S3 refuses such keys`)
		}
	}
	return nil
}

// hostBucket returns the bucket's name in a virtual-hosted style host, "" for
// path style: the host itself, an IP address, a host that is not known.
func (s *server) hostBucket(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if host == "localhost" || host == "" {
		return ""
	}
	if c := host[0]; c >= '0' && c <= '9' || c == '[' {
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			return ""
		}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, d := range s.domains {
		if host == d {
			return ""
		}
		if name, ok := strings.CutSuffix(host, "."+d); ok {
			return name
		}
	}
	if name, ok := strings.CutSuffix(host, ".localhost"); ok {
		return cutEndpoint(name)
	}
	for _, d := range []string{".amazonaws.com", ".amazonaws.com.cn"} {
		if name, ok := strings.CutSuffix(host, d); ok {
			return cutEndpoint(name)
		}
	}
	return ""
}

// cutEndpoint takes the service's part (s3, s3.REGION, s3-REGION,
// s3.dualstack.REGION, s3-fips.REGION, s3-accelerate.dualstack, ...) off the end
// of a host's left part, and returns the bucket before it. Without a service's
// part all of it is the bucket.
func cutEndpoint(host string) string {
	labels := strings.Split(host, ".")
	for i := len(labels) - 1; i >= 0 && i >= len(labels)-3; i-- {
		l := labels[i]
		if l == "s3" || l == "s3-fips" || l == "s3-accelerate" || strings.HasPrefix(l, "s3-") && i == len(labels)-1 {
			return strings.Join(labels[:i], ".")
		}
	}
	return host
}

// versionID returns the version that the request names, "" for the current
// one.
func versionID(q wire.Params) (string, error) {
	id, ok := q.Lookup("versionId")
	if !ok {
		return "", nil
	}
	return id, object.CheckID(id)
}
