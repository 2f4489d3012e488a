// Package tap is what passes the mesh while somebody looks: requests as they end,
// from what their proxies say of them.
//
// Input: who looks at which workloads, and what their agents hand on. Output:
// records, to who looks, and for some minutes to who asks for a request by its
// id. A proxy of which nobody looks tells nothing. It keeps no bodies, no
// headers but the request's id, and no query strings.
package tap
