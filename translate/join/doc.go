// Package join is where objects meet: who owns a host, which of two objects
// decides, and whether what an object names exists.
//
// Input: parts, what each object says by itself. Output: the rows that compile
// reads, with every reference looked up, and the problems of all objects. A
// reference that leads nowhere takes only its own share of a rule with it.
//
// Among objects that want the same, the owner of the host comes first, then the
// older, then the one whose name sorts first. The package knows no kind's text
// and no Envoy configuration.
package join
