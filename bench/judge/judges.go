package main

import (
	"encoding/json"
	"math"

	"weft.dev/release"
	"weft.dev/release/judge"
	"weft.dev/release/judge/kayenta"
)

// verdict is what a judge made of an hour, and when, in seconds. A judge that never decides has Inconclusive.
type verdict struct {
	kind release.Kind
	at   int
}

// contestant judges an hour of traffic; each gets the same ones.
type contestant struct {
	name  string
	judge func([]second) verdict
}

func contestants() []contestant {
	return []contestant{
		{"weft", weft},
		{"Kayenta, once after 1 h", func(s []second) verdict { return mannWhitney(s, horizon) }},
		{"Kayenta, every 10 min for 1 h", func(s []second) verdict { return mannWhitney(s, 600) }},
		{"threshold: 5 of 10 minutes above 1%", threshold},
	}
}

// weft is release/judge at its defaults, as a canary's last step before everybody gets the version: it
// looks each second, and passes a version that is shown to be at most 0.5 points worse.
func weft(seconds []second) verdict {
	q := release.Question{New: "new", Old: "old", Gate: release.NotWorse, MaxIncrease: 0.005, Confidence: 0.99}
	var state json.RawMessage
	var old, canary release.Counts
	for i := range len(seconds) + 1 {
		q.Traffic = map[string]map[string]release.Counts{"old": {"": old}, "new": {"": canary}}
		var v release.Verdict
		if state, v = (judge.ErrorRate{}).Look(state, q); v.Kind != release.Continue {
			return verdict{v.Kind, i}
		}
		if i < len(seconds) {
			old, canary = old.Add(seconds[i].old).Add(seconds[i].baseline), canary.Add(seconds[i].canary)
		}
	}
	return verdict{release.Inconclusive, len(seconds)}
}

// mannWhitney is Kayenta as its documentation sets it up: points of a minute, the canary against a fresh copy of
// the old version, one metric that must not increase, thresholds 95 and 75, growing windows.
func mannWhitney(seconds []second, interval int) verdict {
	m := kayenta.NewMetric("errors", "errors")
	m.Direction = kayenta.Increase
	c := kayenta.Config{Metrics: []kayenta.Metric{m}, Pass: 95, Marginal: 75}
	s := kayenta.Series{Name: "errors"}
	for minute := 0; minute+60 <= len(seconds); minute += 60 {
		_, baseline, canary := sum(seconds[minute : minute+60])
		s.Control, s.Experiment = append(s.Control, percent(baseline)), append(s.Experiment, percent(canary))
		at := minute + 60
		if at%interval != 0 {
			continue
		}
		r, err := kayenta.Judge(c, []kayenta.Series{s})
		if err != nil {
			panic(err) // the series has the metric's name
		}
		switch c.Verdict(r.Score, at == len(seconds)) {
		case kayenta.Fail:
			return verdict{release.Fail, at}
		case kayenta.Pass:
			return verdict{release.Pass, at}
		}
	}
	return verdict{release.Inconclusive, len(seconds)}
}

// threshold is a fixed bound for the canary alone, as metrics of rollout controllers have it: each minute is
// good or bad; five bad ones abort, ten good ones pass.
func threshold(seconds []second) verdict {
	good, bad := 0, 0
	for minute := 0; minute+60 <= len(seconds); minute += 60 {
		_, _, canary := sum(seconds[minute : minute+60])
		if percent(canary) > 1 {
			bad++
		} else {
			good++
		}
		switch {
		case bad == 5:
			return verdict{release.Fail, minute + 60}
		case good == 10:
			return verdict{release.Pass, minute + 60}
		}
	}
	return verdict{release.Inconclusive, len(seconds)}
}

func sum(seconds []second) (old, baseline, canary release.Counts) {
	for _, s := range seconds {
		old, baseline, canary = old.Add(s.old), baseline.Add(s.baseline), canary.Add(s.canary)
	}
	return old, baseline, canary
}

// percent of the requests that failed; NaN without any.
func percent(c release.Counts) float64 {
	if c.Requests == 0 {
		return math.NaN()
	}
	return 100 * float64(c.Errors) / float64(c.Requests)
}
