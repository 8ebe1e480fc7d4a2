package setting

import (
	"strconv"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/markup"
)

// configurationLimit is the most bytes of a configuration with an id.
const configurationLimit = 64 << 10

const maxConfigurationID = 64

// CheckID reports whether id can be that of a configuration.
func CheckID(id string) error {
	ok := id != "" && len(id) <= maxConfigurationID
	for i := 0; i < len(id) && ok; i++ {
		c := id[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	if !ok {
		return fault.New(fault.Invalid, "InvalidConfigurationId", "The specified configuration id is invalid.").On(id).
			WithHint("an id has 1 to %d letters, digits, hyphens, underscores and dots", maxConfigurationID)
	}
	return nil
}

// tag is a tag in a filter.
func tag() element { return group("Tag", needed(text("Key")), needed(text("Value"))) }

// filter is the choice of objects of a configuration; more are elements that
// only one kind of configuration has.
func filter(more ...element) element {
	and := append([]element{text("Prefix"), repeated(tag())}, more...)
	return group("Filter", append(append([]element{text("Prefix"), tag()}, more...), group("And", and...))...)
}

// checkFilter checks a filter: one choice, or several in And.
func checkFilter(root *node) error {
	f := root.child("Filter")
	if f == nil {
		return nil
	}
	if len(f.kids) != 1 {
		return markup.Malformed("Filter holds one element; several belong into And")
	}
	if f.child("AccessPointArn") != nil || f.at("And", "AccessPointArn") != nil {
		return fault.New(fault.Unsupported, "NotImplemented", "A filter by AccessPointArn is not supported").
			WithHint("there are no access points here; filter by prefix and tags")
	}
	and := f.child("And")
	if and == nil {
		return nil
	}
	if len(and.kids) < 2 {
		return markup.Malformed("And holds two elements or more")
	}
	seen := map[string]bool{}
	for _, t := range and.all("Tag") {
		key := t.value("Key")
		if seen[key] {
			return markup.Malformed("the tag key %q is in And twice", key)
		}
		seen[key] = true
	}
	return nil
}

var analyticsKind = kind{
	root: group("AnalyticsConfiguration",
		needed(text("Id")),
		filter(),
		needed(group("StorageClassAnalysis", group("DataExport",
			needed(word("OutputSchemaVersion", "V_1")),
			needed(group("Destination", needed(group("S3BucketDestination",
				needed(word("Format", "CSV")),
				formed("BucketAccountId", arn.ValidAccount),
				needed(text("Bucket")),
				text("Prefix"),
			)))),
		))),
	),
	limit: configurationLimit,
	check: func(root *node) error {
		if to := root.at("StorageClassAnalysis", "DataExport", "Destination", "S3BucketDestination"); to != nil {
			if err := checkDestinationBucket(to); err != nil {
				return err
			}
		}
		return checkFilter(root)
	},
}

var metricsKind = kind{
	root:  group("MetricsConfiguration", needed(text("Id")), filter(text("AccessPointArn"))),
	limit: configurationLimit,
	check: checkFilter,
}

var tieringKind = kind{
	root: group("IntelligentTieringConfiguration",
		needed(text("Id")),
		filter(),
		needed(word("Status", "Enabled", "Disabled")),
		needed(repeated(group("Tiering",
			needed(word("AccessTier", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")),
			needed(formed("Days", digits)),
		))),
	),
	limit: configurationLimit,
	check: checkTiering,
}

// maxTieringDays is how long an object can go unread before it moves.
const maxTieringDays = 730

func checkTiering(root *node) error {
	days := map[string]int{}
	for _, t := range root.all("Tiering") {
		tier := t.value("AccessTier")
		if days[tier] != 0 {
			return markup.Malformed("there is more than one Tiering to %s", tier)
		}
		least := 90
		if tier == "DEEP_ARCHIVE_ACCESS" {
			least = 180
		}
		n, err := strconv.Atoi(t.value("Days"))
		if err != nil || n < least || n > maxTieringDays {
			return invalidArgument("Days", "'Days' in the Tiering to %s must be between %d and %d", tier, least, maxTieringDays)
		}
		days[tier] = n
	}
	if a, d := days["ARCHIVE_ACCESS"], days["DEEP_ARCHIVE_ACCESS"]; a != 0 && d != 0 && d <= a {
		return invalidArgument("Days", "'Days' in the Tiering to DEEP_ARCHIVE_ACCESS must be greater than those to ARCHIVE_ACCESS")
	}
	return checkFilter(root)
}
