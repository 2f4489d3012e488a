// Package identity says who is who in the mesh: a certificate authority whose
// roots rotate without an outage, the SPIFFE names of workloads, hosts and the
// server, one-time join tokens, the TLS settings of both ends of the mesh
// port, and the signatures of previews.
//
// What must stay true: a certificate names what the authority decided, never
// what a request asked for in its CSR; a token is spent on disk before it is
// answered; no key, token or secret appears in an error.
//
// It knows no gRPC, no API object and no Envoy; the agent links it too.
package identity
