package judge_test

import (
	"testing"

	"weft.dev/release"
	"weft.dev/release/judge"
)

// A report says with which worth and of which requests the judge decided.
func TestRead(t *testing.T) {
	limits := release.Limits{MaxIncrease: 0.005, Confidence: 0.99}
	if _, ok := judge.Read(nil, limits); ok {
		t.Error("of no state there is a report")
	}
	if _, ok := judge.Read([]byte(`{"harm":{"stake":[1]}}`), limits); ok {
		t.Error("of a state of other bets there is a report")
	}
	counts := func(old, bad uint64) map[string]map[string]release.Counts {
		return map[string]map[string]release.Counts{"v1": {"": {Requests: old}}, "v2": {"": {Requests: old, Errors: bad}}}
	}
	q := release.Question{Old: "v1", New: "v2", Step: 1, Traffic: counts(0, 0), MaxIncrease: limits.MaxIncrease, Confidence: limits.Confidence}
	state, _ := judge.ErrorRate{}.Look(nil, q)
	q.Traffic = counts(200, 100)
	state, verdict := judge.ErrorRate{}.Look(state, q)
	r, ok := judge.Read(state, limits)
	if !ok || verdict.Kind != release.Fail || r.Harm < r.NeedHarm || r.Safe >= r.NeedSafe || r.NeedHarm < 99 || r.NeedHarm > 101 {
		t.Errorf("%v %+v of a verdict %+v", ok, r, verdict)
	}
	if r.New.Errors != 100 || r.Old.Requests != 200 || r.Answered != 200 || r.Increase != 0.5 {
		t.Errorf("%+v", r)
	}
}

// Where one part of the traffic fails a version, the report is of that part, too.
func TestReadPart(t *testing.T) {
	limits := release.Limits{MaxIncrease: 0.005, Confidence: 0.99}
	counts := func(bad uint64) map[string]map[string]release.Counts {
		return map[string]map[string]release.Counts{
			"v1": {"web": {Requests: 9000, Errors: 30}, "till": {Requests: 200}},
			"v2": {"web": {Requests: 9000, Errors: 30}, "till": {Requests: 200, Errors: bad}},
		}
	}
	for _, bad := range []uint64{0, 40} {
		q := release.Question{Old: "v1", New: "v2", Step: 1, MaxIncrease: limits.MaxIncrease, Confidence: limits.Confidence}
		q.Traffic = map[string]map[string]release.Counts{"v1": {"web": {}, "till": {}}, "v2": {"web": {}, "till": {}}}
		state, _ := judge.ErrorRate{}.Look(nil, q)
		q.Traffic = counts(bad)
		state, verdict := judge.ErrorRate{}.Look(state, q)
		r, _ := judge.Read(state, limits)
		if bad == 0 && r.Part != nil {
			t.Errorf("a part that is well is reported: %+v", r.Part)
		}
		if p := r.Part; bad > 0 && (verdict.Kind != release.Fail || p == nil || p.Name != "till" || p.New.Errors != bad || p.Increase != 0.2 || p.Harm < p.NeedHarm || p.NeedHarm <= r.NeedHarm) {
			t.Errorf("%+v of a verdict %+v", p, verdict)
		}
	}
}
