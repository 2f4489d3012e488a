// Package v1alpha1 holds weft's own kinds, group weft.dev: what neither Istio's
// API nor the Gateway API has a word for. The CRDs are generated from these
// types; a field's comment is what `kubectl explain` prints.
//
// +groupName=weft.dev
// +kubebuilder:object:generate=true
package v1alpha1
