// Package trace keeps what proxies and applications tell of requests: spans, by
// trace, in memory.
//
// What must stay true: whatever is sent, the store has its bound in bytes, and what is
// dropped is counted by its reason.
//
// Input: spans by OTLP, and whose proxy told them. Output: traces by search and by id,
// and the same spans by OTLP to somewhere else. It knows no Envoy configuration: what
// proxies are to tell is compile's.
package trace
