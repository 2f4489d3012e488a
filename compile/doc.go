// Package compile turns rows of the model into the Envoy resources that each
// scope of proxies receives.
//
// Input: collections of model rows. Output: collections of views, of the scope
// of each workload, and of problems. What Envoy is told of a feature stands in
// the one file that the feature names; those files are pure functions, and only
// compile.go knows of collections.
//
// A view never holds a route to a cluster that it lacks, two virtual hosts of
// one domain, or weights that sum to zero: Envoy would refuse the whole table,
// or answer 503. Resources are encoded once, deterministically, so that equal
// content has equal versions on every server. The package knows neither
// Kubernetes nor xDS sessions.
package compile
