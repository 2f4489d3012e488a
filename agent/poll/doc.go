// Package poll follows published snapshots for one workload: it reads the index
// now and then, believes it only if a trusted key signed it and if it is not older
// than what was seen before, and hands the workload's view on when it differs.
//
// What must stay true: whatever the place says, or does not say, what is in use
// stays until there is a whole, trusted, newer view; the newest index that was seen is
// remembered over restarts, the view itself is not: the relay has it.
//
// Input: a store that reads. Output: resources. It knows no gRPC and no Envoy.
package poll
