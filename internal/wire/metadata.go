package wire

import (
	"net/http"
	"strings"

	"twinbucket/fault"
)

const (
	metadataPrefix = "X-Amz-Meta-"
	maxMetadata    = 2 << 10 // bytes of names and values
)

// Metadata returns the user metadata, names in lower case; nil if there is
// none.
func Metadata(h http.Header) (map[string]string, error) {
	var m map[string]string
	size := 0
	for name, values := range h {
		if len(name) <= len(metadataPrefix) || !strings.EqualFold(name[:len(metadataPrefix)], metadataPrefix) {
			continue
		}
		if m == nil {
			m = make(map[string]string)
		}
		name = strings.ToLower(name[len(metadataPrefix):])
		v := strings.Join(values, ",")
		m[name] = v
		size += len(name) + len(v)
	}
	if size > maxMetadata {
		return nil, fault.New(fault.TooLarge, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
			WithHint("names and values of x-amz-meta-* have at most %d bytes together; these have %d", maxMetadata, size)
	}
	return m, nil
}
