// Package steward starts and stops on a machine what the server orders, as far as the
// machine's operator lets it: which applications, as which user, from which programs and
// artifacts. Each instance is a weft run of its own, with its Envoy and identity.
//
// What must stay true: nothing runs that the operator's words do not cover. Processes
// outlive the steward, who finds them again; what was ordered is on disk, so that it
// starts again without a server, also after a reboot. What an order does not name stays.
//
// Input: orders, and the operator's Allow. Output: processes, and how each is. It must
// not know who orders.
package steward
