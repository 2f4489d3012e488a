package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
	"weft.dev/release/judge"
	"weft.dev/release/strategy"
)

// recentCalls are those by which a release page says what versions get now.
const recentCalls = 10 * time.Second

// ReleasePage is all of one release.
type ReleasePage struct {
	Release
	Service  string         `json:"service,omitempty"` // of the mesh whose traffic it shifts; "" before it has begun
	Steps    []int32        `json:"steps"`             // shares that it goes through, percent; none: those of its strategy
	Reason   string         `json:"reason,omitempty"`
	Aborter  string         `json:"aborter,omitempty"`
	Promoter string         `json:"promoter,omitempty"`
	Evidence *Evidence      `json:"evidence,omitempty"` // absent until versions are compared
	Trail    []Seen         `json:"trail"`              // how it came about, the oldest first
	Versions []Version      `json:"versions"`           // of the service, as they are called now
	Events   []ReleaseEvent `json:"events"`             // the newest first
}

// Evidence is what the versions' own requests say, as the judge counts them.
type Evidence struct {
	Old      Answered `json:"old"`
	New      Answered `json:"new"`
	Increase float64  `json:"increase"` // of the share of bad answers, estimated, 0 to 1
	Allowed  float64  `json:"allowed"`
	Step     uint64   `json:"step"`           // requests of the new version at this share
	NeedStep uint64   `json:"needStep"`       // and how many it must have
	Worse    Bet      `json:"worse"`          // that the new version is worse
	NotWorse Bet      `json:"notWorse"`       // that it is not worse by more than is allowed
	Part     *Part    `json:"part,omitempty"` // of the traffic that speaks most against the new version
}

// Seen is how versions had answered until a time.
type Seen struct {
	Time   time.Time `json:"time"`
	Weight int32     `json:"weight"` // of the new version, percent
	Old    Share     `json:"old"`
	New    Share     `json:"new"`
}

// Share of bad answers, 0 to 1, and between what it is in 19 of 20 cases of so many requests. That is
// for the eye: what decides is the judge's bets, which may be looked at as often as one likes.
type Share struct {
	Answered
	Of1  float64 `json:"of1"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func shareOf(a strategy.Answered) Share {
	s := Share{Answered: Answered{a[0], a[1]}}
	if a[0] > 0 {
		s.Of1 = float64(a[1]) / float64(a[0])
	}
	s.Low, s.High = judge.Between(release.Counts{Requests: a[0], Errors: a[1]}, 1.96)
	return s
}

// Part is what one caller or route says alone.
type Part struct {
	Name  string   `json:"name"`
	Old   Answered `json:"old"`
	New   Answered `json:"new"`
	Worse Bet      `json:"worse"`
}

// Answered is how a version answered.
type Answered struct {
	Requests uint64 `json:"requests"`
	Errors   uint64 `json:"errors"`
}

// Bet is the worth of one: what it says is shown once it has reached what is needed.
type Bet struct {
	Worth float64 `json:"worth"`
	Need  float64 `json:"need"`
}

// ReleaseEvent is one thing that happened.
type ReleaseEvent struct {
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
	Weight int32     `json:"weight"` // of the new version from then on, percent
}

func releasePage(mesh Mesh, r *http.Request) (any, error) {
	o, err := mesh.Release(r.Context(), r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	p := ReleasePage{Release: ReleaseOf(o), Reason: o.Spec.Reason, Steps: []int32{}, Trail: []Seen{}, Versions: []Version{}, Events: []ReleaseEvent{}}
	if o.Spec.Aborter != nil {
		p.Aborter = o.Spec.Aborter.By
	}
	if o.Spec.Promoter != nil {
		p.Promoter = o.Spec.Promoter.By
	}
	for _, e := range slices.Backward(o.Status.Events) {
		p.Events = append(p.Events, ReleaseEvent{e.Time.Time, e.Text, e.Weight})
	}
	p.recorded(o)
	if p.Service != "" {
		p.called(mesh)
	}
	return p, nil
}

// recorded adds what the record of the run holds; one that cannot be read adds nothing, and the events say why.
func (p *ReleasePage) recorded(o *v1alpha1.Release) {
	var record struct {
		Config   release.Config `json:"config"`
		Strategy struct {
			Judge json.RawMessage `json:"judge"`
			Trail []strategy.Seen `json:"trail"`
		} `json:"strategy"`
	}
	if o.Status.State == nil || json.Unmarshal(o.Status.State.Raw, &record) != nil {
		return
	}
	p.Service, p.Strategy = record.Config.Service, string(record.Config.Strategy.Type)
	p.Steps = orEmpty(record.Config.Strategy.Steps)
	for _, one := range record.Strategy.Trail {
		p.Trail = append(p.Trail, Seen{one.At, one.Weight, shareOf(one.Old), shareOf(one.New)})
	}
	limits, err := release.ReadLimits(record.Config.Strategy.Analysis, p.From != "")
	if err != nil {
		return // the release says so itself
	}
	found, ok := judge.Read(record.Strategy.Judge, limits)
	if !ok {
		return
	}
	p.Evidence = &Evidence{
		Old: Answered{found.Old.Requests, found.Old.Errors}, New: Answered{found.New.Requests, found.New.Errors},
		Increase: found.Increase, Allowed: limits.MaxIncrease, Step: found.Answered, NeedStep: judge.MinRequests,
		Worse: Bet{found.Harm, found.NeedHarm}, NotWorse: Bet{found.Safe, found.NeedSafe},
	}
	if part := found.Part; part != nil {
		p.Evidence.Part = &Part{
			Name: part.Name, Worse: Bet{part.Harm, part.NeedHarm},
			Old: Answered{part.Old.Requests, part.Old.Errors}, New: Answered{part.New.Requests, part.New.Errors},
		}
	}
}

// called adds the versions of the service as they are called now.
func (p *ReleasePage) called(mesh Mesh) {
	var edges []metrics.Edge
	for _, e := range mesh.Edges(recentCalls) {
		if (place{e.Destination.Namespace, e.Destination.App}) == (place{p.Namespace, p.Service}) {
			edges = append(edges, e)
		}
	}
	l, host := survey(mesh, edges), model.HostOf(p.Namespace, p.Service)
	for _, row := range l.rows {
		if row.Host == host {
			p.Versions = l.service(row).Versions
		}
	}
}
