// Package host runs versions of applications as processes on hosts whose operators let
// weft start them.
//
// What is to run is stored, a HostVersion each; a loop says which host has which
// instance of it, and each host is told what is its own. What hosts say is in memory
// alone: they say it again to whoever leads next.
//
// What must stay true: an instance is ended by its name, and stays listed until its
// host says that it is gone; a host that is silent runs nothing as far as we know, and
// its share moves only after MoveAfter.
//
// Input: instances.Actions and what hosts report. Output: HostVersions, and an order for
// each host. It must not know how a host does what it does, nor who carries the words.
package host
