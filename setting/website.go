package setting

import (
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/markup"
)

const (
	maxWebsiteSize  = 128 << 10
	maxRoutingRules = 50
	maxRedirect     = 2 << 10 // bytes of an object's redirect location
)

var websiteKind = kind{
	root: group("WebsiteConfiguration",
		group("RedirectAllRequestsTo", needed(text("HostName")), text("Protocol")),
		group("IndexDocument", needed(text("Suffix"))),
		group("ErrorDocument", needed(text("Key"))),
		group("RoutingRules", needed(repeated(group("RoutingRule",
			group("Condition", text("KeyPrefixEquals"), formed("HttpErrorCodeReturnedEquals", digits)),
			needed(group("Redirect", text("Protocol"), text("HostName"), text("ReplaceKeyPrefixWith"),
				text("ReplaceKeyWith"), formed("HttpRedirectCode", digits))),
		)))),
	),
	limit: maxWebsiteSize,
	check: checkWebsite,
}

func checkWebsite(root *node) error {
	if all := root.child("RedirectAllRequestsTo"); all != nil {
		if len(root.kids) > 1 {
			return invalidArgument("RedirectAllRequestsTo", "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.").With("ArgumentValue", "not null")
		}
		return checkProtocol(all)
	}
	index := root.child("IndexDocument")
	if index == nil {
		return invalidArgument("IndexDocument", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty").With("ArgumentValue", "null")
	}
	if s := index.value("Suffix"); s == "" || strings.Contains(s, "/") {
		return invalidArgument("IndexDocument", "The IndexDocument Suffix is not well formed").With("ArgumentValue", s)
	}
	if e := root.child("ErrorDocument"); e != nil && e.value("Key") == "" {
		return invalidArgument("ErrorDocument", "The ErrorDocument Key is not well formed").With("ArgumentValue", "")
	}
	rules := root.child("RoutingRules")
	if rules == nil {
		return nil
	}
	if n := len(rules.kids); n > maxRoutingRules {
		return invalidRequest("%d routing rules provided, the number of routing rules in a website configuration is limited to %d.", n, maxRoutingRules)
	}
	for _, r := range rules.kids {
		if err := checkRoutingRule(r); err != nil {
			return err
		}
	}
	return nil
}

func checkRoutingRule(r *node) error {
	if c := r.child("Condition"); c != nil {
		if len(c.kids) == 0 {
			return invalidRequest("Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.")
		}
		if code := c.value("HttpErrorCodeReturnedEquals"); code != "" && !between(code, 400, 417) && !between(code, 500, 505) {
			return invalidRequest("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", code)
		}
	}
	to := r.child("Redirect")
	if len(to.kids) == 0 {
		return markup.Malformed("Redirect is empty")
	}
	if to.child("ReplaceKeyWith") != nil && to.child("ReplaceKeyPrefixWith") != nil {
		return invalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	}
	if code := to.value("HttpRedirectCode"); code != "" && (!between(code, 301, 308) || code == "306") {
		return invalidRequest("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", code)
	}
	return checkProtocol(to)
}

func between(number string, low, high int) bool {
	n, err := strconv.Atoi(number)
	return err == nil && n >= low && n <= high
}

func checkProtocol(n *node) error {
	if p := n.child("Protocol"); p != nil && p.text != "http" && p.text != "https" {
		return invalidRequest("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
	}
	return nil
}

// CheckRedirect checks the place to which a website sends those who ask for an
// object.
func CheckRedirect(location string) error {
	if !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "http://") && !strings.HasPrefix(location, "https://") {
		return fault.New(fault.Invalid, "InvalidRedirectLocation", "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.").On(location)
	}
	if len(location) > maxRedirect {
		return fault.New(fault.Invalid, "InvalidRedirectLocation", "The length of website redirect location cannot exceed 2,048 characters.")
	}
	return nil
}
