package strategy

import (
	"fmt"
	"time"

	"weft.dev/release"
	"weft.dev/release/instances"
)

// orderAgain is how long an order that was taken may go unseen before it is given again: the
// provider may be slow, or something else, such as an autoscaler, undid it.
const orderAgain = 10 * time.Second

// order is the last one to the provider of instances.
type order struct {
	Number   int            `json:"number"` // 1, 2, ... within the release; 0: none yet
	Verb     instances.Verb `json:"verb"`
	Version  string         `json:"version"`
	Replicas int            `json:"replicas,omitempty"`
	Given    time.Time      `json:"given"`
	Taken    bool           `json:"taken,omitempty"`
}

// grow has a version told to have n instances or more, and reports whether it was.
func (r *run) grow(version string, n int) bool {
	seen, ours := r.Facts.Instances[version]
	if !ours || seen.Wanted >= n {
		return true
	}
	r.tell(instances.Scale, version, n)
	return false
}

// shrink has a version told to have n instances or fewer, and reports whether no more are there.
func (r *run) shrink(version string, n int) bool {
	seen, ours := r.Facts.Instances[version]
	if ours && seen.Wanted > n {
		r.tell(instances.Scale, version, n)
		return false
	}
	return !ours || seen.Running <= n
}

// remove has a version deleted, and reports whether nothing of it is left.
func (r *run) remove(version string) bool {
	seen, ours := r.Facts.Instances[version]
	if ours && seen.Wanted > 0 {
		r.tell(instances.Delete, version, 0)
		return false
	}
	return !ours || seen.Running == 0
}

// settle says once that a version stays, and reports whether that was taken.
func (r *run) settle(version string) bool {
	if _, ours := r.Facts.Instances[version]; !ours || r.m.Settled {
		return true
	}
	r.m.Settled = r.tell(instances.Settle, version, 0)
	return r.m.Settled
}

// tell gives an order: at first, again until it is taken, and anew if what was taken is
// not to be seen for long. It reports whether it was taken.
func (r *run) tell(verb instances.Verb, version string, n int) bool {
	o := &r.m.Order
	same := o.Verb == verb && o.Version == version && o.Replicas == n
	if !same || o.Taken && r.Now.Sub(o.Given) >= orderAgain {
		given := r.Now
		if next := o.Given.Add(time.Microsecond); given.Before(next) {
			given = next // the clock of another leader may be behind
		}
		*o = order{Number: o.Number + 1, Verb: verb, Version: version, Replicas: n, Given: given}
		r.pending = true
		r.events = append(r.events, release.Event{Action: r.work().ID, Text: describe(*o)})
		return false
	}
	if r.Answer.ID == r.work().ID && r.Answer.Err == "" {
		o.Taken = true
	}
	r.pending = !o.Taken && !r.refused()
	return o.Taken
}

// refused reports whether the last order will never be taken.
func (r *run) refused() bool {
	return r.m.Order.Number > 0 && r.Answer.Refused && r.Answer.ID == r.work().ID
}

// work is the last order as its provider is told it.
func (r *run) work() *instances.Action {
	o, c := r.m.Order, r.Config
	return &instances.Action{
		ID: fmt.Sprintf("%s/i%d", c.ID, o.Number), Seq: instances.Seq(o.Given),
		Verb: o.Verb, Target: c.Place(), Version: o.Version, Replicas: o.Replicas, Image: r.imageOf(o),
	}
}

// imageOf is what a version is started again with.
func (r *run) imageOf(o order) string {
	if o.Verb != instances.Deploy || r.Config.Pinned == nil {
		return ""
	}
	return r.Config.Pinned.Image
}

func describe(o order) string {
	switch o.Verb {
	case instances.Scale:
		return fmt.Sprintf("%s is to have %d instances", o.Version, o.Replicas)
	case instances.Deploy:
		return o.Version + " is to be started again, from its record"
	case instances.Settle:
		return o.Version + " stays: what was only for the release is put back"
	}
	return o.Version + " is to be deleted"
}

// trouble is what keeps a version from having its instances, as a remark; empty: nothing known.
func (r *run) trouble(version string) string {
	why := r.Facts.Instances[version].Why
	switch {
	case r.Facts.Unseen != "":
		why = r.Facts.Unseen
	case r.pending && r.Answer.Err != "" && r.Answer.ID == r.work().ID:
		why = r.Answer.Err
	}
	if why == "" {
		return ""
	}
	return ": " + why
}
