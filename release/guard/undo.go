package guard

import "weft.dev/api/v1alpha1"

// HoldBack is Hold for a release that undoes: the way back is always open, to who may take it.
func (r Rails) HoldBack(rel *v1alpha1.Release) string {
	if rel.Status.Phase != "" && rel.Status.Phase != v1alpha1.ReleasePending {
		return ""
	}
	return Refuses(r.Application, MayUndo, r.starter(rel))
}
