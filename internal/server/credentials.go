package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/config"
	"twinbucket/internal/iam"
)

// CredentialsFile returns where a server with the given data directory keeps
// the root access keys of its accounts.
func CredentialsFile(data string) string { return filepath.Join(data, "credentials") }

// credentials is the file of that name.
type credentials struct{ file, region string }

// write writes the accounts' keys in the format of AWS's shared credentials
// file, readable by the owner only. An account whose root user has no key that
// works has no profile.
func (c credentials) write(accounts []iam.Account) error {
	var b strings.Builder
	for _, a := range accounts {
		if a.AccessKey == "" {
			fmt.Fprintf(&b, "# %s (%s): no root access key that works; \"twinbucket account rotate %s\" makes one\n\n", a.Name, a.ID, a.Name)
			continue
		}
		fmt.Fprintf(&b, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n\n", a.Name, a.AccessKey, a.Secret, c.region)
	}
	tmp := c.file + ".new"
	err := os.WriteFile(tmp, []byte(b.String()), 0o600)
	if err == nil {
		err = os.Rename(tmp, c.file)
	}
	if err != nil {
		return &fault.Error{
			Op: "server.credentials", Thing: c.file, Err: err,
			Hint: "the keys are recorded; the file is written when the server starts, once the data directory can be written to",
		}
	}
	return nil
}

// regionOf returns the region in a file of that kind; the default one if there
// is none.
func regionOf(file string) string {
	text, err := os.ReadFile(file)
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if region, ok := strings.CutPrefix(strings.TrimSpace(line), "region = "); ok {
				return region
			}
		}
	}
	return config.DefaultRegion
}
