// Package kill kills a server (SIGKILL) again and again while clients change
// what it holds, and compares what it has after each start with what it
// acknowledged. The seed decides what the clients do; where exactly a kill
// meets them is the machine's.
//
//	go test ./test/kill -count 1 -rounds 200 -seed 7
package kill
