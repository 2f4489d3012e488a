package strategy

import (
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
)

// Undo gives a version that served before everything back at once, unjudged, when it has
// the instances. What nothing is left of starts from its record.
func Undo() release.Strategy { return walker{undo{}, nil} }

type undo struct{}

func (undo) manner() manner { return manner{hurries: true} }

func (undo) shares(release.Config) []int32 { return []int32{0, 100} }

func (undo) gate(r *run) release.Verdict { return atOnce(r) }

// revive has the version started from its record.
func (r *run) revive() release.Outcome {
	version := r.Config.Version
	if r.Facts.Instances == nil {
		return r.stay(v1alpha1.ReleasePending, look, "instances cannot be seen"+r.trouble(version))
	}
	if r.Config.Pinned == nil {
		return r.end(v1alpha1.ReleaseFailed, fmt.Sprintf("nothing of %s %s runs, and there is no record of it: deploy it; no traffic was moved", r.Config.Application, version))
	}
	r.tell(instances.Deploy, version, 0)
	if r.refused() {
		return r.end(v1alpha1.ReleaseFailed, fmt.Sprintf("%s cannot be started again: %s; no traffic was moved", version, r.Answer.Err))
	}
	return r.stay(v1alpha1.ReleasePending, look, fmt.Sprintf("%s starts from its record%s", version, r.trouble(version)))
}

// heaviest is the version with most traffic of a split that gives nobody all of it.
func heaviest(s *release.Split) string {
	most := s.Versions[0]
	for _, v := range s.Versions {
		if v.Weight > most.Weight {
			most = v
		}
	}
	return most.Version
}
