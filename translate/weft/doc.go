// Package weft reads weft's own kinds.
//
// Input: one object with its typed spec. Output: model rows, whose references
// to other objects are not looked up yet, and the object's problems.
package weft
