package strategy

import (
	"weft.dev/release"
	"weft.dev/release/opinion"
)

// heard is what others said since an action.
type heard struct {
	Seq    int                      `json:"seq"`
	Counts map[string]opinion.Count `json:"counts,omitempty"`
}

// listen is a verdict with what others say, whom the analysis asks beside the proxies: it passes only
// where all do, and fails where anybody does. A version without traffic nobody can know.
func (r *run) listen(v release.Verdict) release.Verdict {
	if len(r.limits.Voices) == 0 || r.m.Weight == 0 {
		return v
	}
	if r.m.Heard == nil || r.m.Heard.Seq != r.m.Seq {
		r.m.Heard = &heard{Seq: r.m.Seq}
	}
	step := opinion.Step{Since: r.m.Since}
	if r.m.Applied {
		step.Applied = r.m.AppliedAt
	}
	counts, others := opinion.Listen(r.limits.Voices, r.m.Heard.Counts, step, r.Facts.Said)
	r.m.Heard.Counts = counts
	switch {
	case v.Kind == release.Fail:
	case others.Kind == opinion.Fail:
		v.Kind, v.Why = release.Fail, others.Why
	case others.Kind == opinion.Continue:
		v.Kind, v.Why = release.Continue, others.Why+"; "+v.Why
	default:
		v.Why += "; " + others.Why
	}
	return v
}
