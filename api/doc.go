// Package api is what people can write: the list of every accepted kind, the
// CRDs behind it, and Object, the row that one written object is to the rest of
// weft.
//
// Rows are immutable: nobody changes an Object, its maps or what Spec points to.
//
// Input: the JSON of an object, as an API server or a file has it. Output: an
// Object with a typed spec, or with the reason why it has none. The package
// knows no client, no server, and nothing of what an object means.
package api
