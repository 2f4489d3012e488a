// Package spinnaker makes weft's pipelines of Spinnaker's, and gives Spinnaker's
// back.
//
// A stage is converted whole or kept whole: where one field, or one expression of
// it, has no equal, it becomes an unsupported stage that holds the original, and a
// run that reaches it fails by name. Nothing is guessed and nothing is dropped: all
// that a Pipeline cannot say is in its spec.imported, and the Report names it.
//
// It is pure: bytes in, objects and bytes out.
package spinnaker
