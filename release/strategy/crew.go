package strategy

import (
	"fmt"
	"time"

	"weft.dev/release/instances"
)

// drain is how long requests may take that were sent before every proxy had the shares of now.
const drain = 5 * time.Second

// crewed reports whether weft starts and stops the instances.
func (r *run) crewed() bool { return r.Config.Runs != nil }

// have is how many instances of a version can take traffic, and go on to.
func (r *run) have(version string) int {
	n := r.Facts.Healthy[version]
	if seen, ours := r.Facts.Instances[version]; ours {
		n = min(n, seen.Ready, seen.Wanted)
	}
	if o := r.m.Order; o.Version == version && o.Verb == instances.Scale && r.Now.Sub(o.Given) < orderAgain {
		n = min(n, o.Replicas) // the others end, or are about to
	}
	return n
}

// crewFor is how many instances a share needs.
func (r *run) crewFor(share int32) int {
	if share == 0 {
		return 0
	}
	return max(1, (r.m.Capacity*int(share)+99)/100)
}

// drained reports whether what every proxy has applied holds for long enough that
// no request is left of before.
func (r *run) drained() bool {
	return r.Facts.Applied.Done() && r.m.Applied && r.Now.Sub(r.m.AppliedAt) >= drain
}

// prepare has the instances brought about that the next share needs; it returns
// what is waited for, empty: nothing but what is told already.
func (r *run) prepare(next int32) string {
	version, from, manner := r.Config.Version, r.m.From, r.course.manner()
	switch {
	case !r.crewed():
		return ""
	case r.Facts.Instances == nil:
		return "instances cannot be seen" + r.trouble(version)
	case manner.yields && !r.shrink(from, 0):
		return fmt.Sprintf("%s ends before %s starts: %d still run%s", from, version, r.Facts.Instances[from].Running, r.trouble(from))
	case manner.follows && r.m.Stage > 0 && !r.drained():
		return fmt.Sprintf("%s: requests of before have %s to end", r.share(), drain)
	case manner.follows && !r.shrink(from, r.crewFor(100-r.m.Weight)):
		return fmt.Sprintf("%s gets smaller, as its share: %d still run%s", from, r.Facts.Instances[from].Running, r.trouble(from))
	case !r.grow(version, r.crewFor(next)):
		return fmt.Sprintf("%s grows to %d instances for %d%%%s", version, r.crewFor(next), next, r.trouble(version))
	}
	return ""
}

// hopeless says why the new version will not have the instances for a share; empty: it may.
func (r *run) hopeless(next int32) string {
	seen, version := r.Facts.Instances[r.Config.Version], r.Config.Version
	down := r.course.manner().yields && r.m.Seq > 0 && r.Facts.Healthy[r.m.From] == 0
	switch {
	case !r.crewed():
		return ""
	case r.refused():
		return r.Answer.Err
	case r.have(version) >= r.crewFor(next):
		return ""
	case seen.Failed:
		return fmt.Sprintf("%s does not get the instances for %d%%: %s", version, next, seen.Why)
	case down && r.Now.Sub(r.m.Since) >= r.limits.Deadline:
		return fmt.Sprintf("nothing runs, and %s has not %d ready instances within %s%s", version, r.crewFor(next), r.limits.Deadline, r.trouble(version))
	}
	return ""
}

// knows reports an error where this strategy must end a version that is not its to end.
func (r *run) knows(from string) error {
	manner := r.course.manner()
	if _, ours := r.Facts.Instances[from]; from == "" || ours || !r.crewed() || !manner.needs && !manner.follows {
		return nil
	}
	return fmt.Errorf("strategy.type: %s ends %s of %s, but spec.runs of the Application does not lead to it: take canary or blueGreen, or have weft start it",
		r.Config.Strategy.Type, from, r.Config.Application)
}

// crew is as many instances as a version is meant to have.
func (r *run) crew(version string) int {
	if seen, ours := r.Facts.Instances[version]; ours && version != "" {
		return seen.Wanted
	}
	return r.Facts.Healthy[version]
}
