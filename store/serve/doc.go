// Package serve is the embedded API server: Kubernetes' own library server and
// CRD server over an embedded etcd, in one data directory, for machines where
// there is no cluster to keep resources in.
//
// One process owns a data directory; a lock says so. Everything that the
// directory holds is enough to start again, after kill -9 too. Only holders of
// a certificate of the directory's own authority are let in.
//
// Input: a directory and an address. Output: an API that kubectl, client-go and
// GitOps tools take for a cluster's, and the client configuration of it. The
// package must not know what any resource means.
package serve
