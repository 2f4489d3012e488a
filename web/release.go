package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/release"
)

// Releases is a list of them: what is under way first, then the newest.
type Releases struct {
	Releases []Release `json:"releases"`
	Total    int       `json:"total"` // that match, of which Releases are the first
	All      int       `json:"all"`
}

// ReleaseRequest asks a page's `weft ui` to release a version.
type ReleaseRequest struct {
	Version  string `json:"version"`
	Strategy string `json:"strategy,omitempty"` // of this release alone; none: the application's
}

// Release is one run that brings a version into service, in short.
type Release struct {
	Namespace   string     `json:"namespace"`
	Name        string     `json:"name"`
	Application string     `json:"application"`
	Version     string     `json:"version"`
	From        string     `json:"from,omitempty"` // the version that served before
	Strategy    string     `json:"strategy,omitempty"`
	Undo        bool       `json:"undo"`
	State       State      `json:"state"`
	Phase       string     `json:"phase"`
	Weight      int32      `json:"weight"` // percent of the requests that the version gets
	Why         string     `json:"why,omitempty"`
	By          string     `json:"by,omitempty"`
	Started     time.Time  `json:"started"`
	Ended       *time.Time `json:"ended,omitempty"`
}

// ReleaseOf is an object in short.
func ReleaseOf(o *v1alpha1.Release) Release {
	r := Release{
		Namespace: o.Namespace, Name: o.Name, Application: o.Spec.Application, Version: o.Spec.Version, From: o.Status.From,
		Undo: o.Spec.Undo, Phase: string(cmp.Or(o.Status.Phase, v1alpha1.ReleasePending)), State: releaseState(o.Status.Phase),
		Weight: o.Status.Weight, Why: o.Status.Why, By: o.Spec.By, Started: o.CreationTimestamp.Time,
	}
	if o.Spec.Strategy != nil {
		r.Strategy = string(o.Spec.Strategy.Type)
	}
	if events := o.Status.Events; release.Final(o.Status.Phase) && len(events) > 0 {
		r.Ended = &events[len(events)-1].Time.Time
	}
	return r
}

func releaseState(p v1alpha1.ReleasePhase) State {
	switch p {
	case v1alpha1.ReleaseSucceeded:
		return OK
	case v1alpha1.ReleaseRolledBack, v1alpha1.ReleaseFailed, v1alpha1.ReleaseRollingBack:
		return Bad
	case v1alpha1.ReleaseInconclusive:
		return Warn
	}
	return Changing
}

func releases(mesh Mesh, r *http.Request) (any, error) {
	s, err := spanOf(r)
	if err != nil {
		return nil, err
	}
	all := mesh.Releases()
	list := Releases{All: len(all)}
	all = slices.DeleteFunc(slices.Clone(all), func(one Release) bool {
		return !s.has(one.Namespace+"/"+one.Name, one.Application, one.Version, one.Phase)
	})
	list.Releases, list.Total = first(newestFirst(all), s.limit), len(all)
	return list, nil
}

// newestFirst has those that are under way before all others.
func newestFirst(all []Release) []Release {
	return slices.SortedStableFunc(slices.Values(all), func(a, b Release) int {
		return cmp.Or(model.CompareBool(release.Final(v1alpha1.ReleasePhase(a.Phase)), release.Final(v1alpha1.ReleasePhase(b.Phase))),
			b.Started.Compare(a.Started), cmp.Compare(a.Name, b.Name))
	})
}
