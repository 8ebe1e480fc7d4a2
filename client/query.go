package client

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"twinbucket/internal/sigv4"
)

// versions of the query protocol's APIs.
var versions = map[string]string{serviceIAM: "2010-05-08", serviceSTS: "2011-06-15", serviceCloudFormation: "2010-05-15"}

// form holds the parameters of a query-protocol call.
type form map[string]string

// members adds a list.
func (f form) members(name string, values []string) {
	for i, v := range values {
		f[name+".member."+strconv.Itoa(i+1)] = v
	}
}

// encode returns the form as a body, sorted; empty parameters are left out.
func (f form) encode() []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if f[name] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(sigv4.EncodeQuery(name) + "=" + sigv4.EncodeQuery(f[name]))
	}
	return []byte(b.String())
}

// query makes a query-protocol call and reads the answer into v, nil for
// none. Actions that may be carried out twice are repeated when their outcome
// is unknown.
func (c *Client) query(ctx context.Context, service, action string, f form, v any) error {
	f["Action"], f["Version"] = action, versions[service]
	k := &call{op: service + "." + action, service: service, method: http.MethodPost, path: "/"}
	for _, name := range []string{"StackName", "RoleName", "RoleArn"} {
		if f[name] != "" {
			k.thing = f[name]
			break
		}
	}
	k.once = true
	for _, prefix := range []string{"Get", "List", "Describe", "Validate", "Assume", "Put"} {
		k.once = k.once && !strings.HasPrefix(action, prefix)
	}
	k.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	k.payload(f.encode())
	if v == nil {
		v = &struct{}{}
	}
	return c.fetch(ctx, k, v)
}
