// Package gateway has a cluster run the gateways that people write.
//
// Input: rows of what is to run. Output: objects of Kubernetes, applied by the
// server's own rules: a ServiceAccount, a Deployment, a Service, a disruption
// budget and, where asked, an autoscaler for each. They belong to the Gateway,
// or to all that share them, and Kubernetes removes them with the last. Objects is pure; Controller acts, in the
// one server that leads.
package gateway
