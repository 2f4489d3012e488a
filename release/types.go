package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/opinion"
)

// Config is what a release was asked to do. It is fixed when the release
// begins, so a later change of the Application cannot bend a run.
type Config struct {
	ID          string `json:"id"` // of the Release, unique for ever
	Namespace   string `json:"namespace"`
	Application string `json:"application"`
	Service     string `json:"service"`
	Version     string `json:"version"`
	// Serving is the version that the last completed release left in service; empty if none did.
	Serving  string            `json:"serving,omitempty"`
	Strategy v1alpha1.Strategy `json:"strategy"`
	// Runs is where the application's instances are; nil: they are not weft's to start and stop.
	Runs *v1alpha1.Runs `json:"runs,omitempty"`
	// Pinned is what the record of the version says, for an undo; nil: there is no record, or no undo.
	Pinned *Pinned `json:"pinned,omitempty"`
}

// Pinned is what a version is started again from, besides the manifests of its record.
type Pinned struct {
	Image string `json:"image,omitempty"`
}

// target is what a provider looks at for this release.
func (c Config) target() Target {
	t := Target{Namespace: c.Namespace, Application: c.Application, Service: c.Service}
	if limit := c.Strategy.Analysis.SlowerThan; limit != nil {
		t.SlowerThan = limit.Duration
	}
	return t
}

// Place is where the application's instances are.
func (c Config) Place() instances.Target {
	return instances.Target{Namespace: c.Namespace, Application: c.Application, Runs: c.Runs}
}

// Input is everything that a strategy decides from.
type Input struct {
	Now    time.Time
	Config Config
	// State is what the strategy returned last; empty at first.
	State json.RawMessage
	Facts Facts
	// Abort and Promote are a person's decisions; Abort carries the reason.
	Abort   string
	Promote bool
	// Hold is why traffic must not go forward now; empty: it may. It never keeps it from going back.
	Hold string
	// Behind is the version of the release that waits for this one, once that has all traffic; empty: none does.
	Behind string
	// Refused is why the provider refused the last action for good (ErrChanged).
	Refused string
	// Answer to the last work on instances.
	Answer Answer
}

// Answer is what the provider of instances said to an action.
type Answer struct {
	ID  string // of the action; empty: none was done by this process
	Err string // empty: it was taken
	// Refused: it will never be taken (instances.ErrRefused).
	Refused bool
}

// Outcome is what a strategy decides.
type Outcome struct {
	Phase  v1alpha1.ReleasePhase
	From   string // version that the release replaces
	Weight int32  // of the new version, in percent, as last decided
	State  json.RawMessage
	// Action to do once State is stored; nil: none. It is returned again until Facts show that it was done.
	Action *Action
	// Work on instances, in the same way, until an Answer to it; never beside an Action.
	Work   *instances.Action
	Wake   time.Time // look again then; ignored when Phase is final
	Why    string    // the state in one sentence
	Events []Event   // what is worth keeping; a new Action or Work has one with its id
}

// Event is one line of a release's record.
type Event struct {
	Action string // id of the action that this is about; may be empty
	Text   string
}

// Strategy decides how traffic moves, and what runs for it. Next is pure.
type Strategy interface{ Next(Input) Outcome }

// Final reports whether a release in this phase has ended.
func Final(p v1alpha1.ReleasePhase) bool {
	return p == v1alpha1.ReleaseSucceeded || p == v1alpha1.ReleaseRolledBack || p == v1alpha1.ReleaseFailed
}

// Facts is what a provider sees of one service now.
type Facts struct {
	// Healthy instances by version, as the mesh sees them.
	Healthy map[string]int
	// Instances by version, as their provider sees them; nil: Config.Runs is, or they could not be seen.
	Instances map[string]instances.Seen
	// Unseen is why they could not be.
	Unseen string
	// Split as it stands; nil: nobody splits the service's traffic.
	Split *Split
	// Applied says how far Split has reached the proxies.
	Applied Applied
	// Traffic since the proxies began to count, by version and then by stratum: a part of the
	// traffic in which versions are compared only with each other (a route, a caller). One stratum "" is enough.
	Traffic map[string]map[string]Counts
	// Routes are the same answers by version and route, as far as proxies count so: each request once, however often
	// it was tried. Not to be added to Traffic.
	Routes map[string]map[string]Counts
	// Said is what those said last whom the analysis asks beside the proxies, by the keys of their opinion.Voices.
	Said map[string]opinion.Said
}

// Answers are what callers of an application counted, and the version that its last release left in service.
type Answers struct {
	Serving string                       `json:"serving,omitempty"`
	Traffic map[string]map[string]Counts `json:"traffic,omitempty"` // as in Facts
	Routes  map[string]map[string]Counts `json:"routes,omitempty"`  // as in Facts
}

// Split is the shares that a service's versions receive.
type Split struct {
	Versions []v1alpha1.VersionWeight `json:"versions"`
	// Action is the id of the action that wrote it last; empty: a person did.
	Action string `json:"action,omitempty"`
	// Touched: somebody changed the shares after that action.
	Touched bool `json:"touched,omitempty"`
}

// Applied says how many of the proxies that need a split have acknowledged it.
type Applied struct {
	Proxies int      // connected proxies that need it
	Missing []string // those of them that have not acknowledged it, by name
	// Known is false while the split has not reached the mesh at all.
	Known bool
}

// Done reports whether every proxy has acknowledged.
func (a Applied) Done() bool { return a.Known && len(a.Missing) == 0 }

// Counts of requests that one version answered.
type Counts struct {
	// Requests are all attempts, Retries those of them that repeat another one.
	Requests uint64 `json:"requests"`
	Retries  uint64 `json:"retries,omitempty"`
	// Errors: answered 5xx, reset, timed out, refused for want of a healthy instance, or answered by a fallback.
	Errors uint64 `json:"errors"`
	// Timed are the requests whose answer was timed, Slow those of them that took longer than Target.SlowerThan.
	Timed uint64 `json:"timed,omitempty"`
	Slow  uint64 `json:"slow,omitempty"`
}

// Add is both together.
func (c Counts) Add(o Counts) Counts {
	return Counts{c.Requests + o.Requests, c.Retries + o.Retries, c.Errors + o.Errors, c.Timed + o.Timed, c.Slow + o.Slow}
}

// Since is what came after an earlier state of the same counters.
func (c Counts) Since(o Counts) Counts {
	return Counts{c.Requests - o.Requests, c.Retries - o.Retries, c.Errors - o.Errors, c.Timed - o.Timed, c.Slow - o.Slow}
}

// Restarted reports whether a counter is smaller than it was. How much of it is new
// cannot be known then (one proxy of many may have restarted).
func (c Counts) Restarted(o Counts) bool {
	return c.Requests < o.Requests || c.Retries < o.Retries || c.Errors < o.Errors || c.Timed < o.Timed || c.Slow < o.Slow
}

// Action sets the shares of a service.
type Action struct {
	Release     string // Config.ID
	Seq         int    // 1, 2, ... within the release
	Namespace   string
	Application string
	Service     string
	Versions    []v1alpha1.VersionWeight // sorted by version; they sum to 100
	// Before is the split that the release found when it began; nil: none.
	Before *Split
}

// ID names the action, the same after a crash.
func (a Action) ID() string { return fmt.Sprintf("%s/%d", a.Release, a.Seq) }

// Earlier reports whether id names an action of the same release before this one.
func (a Action) Earlier(id string) bool {
	n, ok := a.seq(id)
	return ok && n < a.Seq
}

// Superseded reports whether id names an action of the same release after this one.
func (a Action) Superseded(id string) bool {
	n, ok := a.seq(id)
	return ok && n > a.Seq
}

// seq is the number of an action of the same release.
func (a Action) seq(id string) (int, bool) {
	owner, seq, _ := strings.Cut(id, "/")
	n, err := strconv.Atoi(seq)
	return n, err == nil && owner == a.Release
}

// Target is what a provider looks at.
type Target struct {
	Namespace, Application, Service string
	// SlowerThan is when an answer counts as slow; 0: none does.
	SlowerThan time.Duration
}

// Provider is the only part that acts on traffic.
type Provider interface {
	Observe(ctx context.Context, t Target) (Facts, error)
	// Do is safe to repeat, also by a process that believes it still leads: an action that was done, or
	// that a later one of the same release replaced, changes nothing. ErrChanged: it will never be possible.
	Do(ctx context.Context, a Action) error
}

// ErrChanged says that somebody else changed what the action would change.
var ErrChanged = errors.New("changed by somebody else")

// FormatVersions is a split as people read it: "v2 95%, v3 5%".
func FormatVersions(vs []v1alpha1.VersionWeight) string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = fmt.Sprintf("%s %d%%", v.Version, v.Weight)
	}
	return strings.Join(parts, ", ")
}
