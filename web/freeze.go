package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/release/guard"
)

// Freeze is one that is there, whether it holds now or not.
type Freeze struct {
	Name   string     `json:"name"`
	Holds  bool       `json:"holds"` // now
	What   string     `json:"what"`  // is frozen, in words
	Reason string     `json:"reason"`
	By     string     `json:"by,omitempty"`
	Except []string   `json:"except"` // groups whose runs and releases are let through
	From   *time.Time `json:"from,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
}

// FreezeRequest asks for a freeze. Empty lists are no limit.
type FreezeRequest struct {
	Reason       string   `json:"reason"`
	Except       []string `json:"except"`
	Namespaces   []string `json:"namespaces"`
	Applications []string `json:"applications"`
	Until        string   `json:"until,omitempty"` // a time, or how long, such as 2h
}

// FrozenParts says what a freeze is about.
func FrozenParts(s v1alpha1.FreezeSpec) string {
	var parts []string
	for _, limit := range []struct {
		of    string
		names []string
	}{{"namespace", s.Namespaces}, {"application", s.Applications}, {"environment", s.Environments}} {
		if len(limit.names) > 0 {
			parts = append(parts, limit.of+" "+strings.Join(limit.names, ", "))
		}
	}
	return cmp.Or(strings.Join(parts, "; "), "everything")
}

// freezes are those that hold first, then by name.
func freezes(mesh Mesh, now time.Time) []Freeze {
	all := []Freeze{}
	for _, f := range mesh.Freezes() {
		one := Freeze{
			Name: f.Name, Holds: guard.Holds(&f, now), What: FrozenParts(f.Spec), Reason: f.Spec.Reason, By: f.Spec.By, Except: orEmpty(f.Spec.Except),
		}
		if f.Spec.From != nil {
			one.From = &f.Spec.From.Time
		}
		if f.Spec.Until != nil {
			one.Until = &f.Spec.Until.Time
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Freeze) int {
		return cmp.Or(model.CompareBool(b.Holds, a.Holds), cmp.Compare(a.Name, b.Name))
	})
	return all
}
