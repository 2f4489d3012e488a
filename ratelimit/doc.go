// Package ratelimit counts requests for all proxies of a mesh, by Envoy's protocol of rate limits.
//
// A proxy names a limit and the value of its key; the answer is whether the request is let in. What the limits
// are, and who may ask of which, the package is told. A budget is a bucket that fills evenly (GCRA): its whole
// state is one time, that at which the bucket is full again, and a budget that is full needs no memory at all.
//
// Budgets are in memory, each at one of the servers that are there (Shared), or in a Redis for all of them. Time
// is an argument in all that decides. The package knows neither objects nor what a request was.
package ratelimit
