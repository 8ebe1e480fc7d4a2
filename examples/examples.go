// Package examples holds the templates that the documentation, the demo and
// the tests share.
package examples

import "embed"

// CrossAccount is the folder cross-account: replication of one bucket into
// another account, step by step.
//
//go:embed cross-account
var CrossAccount embed.FS

// Template returns a template of the folder cross-account.
func Template(name string) (string, error) {
	data, err := CrossAccount.ReadFile("cross-account/" + name)
	return string(data), err
}
