// Package redirect leads TCP into Envoy, and takes that back: all of a network
// namespace, which is a pod's, or what one application of a host calls.
//
// Input: the ports of Envoy, how to tell its calls from others, and what to leave
// alone. Output: two nftables tables of our own, one for each IP family, written over
// netlink in one transaction: no binary is needed, and there is no moment with half of
// the rules. Where the kernel has no nf_tables, iptables-restore writes the same. A pod's mean what Istio's rules mean, with two differences: what is led
// to the inbound port keeps its address, so Envoy may listen on the pod's alone; and
// a connection from Envoy to its own listener is dropped, because it has no end.
//
// The package knows neither Kubernetes nor weft.
package redirect
