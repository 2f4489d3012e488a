// Package process builds and runs the real weft for tests, each server in a
// folder and on ports of its own.
//
// Input: a folder. Output: a running `weft serve` that can be asked, measured,
// stopped and killed. It must not know what a test does with it.
package process
