package guard

import (
	"strings"
	"testing"

	"weft.dev/api/v1alpha1"
)

// An undo goes through a freeze and outside of windows, for who may undo.
func TestTheWayBackIsOpen(t *testing.T) {
	r := Rails{
		Freezes: []*v1alpha1.Freeze{{Spec: v1alpha1.FreezeSpec{Reason: "feast"}}},
		Application: application(func(r *v1alpha1.Rails) {
			r.Roles, r.Windows = v1alpha1.Roles{Release: []string{"dev"}, Undo: []string{"oncall"}}, []v1alpha1.Window{in("UTC", "14:00-15:00")}
		}),
	}
	back := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Undo: true, By: "olga", Groups: []string{"oncall"}}}
	if why := r.HoldBack(back); why != "" {
		t.Error(why)
	}
	if why := r.Hold(back, "", noon); !strings.Contains(why, "may release") {
		t.Error(why)
	}
	back.Spec.Groups = []string{"qa"}
	if why := r.HoldBack(back); !strings.Contains(why, "may undo") {
		t.Error(why)
	}
}
