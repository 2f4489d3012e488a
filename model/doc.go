// Package model is the mesh in weft's own words: types, and what follows from
// them alone.
//
// Rows are immutable: whoever holds one may share it and must never change it,
// nor anything that it points to. A row has a Key, unique within its
// collection, and Equal, by which a recomputation that changed nothing stops.
//
// Input: none. Output: none. The package imports the standard library only; it
// knows neither Kubernetes nor Envoy nor a wire format.
package model
