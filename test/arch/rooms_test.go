package arch

// The floor plan: for each room the rooms it may import, nothing else. A word
// in capitals stands for a group.
//
// Imports go down this page only.

// nouns are public and pure: standard library and the nouns listed, no I/O.
var nouns = map[string]string{
	"fault":     "",
	"arn":       "fault",
	"acl":       "",
	"bucket":    "arn fault",
	"object":    "acl bucket arn fault",
	"policy":    "acl arn fault",
	"identity":  "policy arn fault",
	"role":      "identity policy arn fault",
	"markup":    "fault",
	"rule":      "markup object bucket arn fault",
	"lifecycle": "markup object bucket arn fault",
	"manifest":  "object bucket arn fault",
	"report":    "object bucket arn fault",
	"job":       "manifest report object bucket arn fault",
	"template":  "fault",
	"setting":   "markup acl bucket arn fault",
}

var rooms = map[string]string{
	"client": "NOUNS internal/sigv4",

	// Plumbing without I/O of its own.
	"internal/sigv4":    "fault",
	"internal/form":     "fault",
	"internal/grants":   "internal/wire acl fault",
	"internal/checksum": "object fault",
	"internal/wire":     "fault",
	"internal/compare":  "object acl fault",
	"internal/progress": "",
	"internal/profile":  "client fault",
	"internal/verify":   "client internal/compare NOUNS",
	"internal/check":    "client NOUNS",
	"internal/run":      "",

	// Resources own a disk or a socket.
	"internal/vfs":             "",
	"internal/journal":         "internal/vfs fault",
	"internal/layout":          "internal/journal",
	"internal/reserve":         "internal/vfs fault",
	"internal/wake":            "",
	"internal/scan":            "internal/layout",
	"internal/ledger":          "internal/layout fault",
	"internal/rowfile":         "fault",
	"internal/keyring":         "internal/vfs fault",
	"internal/fields":          "object acl fault",
	"internal/bodies":          "internal/fields internal/journal internal/keyring internal/vfs object fault",
	"internal/span":            "internal/fields internal/journal",
	"internal/event":           "internal/fields object arn fault",
	"internal/outbox":          "internal/event internal/fields internal/layout internal/scan fault",
	"internal/checkpoint":      "internal/journal internal/rowfile internal/vfs fault",
	"internal/store":           "internal/bodies internal/checkpoint internal/event internal/fields internal/journal internal/keyring internal/layout internal/ledger internal/outbox internal/reserve internal/scan internal/span internal/vfs internal/wake object acl bucket arn fault",
	"internal/catalog":         "internal/store fault",
	"internal/queue":           "fault",
	"internal/queue/queuetest": "internal/queue fault",
	"internal/iam":             "internal/catalog internal/sigv4 internal/wake identity policy role acl arn fault",

	// Engines live long.
	"internal/replicate": "internal/wake internal/iam internal/ledger internal/store internal/queue internal/run rule setting policy object bucket acl arn fault",
	"internal/batch":     "internal/replicate internal/catalog internal/iam internal/store internal/queue internal/run internal/wire NOUNS",
	"internal/notify":    "internal/wake internal/event internal/ledger internal/outbox internal/sigv4 internal/store rule setting bucket arn fault",
	"internal/scrub":     "internal/wake internal/store internal/catalog fault",
	"internal/prove":     "internal/wake internal/compare internal/store internal/catalog rule object acl bucket fault",
	"internal/inventory": "internal/wake internal/iam internal/keyring internal/store internal/catalog lifecycle manifest setting object acl bucket arn fault",
	"internal/sweep":     "internal/wake internal/store lifecycle object bucket arn fault",
	"internal/stack":     "internal/catalog internal/iam internal/store internal/run NOUNS",

	// Doors speak one protocol each; none imports another.
	"internal/s3api":     "internal/checksum internal/event internal/form internal/grants internal/wire internal/sigv4 internal/keyring internal/store internal/catalog internal/iam ENGINES NOUNS",
	"internal/replapi":   "internal/wire internal/ledger internal/store internal/iam internal/replicate internal/prove NOUNS",
	"internal/s3control": "internal/checksum internal/wire internal/sigv4 internal/store internal/catalog internal/iam ENGINES NOUNS",
	"internal/iamapi":    "internal/wire internal/sigv4 internal/store internal/catalog internal/iam ENGINES NOUNS",
	"internal/adminapi":  "internal/wire internal/iam fault",
	"internal/cfnapi":    "internal/wire internal/sigv4 internal/store internal/catalog internal/iam ENGINES NOUNS",

	// Wiring.
	"internal/config":  "NOUNS",
	"internal/metrics": "ENGINES internal/outbox internal/store job fault",
	"internal/server":  "internal/config internal/metrics DOORS ENGINES internal/wire internal/sigv4 internal/iam internal/catalog internal/keyring internal/store internal/vfs internal/run NOUNS",
	"internal/demo":    "client examples internal/server internal/config internal/compare internal/verify internal/progress NOUNS",
	"internal/cli":     "client internal/adminapi internal/check internal/verify internal/profile internal/config internal/server internal/demo internal/progress internal/store internal/vfs internal/run NOUNS",
	"internal/testenv": "ENGINES internal/s3api internal/iam internal/catalog internal/keyring internal/store internal/vfs NOUNS",
	"cmd/twinbucket":   "internal/cli",
	"examples":         "",
}

var groups = map[string][]string{
	"ENGINES": {"internal/replicate", "internal/batch", "internal/sweep", "internal/stack", "internal/scrub", "internal/notify", "internal/prove", "internal/inventory"},
	"DOORS":   {"internal/s3api", "internal/replapi", "internal/s3control", "internal/iamapi", "internal/cfnapi", "internal/adminapi"},
}

// impure are packages of the standard library that a noun must not import.
var impure = []string{"os", "io/fs", "io/ioutil", "net", "net/http", "log", "log/slog", "os/exec", "os/signal", "path/filepath", "syscall", "math/rand", "math/rand/v2", "crypto/rand", "database/sql"}

// thirdParty are the modules that a noun may import all the same.
var thirdParty = map[string][]string{"template": {"go.yaml.in/yaml/v3"}}

// banned are names that say nothing about what is inside.
var banned = []string{"util", "utils", "common", "types", "model", "models", "helper", "helpers", "manager", "misc", "base", "shared", "lib"}
