// Package sim runs seeded histories through a store and its engine of
// replication, and holds what comes of them against a model.
//
// A history is puts, overwrites, uploads in parts, copies, delete markers and
// deletes of versions; changes of tags, locks, ACLs, rules, policies, roles,
// versioning; destinations that are deleted and made anew; disks that fail or
// are full; processes that die and power that fails, in the middle of a write
// too; and a queue that loses, doubles, delays and reorders tasks. It goes over
// buckets of three accounts that replicate one way, to several, in a chain, to
// each other, or as chance has it.
//
// The model is maps and a reading of AWS's documentation, and knows nothing of
// the engine. After each step it says of each version what it is, which
// replicas there are and what they hold, what waits, and whether the outcome of
// a delivery is one that the rules, policies and roles of that time admit. In
// the end nothing waits, the store finds itself sound, and an index made anew
// from the journal holds the same.
//
// What is simulated: one process with one store, its disk, its clock (a bubble
// of testing/synctest) and its queue. The engine works when the history says
// so, which makes a seed give the same history each time, with any number of
// workers; only the random parts of version ids differ. TestFree lets the
// engine run beside the history instead; there the model knows only what may
// have been. What is not simulated: clients and their protocols (test/kill and
// test/e2e have them), and networks. Replication goes from bucket to bucket
// within one store, so there is nothing between two servers to cut: a
// destination that cannot be reached is an engine that is off or a disk that
// fails.
//
//	go test ./test/sim                                # a few seeds, and one by chance
//	go test ./test/sim -count 1 -seeds 1000 -seed 7   # a thousand, from the seventh
//
// A failure prints the seed, the shortest history that was found to fail, and
// the command that runs it again.
package sim
