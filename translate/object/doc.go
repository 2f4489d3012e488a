// Package object is what every translator asks of one written object: where its
// parts were written down, whether its values are sound, and what is wrong with
// it.
//
// Input: an api.Object. Output: origins for provenance, and the object's
// problems, in the order in which they were found. The package knows no kind;
// each translator names the fields that it honours, and every other field that
// somebody set becomes a problem here.
package object
