package guard

import (
	"fmt"

	"weft.dev/api/v1alpha1"
)

// Check says which windows of a pipeline cannot be read: they never open.
func Check(d *v1alpha1.PipelineSpec) []v1alpha1.Problem {
	all := unread("spec", d.Windows)
	for i, s := range d.Stages {
		all = append(all, unread(fmt.Sprintf("spec.stages[%d]", i), s.Windows)...)
	}
	return all
}

func unread(path string, windows []v1alpha1.Window) (all []v1alpha1.Problem) {
	for i, w := range windows {
		if _, err := readWindow(w, ""); err != nil {
			all = append(all, v1alpha1.Problem{Code: "Invalid", Path: fmt.Sprintf("%s.windows[%d]", path, i), Message: err.Error()})
		}
	}
	return all
}
