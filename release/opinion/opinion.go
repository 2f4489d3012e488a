// Package opinion says what those who are asked about a version, beside the proxies,
// make of it together: numbers that have bounds, and webhooks.
//
// Each has to call the version good often enough, and each alone can call it bad
// too often. Who does not answer, or answers no number, has said neither, so
// silence is never a success.
//
// Input: v1alpha1.Others, and what each Said. Output: a Verdict in one sentence, and a
// small state. Everything is pure. It must not know who asks whom, or how.
package opinion

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
)

// About is which version one is asked about.
type About struct {
	Namespace   string `json:"namespace"`
	Application string `json:"application"`
	Version     string `json:"version"`
	Old         string `json:"old,omitempty"` // the version to compare with; empty: there is none
}

// Said is one answer.
type Said struct {
	// At is when it was asked: what it says of is no newer.
	At time.Time `json:"at"`
	// Value is the number that a query gave, Old that for the old version; nil: none.
	Value *float64 `json:"value,omitempty"`
	Old   *float64 `json:"old,omitempty"`
	// Kind is a webhook's verdict.
	Kind Kind `json:"kind,omitempty"`
	// Text of a webhook, or why there is no answer.
	Text string `json:"text,omitempty"`
}

// Kind of a verdict; empty: there is none.
type Kind string

const (
	Pass     Kind = "pass"
	Fail     Kind = "fail"
	Continue Kind = "continue" // not decided yet
)

// Verdict is what they make of it together.
type Verdict struct {
	Kind Kind
	Why  string
}

const (
	usualEvery = 30 * time.Second
	leastEvery = time.Second
	// maxText of a webhook that is quoted, bytes.
	maxText = 200
)

// Voice is one of those who are asked.
type Voice struct {
	Key    string // "query/NAME" or "webhook/NAME"
	name   string
	every  time.Duration
	passes int32
	fails  int32
	bounds *bounds // nil: a webhook, which judges itself
}

// Voices are all of them, as long as what was written can be followed. Old says that there is a version to compare with.
func Voices(o v1alpha1.Others, old bool) ([]Voice, error) {
	var all []Voice
	if len(o.Queries) > 0 && (o.Prometheus == nil || o.Prometheus.URL == "") {
		return nil, errors.New("analysis.prometheus: who answers analysis.queries? give its url")
	}
	for i, q := range o.Queries {
		b, err := readBounds(q, old)
		if err != nil {
			return nil, fmt.Errorf("analysis.queries[%d]: %w", i, err)
		}
		all = append(all, newVoice("query/"+q.Name, "query "+q.Name, q.Cadence, b))
	}
	for _, w := range o.Webhooks {
		all = append(all, newVoice("webhook/"+w.Name, "webhook "+w.Name, w.Cadence, nil))
	}
	return all, nil
}

func newVoice(key, name string, c v1alpha1.Cadence, b *bounds) Voice {
	return Voice{key, name, Every(c), max(1, c.Passes), max(0, c.Failures), b}
}

// Every is the time between two answers that count.
func Every(c v1alpha1.Cadence) time.Duration {
	if c.Every == nil || c.Every.Duration <= 0 {
		return usualEvery
	}
	return max(leastEvery, c.Every.Duration)
}

// Count is a voice's part of the state, in one step.
type Count struct {
	Good int32     `json:"good,omitempty"`
	Bad  int32     `json:"bad,omitempty"`
	Last time.Time `json:"last,omitzero"` // of the answer that was counted last
	Why  string    `json:"why,omitempty"` // what that said
}

// Step is a stretch of time in which the version's share is constant.
type Step struct {
	// Since it was decided; Applied since it holds everywhere, zero: not yet. Until then nothing good counts.
	Since, Applied time.Time
}

// Listen counts what was said in a step, and judges. Counts is what it returned last of
// the same step, and stays as it is.
func Listen(voices []Voice, counts map[string]Count, step Step, said map[string]Said) (map[string]Count, Verdict) {
	all, sum := map[string]Count{}, Verdict{Kind: Pass}
	var words []string
	for _, v := range voices {
		s, heard := said[v.Key]
		c := counts[v.Key]
		if heard {
			c = v.count(c, step, s)
		}
		all[v.Key] = c
		kind, why := v.judge(c, s)
		if sum.Kind != Fail && kind != Pass {
			sum.Kind = kind
		}
		if kind == Fail {
			words = []string{why} // what decides
			break
		}
		words = append(words, why)
	}
	for key, c := range counts {
		if _, done := all[key]; !done {
			all[key] = c
		}
	}
	sum.Why = strings.Join(words, "; ")
	return all, sum
}

// count takes in a new answer: a bad one that was asked in this step, a good one since all have it.
func (v Voice) count(c Count, step Step, s Said) Count {
	kind, why := v.read(s)
	since := step.Since
	if kind == Pass {
		since = step.Applied
	}
	due := !since.IsZero() && !s.At.Before(since.Add(v.every)) && s.At.After(c.Last)
	if kind == Continue || !due {
		return c
	}
	if kind == Fail {
		c.Bad++
	} else {
		c.Good++
	}
	c.Last, c.Why = s.At, why
	return c
}

// read is what one answer says by itself.
func (v Voice) read(s Said) (Kind, string) {
	switch {
	case v.bounds != nil && s.Value != nil:
		return v.bounds.read(s)
	case v.bounds == nil && (s.Kind == Pass || s.Kind == Fail):
		return s.Kind, cmp.Or(cut(s.Text), string(s.Kind))
	}
	return Continue, cmp.Or(cut(s.Text), "no answer")
}

// judge is what a voice says of the step, with the last answer's words where it has said nothing yet.
func (v Voice) judge(c Count, last Said) (Kind, string) {
	kind, now := v.read(last)
	why := c.Why
	if c.Last.IsZero() || kind == Continue && last.At.After(c.Last) {
		why = now
	}
	why = fmt.Sprintf("%s: %s (", v.name, why)
	if c.Bad > v.fails {
		return Fail, fmt.Sprintf("%s%d bad, allowed are %d)", why, c.Bad, v.fails)
	}
	why += fmt.Sprintf("%d of %d good", min(c.Good, v.passes), v.passes)
	if c.Bad > 0 {
		why += fmt.Sprintf(", %d bad of %d allowed", c.Bad, v.fails)
	}
	if c.Good < v.passes {
		return Continue, why + ")"
	}
	return Pass, why + ")"
}

func cut(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
