// Package release brings one version of an application into service, step by
// step, and takes it out again when its traffic shows that it is worse.
//
// An action is done only after the status of its Release, which carries the
// intent, is stored; whether it was done is read from the world, never from
// memory. So a crash at any point neither loses nor repeats one.
//
// Input: Releases and Applications, and what a Provider observes. Output: the
// status of both, and actions for the Provider. A Strategy decides, a Judge
// reads traffic; both are pure. The package knows neither Envoy nor xDS nor how
// a TrafficSplit is applied.
package release
