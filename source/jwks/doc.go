// Package jwks has the keys of those who issue tokens. They are asked of strangers, so
// what comes is bounded, and goes to no proxy unless it is a set of public keys.
//
// Job: how a KeySource that some object names is asked, and what is no set of keys. Keys that cannot be had anew stay for
// a while, and then there are none: no token is let in because nobody answered. It must not know who uses them.
package jwks
