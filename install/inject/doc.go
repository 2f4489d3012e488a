// Package inject gives a pod its proxy, while Kubernetes creates it.
//
// Input: a pod, and what the mesh wants of proxies. Output: a JSON patch, which
// names only what it changes: fields of a newer Kubernetes than ours stay. Inject
// is pure; Webhook speaks the API server's admission protocol around it,
// Review for others, too.
//
// A pod that cannot have a proxy is created without one, with the reason as a
// warning and as an annotation. Injection stops no pod, unless it is asked to.
package inject
