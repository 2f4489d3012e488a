// Package relay stands between an Envoy and the server: it passes the server's
// configuration on, remembers what Envoy has accepted, and answers from memory
// when Envoy starts anew, whether the server is there or not.
//
// What must stay true: the server hears yes only after Envoy said yes; what is
// remembered is only what Envoy accepted; a fresh Envoy gets that first, and
// news after it; a resource that a request waits for at Envoy has an answer
// within a bound, if only that nobody knows it.
//
// Relay decides, with no clock, lock or goroutine; Service runs it over gRPC;
// Cache keeps it on disk. The package knows names, versions and bytes.
package relay
