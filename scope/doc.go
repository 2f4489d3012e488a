// Package scope says which services a workload's proxy is told of, without that
// anybody has to write it down: those that are declared for it, those that its
// account was seen to call, and those that its account's proxies ask for now.
// Where a Sidecar selects the workload, that alone decides.
//
// What an account calls is kept by a Recorder in a Memory, and forgotten when
// it is not used any more.
//
// Input: rows of model. Output: one model.Known for each cohort of workloads, and reasons
// for people. The cost of a change follows the accounts that it concerns, not
// the mesh. The package must know neither Envoy nor where a Memory is.
package scope
