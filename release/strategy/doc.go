// Package strategy decides how a new version takes over: Canary by judged shares,
// BlueGreen at once with the old version kept ready, Rolling with traffic and instances in
// steps, Highlander at once and then alone, Recreate after the old version has ended.
//
// Input and output are release.Input and release.Outcome; everything here is
// pure. All walk the same path and differ in their course: which shares, what must be
// known before the next, and what happens to instances, where weft starts and stops them. A share is
// written only when the version has the instances for it, and counted only after every proxy has
// acknowledged it; nothing ends that has traffic or requests; the way back outranks everything.
package strategy
