package wire

import (
	"net"
	"net/http"
)

// Facts returns the condition keys that a request to any of the doors gives,
// in lower case: aws:securetransport, aws:requestedregion, aws:viaawsservice, if
// the address is known aws:sourceip, and aws:useragent if there is one. The
// caller may add to them.
func Facts(r *http.Request, region string) map[string][]string {
	secure := "false"
	if r.TLS != nil {
		secure = "true"
	}
	facts := map[string][]string{
		"aws:securetransport": {secure},
		"aws:requestedregion": {region},
		"aws:viaawsservice":   {"false"},
	}
	if agent := r.UserAgent(); agent != "" {
		facts["aws:useragent"] = []string{agent}
	}
	if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		facts["aws:sourceip"] = []string{ip}
	}
	return facts
}
