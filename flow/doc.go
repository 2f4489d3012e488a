// Package flow keeps collections of rows that follow from each other.
//
// Rows are immutable. Whoever changes a row that a collection holds breaks
// equality, and with it every view of every proxy. A derivation must be a pure
// function of its input row and of what it reads through its Ctx.
//
// Input: rows that sources set. Output: derived rows, and the changes that one
// commit made, seen by observers. A commit is atomic and runs alone; it settles
// every collection once, in the order in which they were made, and stops where
// a recomputed row equals the old one. The same commits give the same rows,
// runs and changes.
//
// The package imports the standard library only and knows nothing of the mesh.
package flow
