// Package istio reads Istio's networking and security kinds.
//
// Input: one object with its typed spec. Output: model rows, whose references
// to other objects are not looked up yet, and the object's problems. One file
// is one kind, and honoured.go names every field that is acted upon; a field
// that is not in it becomes a problem by itself.
//
// The package sees one object at a time and knows neither other objects nor
// Envoy's configuration.
package istio
