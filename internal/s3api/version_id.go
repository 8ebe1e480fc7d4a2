package s3api

import (
	"twinbucket/internal/wire"
)

// versionID returns the version that the request names, "" for the current
// one.
func versionID(q wire.Params) (string, error) {
	id, ok := q.Lookup("versionId")
	if !ok {
		return "", nil
	}
	return id, checkVersionID(id)
}

// checkVersionID tells ids that no system makes from ids that may merely not
// exist here. Versions that came from other systems keep ids of other forms
// than ours, so the form is wide.
func checkVersionID(id string) error {
	if id == "" {
		return invalid("versionId", "Version id cannot be the empty string")
	}
	ok := id == "null" || len(id) >= 24 && len(id) <= 1024
	for i := 0; i < len(id) && ok; i++ {
		c := id[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	if !ok {
		return invalid("versionId", "Invalid version id specified")
	}
	return nil
}
