package strategy

import "weft.dev/release"

// Recreate never runs two versions at the same time: the old one ends, then the new one starts, and gets
// the traffic when it has all instances. Nothing answers in between. The way back starts the old one again.
func Recreate(j release.Judge) release.Strategy { return walker{recreate{}, j} }

type recreate struct{}

func (recreate) manner() manner { return manner{needs: true, yields: true} }

func (recreate) shares(release.Config) []int32 { return []int32{0, 100} }

func (recreate) gate(r *run) release.Verdict { return atOnce(r) }
