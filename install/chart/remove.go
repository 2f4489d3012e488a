package chart

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

const revisionLabel = "weft.dev/revision"

// Removed are the objects that go with a control plane: what is its alone, and
// the rest if there is no other. The namespace, with the authority, goes only if
// asked: what runs trusts it.
func Removed(objects []*unstructured.Unstructured, others, namespace bool) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, o := range objects {
		switch {
		case o.GetKind() == "Namespace":
			if namespace {
				all = append(all, o)
			}
		case !others || o.GetLabels()[revisionLabel] != "":
			all = append(all, o)
		}
	}
	return all
}
