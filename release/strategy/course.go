package strategy

import (
	"fmt"

	"weft.dev/release"
)

// course is what strategies differ in.
type course interface {
	// shares of the new version, in percent, one for each stage. The first is 0: its private address.
	shares(release.Config) []int32
	// gate says whether the run may leave its stage, whose share every proxy has applied.
	gate(*run) release.Verdict
	manner() manner
}

// manner is how a strategy treats instances, where weft starts and stops them. All of
// them have the new version's instances ready before it gets the share that needs them.
type manner struct {
	stepped bool // strategy.steps are its shares
	needs   bool // without spec.runs it would be another strategy
	keeps   bool // the old version stays for strategy.keepFor after the new one got everything
	follows bool // the old version has no more instances than its share needs
	yields  bool // the old version ends before the new one starts
	deletes bool // the old version is deleted in the end; otherwise it can be started again
	hurries bool // the new version served before: it is started where it must be, and waits for no proxy to know its private address
}

// check refuses options that this manner would ignore.
func (m manner) check(c release.Config) error {
	s := c.Strategy
	switch {
	case m.needs && c.Runs == nil:
		return fmt.Errorf("strategy.type: %s ends the old version: the Application needs spec.runs, and this server a provider for it", s.Type)
	case !m.yields && c.Runs != nil && c.Runs.Kubernetes != nil && c.Runs.Kubernetes.Kind == "StatefulSet":
		return fmt.Errorf("strategy.type: %s runs two versions beside each other, and each instance of a StatefulSet is one's or the other's: take recreate, or leave out spec.runs", s.Type)
	case !m.stepped && len(s.Steps) > 0:
		return fmt.Errorf("strategy.steps: %s has none: leave them out, or take canary or rolling", s.Type)
	}
	if !m.keeps || c.Runs == nil {
		field := ""
		switch {
		case s.Floor != nil:
			field = "floor"
		case s.KeepFor != nil:
			field = "keepFor"
		default:
			return nil
		}
		if !m.keeps {
			return fmt.Errorf("strategy.%s: %s keeps nothing of the old version: leave it out, or take canary or blueGreen", field, s.Type)
		}
		return fmt.Errorf("strategy.%s: the old version is not weft's to end: leave it out, or give the Application spec.runs", field)
	}
	if s.Floor != nil && (*s.Floor < 0 || *s.Floor > 100) {
		return fmt.Errorf("strategy.floor: %d is no percentage", *s.Floor)
	}
	return nil
}

// rising is the private address, and then the steps up to all.
func rising(c release.Config, usual []int32) []int32 {
	steps := c.Strategy.Steps
	if len(steps) == 0 {
		steps = usual
	}
	out := append([]int32{0}, steps...)
	if out[len(out)-1] != 100 {
		out = append(out, 100)
	}
	return out
}

// atOnce is the gate of who asks no judge.
func atOnce(r *run) release.Verdict {
	if r.m.Stage == 0 {
		return release.Verdict{Kind: release.Pass, Why: r.private()}
	}
	return release.Verdict{Kind: release.Pass, Why: r.everything()}
}
