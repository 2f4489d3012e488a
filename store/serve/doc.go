// Package serve is the embedded API server: Kubernetes' own library server and
// CRD server over an embedded etcd, in one data directory, for machines where
// there is no cluster to keep resources in.
//
// One process owns a data directory, and can start again from it after kill -9.
// Only holders of a certificate of the directory's own authority are let in:
// administrators do everything, people read, start runs of pipelines and decide.
//
// Memory: with every kind followed, about 110 MB of live heap, mostly compiled
// validation rules, and 95 MB of the binary. The caller sets the garbage
// collector; at GOGC=50, with debug.FreeOSMemory after the start, it is 280 MB.
//
// Input: a directory and an address. Output: an API that kubectl, client-go and
// GitOps tools take for a cluster's, and the client configuration of it. The
// package must not know what any resource means.
package serve
