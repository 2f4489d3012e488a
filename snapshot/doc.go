// Package snapshot is configuration as files: what Envoys get, compiled, where
// no control plane is.
//
// A view is everything that one Envoy gets, in a file named by its content. An
// index says which view each proxy has; it is signed, and numbered by a sequence
// that never goes back. Who has an index and the key that it must be signed with
// needs to trust neither the place where both are kept nor the way to it.
//
// The package knows bytes alone: no place, no clock, no feature of Envoy. Every
// agent links it and pays for its memory.
package snapshot
