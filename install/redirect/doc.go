// Package redirect leads the TCP of a network namespace into its Envoy, and
// takes that back.
//
// Input: the ports and the user of Envoy, and what to leave alone. Output: two
// nftables tables of our own, one for each IP family, written over netlink in one
// transaction: no binary is needed, and there is no moment with half of the rules.
// They mean what Istio's rules mean, with two differences: what is led to the
// inbound port keeps its address, so Envoy may listen on the pod's alone; and a
// connection from Envoy to its own listener is dropped, because it has no end.
//
// The package knows neither Kubernetes nor weft.
package redirect
