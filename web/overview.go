package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"weft.dev/api/v1alpha1"
)

const (
	// mostAttention is how many lines are at the top of each page.
	mostAttention = 3
	// attentionTime is how long the end of a release or run is news.
	attentionTime = 10 * time.Minute
	// attentionWindow is over which calls decide who needs attention.
	attentionWindow = 10 * time.Second
)

// Overview is what every page shows around itself.
type Overview struct {
	Status    Status      `json:"status"`
	Attention []Attention `json:"attention"` // what needs it most, at most three; none: all is well
	More      int         `json:"more"`      // that found no room
}

// Attention is one thing that somebody should look at now.
type Attention struct {
	State State  `json:"state"`
	Text  string `json:"text"`
	Page  string `json:"page"` // of the UI that says more, such as services/shop/reviews
}

func overview(seen *glances, now time.Time) Overview {
	mesh := seen.mesh
	o := Overview{Status: mesh.Status()}
	all := slices.Concat(newsOfReleases(mesh, now), newsOfRuns(mesh, now), newsOfServices(seen.at(attentionWindow, now).services()), newsOfFleet(mesh))
	slices.SortStableFunc(all, func(a, b Attention) int { return cmp.Compare(ranks[a.State], ranks[b.State]) })
	o.Attention = first(all, mostAttention)
	o.More = len(all) - len(o.Attention)
	return o
}

func newsOfReleases(mesh Mesh, now time.Time) (all []Attention) {
	for _, r := range mesh.Releases() {
		text := ""
		switch p := v1alpha1.ReleasePhase(r.Phase); {
		case p == v1alpha1.ReleaseInconclusive:
			text = fmt.Sprintf("%s %s waits for a person at %d%%", r.Application, r.Version, r.Weight)
		case p == v1alpha1.ReleaseRollingBack, p == v1alpha1.ReleaseFailed && recent(r.Ended, now), p == v1alpha1.ReleaseRolledBack && recent(r.Ended, now):
			text = fmt.Sprintf("%s %s: %s", r.Application, r.Version, r.Why)
		default:
			continue
		}
		all = append(all, Attention{r.State, text, "releases/" + r.Namespace + "/" + r.Name})
	}
	return all
}

func newsOfRuns(mesh Mesh, now time.Time) (all []Attention) {
	for _, r := range mesh.Runs() {
		switch p := v1alpha1.RunPhase(r.Phase); {
		case p == v1alpha1.RunAsking:
			all = append(all, Attention{r.State, fmt.Sprintf("%s waits for a person: %s", r.Name, r.Why), "runs/" + r.Namespace + "/" + r.Name})
		case p == v1alpha1.RunFailed && recent(r.Ended, now):
			all = append(all, Attention{r.State, fmt.Sprintf("%s failed: %s", r.Name, r.Why), "runs/" + r.Namespace + "/" + r.Name})
		}
	}
	return all
}

func recent(ended *time.Time, now time.Time) bool {
	return ended != nil && now.Sub(*ended) < attentionTime
}

func newsOfServices(services []Service) (all []Attention) {
	for _, s := range services {
		if s.State != Bad {
			break // they are sorted
		}
		all = append(all, Attention{Bad, s.Name + ": " + s.Why, "services/" + s.Namespace + "/" + s.Name})
	}
	return all
}

func newsOfFleet(mesh Mesh) (all []Attention) {
	refusing := 0
	for _, p := range mesh.Proxies() {
		if p.Connected && len(p.Refusals) > 0 {
			refusing++
		}
	}
	if refusing > 0 {
		all = append(all, Attention{Bad, fmt.Sprintf("%d of %d proxies refuse what they are sent, and keep what they had", refusing, len(mesh.Proxies())), "fleet"})
	}
	return all
}
