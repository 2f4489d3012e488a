// Package envoy finds the pinned Envoy, writes its bootstrap, runs it, and reads
// its admin interface. It knows what every proxy of weft has in common and
// nothing of the configuration that comes by xDS.
package envoy
