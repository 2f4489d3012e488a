package strategy

import (
	"fmt"
	"strings"
)

// maxNames of proxies in a sentence.
const maxNames = 3

// share is the traffic after the last action, as people say it.
func (r *run) share() string {
	return fmt.Sprintf("%s gets %d%% of %s", r.Config.Version, r.m.Weight, r.Config.Service)
}

func (r *run) private() string {
	return fmt.Sprintf("%s is reachable by its private address", r.Config.Version)
}

// everything is how a run succeeds that needs no verdict at 100%.
func (r *run) everything() string {
	all := fmt.Sprintf("%s has all traffic of %s", r.Config.Version, r.Config.Service)
	kept := fmt.Sprintf("%s is kept at 0%%", r.m.From)
	if r.crewed() {
		kept = r.m.From + " has none"
	}
	switch {
	case r.m.From == "":
		return all + "; nothing was in service before"
	case r.m.Proof == "" && !r.course.manner().stepped:
		return fmt.Sprintf("%s, unjudged; %s", all, kept)
	case r.m.Proof == "":
		return fmt.Sprintf("%s, unjudged: its steps left nothing to compare; %s", all, kept)
	}
	return fmt.Sprintf("%s; %s, %s", r.m.Proof, all, kept)
}

// spread says which proxies have not applied the last action yet.
func (r *run) spread() string {
	a := r.Facts.Applied
	if !a.Known {
		return r.share() + ": the mesh has not taken it in yet"
	}
	names := a.Missing
	if len(names) > maxNames {
		names = append(names[:maxNames:maxNames], fmt.Sprintf("%d more", len(a.Missing)-maxNames))
	}
	return fmt.Sprintf("%s: applied by %d of %d proxies, waiting for %s", r.share(), a.Proxies-len(a.Missing), a.Proxies, strings.Join(names, ", "))
}
