// Package attack tries to get in without rights: at a whole server, over HTTP,
// with what an attacker has. Each row of its tables is an attempt with the
// answer that keeps it out; beside it stands, where that is not obvious, the
// same request with the right that it lacks, so that a row cannot pass because
// the request was broken.
//
//	go test ./test/attack
package attack
