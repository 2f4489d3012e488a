// Package agent stands beside one workload on a host: it holds the workload's
// identity, keeps its Envoy running and configured, starts the application once
// the proxy is ready, and tells the server how the workload is.
//
// What must stay true: Envoy and the application run on when the server is
// gone, and start without it from what is on disk.
//
// Input: the credentials that Join left, and Options. It knows no feature of
// Envoy and no API object: every workload pays for its memory.
package agent
