// Package translate turns accepted objects into the rows of the mesh, and says
// what is wrong with them.
//
// Input: the collection of objects. Output: join.Mesh, the collections that
// compile reads, and the problems. One package is one family of kinds; join is
// where rows of several objects meet. Nothing here reads a clock, a file or a
// network.
package translate
