// Package load is N simulated Envoys, one ADS stream each (delta or state of the world),
// and what any xDS v3 server costs them: first sync, bytes, reconnect, convergence of
// changes, the server's CPU and memory for each phase. It never decodes an Envoy message:
// it walks the wire to the few fields that decide what a proxy asks for next, so that it
// costs less than the servers that it measures.
//
// Routes may come whole (RDS) or in pieces: virtual hosts (VHDS, pushed without on-demand
// requests) or scopes (SRDS, inline or with RDS), as Envoy 1.40 takes them.
//
// Latency is from just before a change became visible (rename, POST) until RecvMsg
// returned on the last proxy. Input: flags, and with -control commands on standard input.
// Output: JSON on standard output. It must not know which server it measures, but for
// the mesh port of weft, which gives configuration to registered workloads only.
package load
