package strategy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

const (
	look  = time.Second            // between looks at traffic and instances
	quick = 200 * time.Millisecond // while proxies apply a change
	// maxInstances of a version.
	maxInstances = 1_000_000
)

type walker struct {
	course course
	judge  release.Judge
}

// run is one call of Next.
type run struct {
	release.Input
	walker
	limits release.Limits
	m      memory
	events []release.Event
	// pending: the last order to the provider of instances is to be given.
	pending bool
}

// Next decides the next step.
func (w walker) Next(in release.Input) release.Outcome {
	r := &run{Input: in, walker: w}
	if err := r.recall(); err != nil {
		return r.end(v1alpha1.ReleaseFailed, fmt.Sprintf("status.state cannot be read (%v): traffic stays as it is; release again", err))
	}
	var err error
	if r.limits, err = release.ReadLimits(in.Config.Strategy.Analysis, true); err != nil {
		err = fmt.Errorf("strategy.%w", err)
	}
	err = cmp.Or(err, checkShares(r.shares()), r.course.manner().check(in.Config))
	if err != nil && r.m.Seq == 0 {
		return r.end(v1alpha1.ReleaseFailed, err.Error())
	}
	return r.next()
}

// recall reads the state.
func (r *run) recall() error {
	if len(r.State) == 0 {
		return nil
	}
	var m memory
	if err := json.Unmarshal(r.State, &m); err != nil {
		return err
	}
	if last := len(r.shares()) - 1; m.Stage < 0 || m.Stage > last || m.Weight < 0 || m.Weight > 100 {
		return fmt.Errorf("stage %d of %d with weight %d", m.Stage, last, m.Weight)
	}
	if min(m.Capacity, m.Had) < 0 || max(m.Capacity, m.Had) > maxInstances {
		return fmt.Errorf("%d instances of %s and %d of %s", m.Capacity, m.From, m.Had, r.Config.Version)
	}
	r.m = m
	return nil
}

func (r *run) next() release.Outcome {
	if r.m.Seq == 0 {
		return r.begin()
	}
	if how := r.changed(); how != "" {
		return r.end(v1alpha1.ReleaseFailed, how+"; it stays as it is now")
	}
	switch {
	case r.m.Leaving:
		return r.leave(r.m.Result)
	case r.m.Back == "" && r.Abort != "":
		return r.back(r.Abort)
	case r.m.Back != "" && !r.m.Returned:
		return r.back(r.m.Back)
	case !r.landed():
		return r.act("")
	}
	r.m.Landed, r.m.Ever = true, true
	r.spreads()
	if r.m.Back != "" {
		return r.returned()
	}
	if r.m.Weight > 0 && r.m.From != "" && r.Facts.Healthy[r.Config.Version] == 0 {
		return r.back(fmt.Sprintf("%s has no healthy workload any more", r.Config.Version))
	}
	v := r.observe()
	switch {
	case v.Kind == release.Fail:
	case r.held():
		return r.rest()
	case !r.m.Kept.IsZero():
		return r.leave(r.m.Result)
	}
	return r.pass(v)
}

// spreads remembers when every proxy had the last action.
func (r *run) spreads() {
	applied := r.Facts.Applied
	if !applied.Done() || r.m.Applied {
		return
	}
	r.m.Applied, r.m.AppliedAt = true, r.Now
	if r.m.Back == "" {
		r.note(fmt.Sprintf("%s: applied by %d of %d proxies after %s", r.share(), applied.Proxies, applied.Proxies, r.Now.Sub(r.m.Since).Round(time.Millisecond)))
	}
}

// observe asks whether the stage may be left. New answers count from the moment the
// share is written, so harm is seen also while a proxy hangs; a Pass waits for all of them.
func (r *run) observe() release.Verdict {
	v := release.Verdict{Kind: release.Pass, Why: r.everything()}
	if r.m.From != "" {
		v = r.listen(r.course.gate(r))
	}
	if v.Kind != release.Fail && !r.Facts.Applied.Done() && !(r.m.Stage == 0 && r.course.manner().hurries) {
		return release.Verdict{Kind: release.Continue, Why: r.spread()}
	}
	return v
}

// pass acts on a verdict. A Fail always counts; once a person was asked, only a person goes on.
func (r *run) pass(v release.Verdict) release.Outcome {
	switch {
	case v.Kind == release.Fail:
		return r.back(v.Why)
	case r.m.Waiting && r.Promote:
		return r.forward("promoted by a person; " + v.Why)
	case v.Kind == release.Pass && !r.m.Waiting:
		return r.forward(v.Why)
	}
	return r.hold(v.Why)
}

// forward takes the next share, if the version has the instances for it.
func (r *run) forward(why string) release.Outcome {
	shares, next := r.shares(), r.m.Stage+1
	if next == len(shares) {
		return r.leave(why)
	}
	if lost := r.hopeless(shares[next]); lost != "" {
		return r.back(lost)
	}
	if waits := r.prepare(shares[next]); waits != "" {
		return r.hold(waits)
	}
	version := r.Config.Version
	have, need := r.have(version), r.crewFor(shares[next])
	if have < need && !(r.m.Waiting && r.Promote && have > 0) {
		return r.hold(fmt.Sprintf("%d%% needs %d healthy workloads of %s, %d are (%s had %d)%s",
			shares[next], need, version, have, r.m.From, r.m.Capacity, r.trouble(version)))
	}
	if r.m.Stage > 0 {
		r.note(why)
		r.m.Proof = why
	}
	r.m.Stage = next
	return r.write(shares[next], "")
}

// hold stays in the stage until its deadline, and then waits for a person.
func (r *run) hold(why string) release.Outcome {
	wait := look
	if !r.Facts.Applied.Done() {
		wait = quick
	}
	if !r.m.Waiting && r.Now.Sub(later(r.m.Since, r.m.Rested)) >= r.limits.Deadline {
		r.m.Waiting = true
		r.note(fmt.Sprintf("no verdict within %s: %s", r.limits.Deadline, why))
	}
	if r.m.Waiting {
		return r.stay(v1alpha1.ReleaseInconclusive, wait, fmt.Sprintf("no verdict within %s, set spec.promote or spec.abort: %s", r.limits.Deadline, why))
	}
	return r.stay(v1alpha1.ReleaseProgressing, wait, why)
}

// back takes the version out of traffic, as soon as the old one can take it.
func (r *run) back(why string) release.Outcome {
	if r.m.From == "" {
		return r.end(v1alpha1.ReleaseFailed, fmt.Sprintf("%s; there is no earlier version to go back to, %s keeps the traffic", why, r.Config.Version))
	}
	if r.m.Back == "" {
		r.m.Back, r.m.BackAt = why, r.Now
		r.note("goes back: " + why)
	}
	if r.crewed() {
		return r.retreat()
	}
	if r.m.Weight > 0 && r.Facts.Healthy[r.m.From] == 0 {
		return r.stay(v1alpha1.ReleaseRollingBack, look, fmt.Sprintf("%s, but %s has no healthy workload to go back to: waiting for one", r.m.Back, r.m.From))
	}
	return r.goBack()
}

// write decides the next action.
func (r *run) write(weight int32, text string) release.Outcome {
	r.m.Seq++
	r.m.Weight, r.m.Landed, r.m.Waiting = weight, false, false
	r.m.Since, r.m.Applied = r.Now, false
	if text == "" {
		text = r.share()
	}
	r.events = append(r.events, release.Event{Action: r.action().ID(), Text: text})
	return r.act(text)
}

// act asks for the last action: at first, and again until it is seen in place.
func (r *run) act(text string) release.Outcome {
	phase, why := v1alpha1.ReleaseProgressing, text
	if why == "" {
		why = r.share()
	}
	if r.m.Back != "" {
		phase, why = v1alpha1.ReleaseRollingBack, r.m.Back
	}
	r.pending = false // shares first
	out := r.stay(phase, quick, why)
	a := r.action()
	out.Action = &a
	return out
}

func (r *run) action() release.Action {
	c := r.Config
	return release.Action{
		Release: c.ID, Seq: r.m.Seq, Namespace: c.Namespace, Application: c.Application, Service: c.Service,
		Versions: r.m.split(c.Version, r.m.Weight), Before: r.m.Before,
	}
}

// landed reports whether the last action is in place.
func (r *run) landed() bool {
	return r.Facts.Split != nil && r.Facts.Split.Action == r.action().ID()
}

// changed says who else changed the split since this run began.
func (r *run) changed() string {
	s, a := r.Facts.Split, r.action()
	ours := s != nil && (s.Action == a.ID() || a.Earlier(s.Action))
	switch {
	case r.Refused != "":
		return r.Refused
	case s == nil && r.m.Ever:
		return fmt.Sprintf("the TrafficSplit of %s was deleted during the release", r.Config.Service)
	case s == nil || ours && !s.Touched || !ours && !r.m.Ever:
		return "" // not yet in place, or ours; a provider refuses what it cannot replace
	}
	return fmt.Sprintf("the TrafficSplit of %s was changed during the release to %s", r.Config.Service, release.FormatVersions(s.Versions))
}

// ask puts the judge's question.
func (r *run) ask(g release.Gate) release.Verdict {
	q := release.Question{
		New: r.Config.Version, Old: r.m.From, Step: r.m.Stage, Gate: g, Traffic: r.Facts.Traffic, Routes: r.Facts.Routes,
		MaxIncrease: r.limits.MaxIncrease, Latency: r.limits.Latency, Confidence: r.limits.Confidence, Reference: r.m.Reference,
	}
	var v release.Verdict
	r.m.Judge, v = r.judge.Look(r.m.Judge, q)
	r.m.see(r.Now, v)
	return v
}

func (r *run) stay(p v1alpha1.ReleasePhase, wait time.Duration, why string) release.Outcome {
	state, err := json.Marshal(r.m)
	if err != nil {
		panic(fmt.Sprintf("strategy: state %+v: %v", r.m, err)) // plain data always marshals
	}
	out := release.Outcome{Phase: p, From: r.m.From, Weight: r.m.Weight, State: state, Wake: r.Now.Add(wait), Why: why, Events: r.events}
	if r.pending {
		out.Work = r.work()
	}
	return out
}

func (r *run) end(p v1alpha1.ReleasePhase, why string) release.Outcome {
	r.note(fmt.Sprintf("%s: %s", p, why))
	return r.stay(p, 0, why)
}

func (r *run) note(text string) { r.events = append(r.events, release.Event{Text: text}) }

func (r *run) shares() []int32 { return r.course.shares(r.Config) }
