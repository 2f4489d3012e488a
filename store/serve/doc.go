// Package serve is the embedded API server: Kubernetes' own library server and
// CRD server over an embedded etcd, in one data directory, for machines where
// there is no cluster to keep resources in.
//
// One process owns a data directory; a lock says so. Everything that the
// directory holds is enough to start again, after kill -9 too. Only holders of
// a certificate of the directory's own authority are let in.
//
// Memory: with every kind followed by a client the live heap is about 110 MB,
// most of it compiled validation rules, and nearly as much of the binary is in
// memory. A garbage collection target of 50 % (for the caller to set) keeps the
// whole process below 300 MB.
//
// Input: a directory and an address. Output: an API that kubectl, client-go and
// GitOps tools take for a cluster's, and the client configuration of it. The
// package must not know what any resource means.
package serve
