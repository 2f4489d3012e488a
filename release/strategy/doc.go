// Package strategy decides how traffic moves to a new version: Canary by judged
// shares, BlueGreen at once with the old version kept ready.
//
// Input and output are release.Input and release.Outcome; everything here is
// pure. Both strategies walk the same path and differ in their course: which
// shares, and what must be known before the next. A share is written only when
// the version has the instances for it, and counted only after every proxy has
// acknowledged it; the way back outranks everything.
package strategy
