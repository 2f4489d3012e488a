package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weft.dev/release"
)

// hour is one in which the canary answers so many of 10 requests a second badly, and the others every 500th.
func hour(bad uint64) []second {
	out := make([]second, horizon)
	for i := range out {
		out[i] = second{
			old:      release.Counts{Requests: 180},
			baseline: release.Counts{Requests: 10},
			canary:   release.Counts{Requests: 10, Errors: bad},
		}
		if i%50 == 0 {
			out[i].baseline.Errors++
		}
	}
	return out
}

// Each judge decides at the times that its rules say, and the bad version is stopped by all.
func TestContestants(t *testing.T) {
	for i, want := range []struct{ good, bad int }{{96, 1}, {3600, 3600}, {3600, 600}, {600, 300}} {
		c := contestants()[i]
		good, bad := c.judge(hour(0)), c.judge(hour(5))
		if good.kind != release.Pass || good.at != want.good {
			t.Errorf("%s: a good version: %s after %d s, want %d", c.name, good.kind, good.at, want.good)
		}
		if bad.kind != release.Fail || bad.at != want.bad {
			t.Errorf("%s: a bad version: %s after %d s, want %d", c.name, bad.kind, bad.at, want.bad)
		}
	}
}

// The rates are those of the stream, and what hits all sides hits them together.
func TestDraw(t *testing.T) {
	s := stream{old: 0.002, canary: 0.02}
	old, baseline, canary := sum(s.draw(rand.New(rand.NewPCG(1, 1))))
	for name, c := range map[string]struct {
		got  release.Counts
		rate float64
	}{"old": {old, 0.2}, "baseline": {baseline, 0.2}, "canary": {canary, 2}} {
		if p := percent(c.got); p < 0.6*c.rate || p > 1.4*c.rate || c.got.Requests < horizon*10 {
			t.Errorf("%s: %v of %d requests, want %v%%", name, p, c.got.Requests, c.rate)
		}
	}
	s.odd = 5
	bad := 0
	seconds := s.draw(rand.New(rand.NewPCG(1, 2)))
	for minute := 0; minute < horizon; minute += 60 {
		if _, _, c := sum(seconds[minute : minute+60]); c.Errors >= 6 { // of 600: about 12 or about 1
			bad++
		}
	}
	if bad < 10 || bad > 14 {
		t.Errorf("%d bad minutes, want about 12", bad)
	}
}

func TestRunsRepeat(t *testing.T) {
	s := stream{old: 0.002, canary: 0.01, shared: 1, own: 1}
	first, second := simulate(s, 3, 4), simulate(s, 3, 2)
	for i := range second {
		if !slices.Equal(first[i], second[i]) {
			t.Errorf("run %d: %v, and again %v", i, first[i], second[i])
		}
	}
}

func TestPromises(t *testing.T) {
	good, bad := stream{name: "good", old: 0.01, canary: 0.01}, stream{name: "bad", old: 0.01, canary: 0.02}
	for _, c := range []struct {
		r    result
		want string
	}{
		{result{stream: good, judge: "weft", fails: 10}, ""},
		{result{stream: good, judge: "weft", fails: 11}, "good: 11 of 1000 harmless releases aborted, allowed are 10"},
		{result{stream: good, judge: "another", fails: 500}, ""},
		{result{stream: bad, judge: "weft", passes: 11, fails: 989}, "bad: 11 of 1000 bad releases passed, allowed are 10"},
	} {
		if got := strings.Join(promises([]result{c.r}, 1000), "; "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}
