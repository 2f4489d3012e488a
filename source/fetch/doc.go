// Package fetch keeps what others have and some object names: keys of issuers, code of plugins. Whoever is asked is a
// stranger, so what comes goes nowhere unless it is what was asked for.
//
// Job: each thing that is wanted is asked for, again and again; rows say what the newest good answer was. What cannot be
// had anew stays for a while, or for good. It must not know what the things are, who asks for them over the network, or
// who uses them.
package fetch
