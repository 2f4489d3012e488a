// Package xds brings views to proxies and keeps them there.
//
// The order is the promise: a proxy never gets a resource before it has
// acknowledged every cluster that the resource needs, and never loses a cluster
// while it may hold a resource that needs it.
//
// Input: views by scope, and the proxies' requests. Output: responses on delta
// and state-of-the-world ADS streams, a row for each proxy that says what it
// refused, and one for each name that it asks for and that nobody told it of. A
// Session decides, for one stream, with no clock, lock or goroutine of its own;
// the Server runs sessions over gRPC. Sessions are pulled: a slow proxy skips
// revisions, and no queue grows.
//
// The package knows names, versions and bytes, not what the bytes say.
package xds
