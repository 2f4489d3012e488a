// Package instances says what a provider of instances is: something that starts and
// stops the versions of an application, on a host, in a cluster or elsewhere.
//
// Types only. Providers are in release/provider; one conformance test holds for all
// of them (release/provider/conform). Traffic is none of their business: it goes to
// a version by the release's TrafficSplit, whatever runs.
package instances

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"weft.dev/api/v1alpha1"
)

// Target is one application, and where it runs.
type Target struct {
	Namespace   string         `json:"namespace"`
	Application string         `json:"application"`
	Runs        *v1alpha1.Runs `json:"runs,omitempty"` // of the Application
}

// Seen is what there is of one version.
type Seen struct {
	Wanted  int    `json:"wanted"`           // instances that it was told to have
	Running int    `json:"running"`          // that there are, leaving ones, too
	Ready   int    `json:"ready"`            // that answer
	Image   string `json:"image,omitempty"`  // by digest, where the provider knows
	Why     string `json:"why,omitempty"`    // what keeps it from having all of them ready, in one sentence
	Failed  bool   `json:"failed,omitempty"` // it will not have them without a change
}

// Verb is what to do with a version.
type Verb string

const (
	// Deploy starts a version beside those that run, and stops none of them.
	Deploy Verb = "deploy"
	// Scale gives a version so many instances; 0 keeps what is needed to start it again.
	Scale Verb = "scale"
	// Restart replaces the instances of a version, never having fewer ready than wanted; where an instance
	// has to end before its successor starts, as a StatefulSet's, one after the other.
	Restart Verb = "restart"
	// Settle says that a version stays: what was only for the time of a release is put back as the team
	// had it, and other versions that the same object of theirs has made end after their requests have.
	Settle Verb = "settle"
	// Delete ends a version, after its requests have ended.
	Delete Verb = "delete"
)

// Verbs are all there are.
var Verbs = []Verb{Deploy, Scale, Restart, Settle, Delete}

// Action changes one version. Doing it again, also after a later one for the same
// version and by another process, does nothing twice.
type Action struct {
	ID string `json:"id"` // unique for ever
	// Seq is of Seq: an action with a lower one than was done for the version, or for the object that
	// the version shares with others, changes nothing. Of a version that was deleted nothing is remembered.
	Seq     int64  `json:"seq"`
	Verb    Verb   `json:"verb"`
	Target  Target `json:"target"`
	Version string `json:"version"`
	// Replicas of deploy and scale; of deploy 0 is as many as the version with most has, at least 1.
	Replicas int `json:"replicas,omitempty"`
	// Image of deploy; empty: as the manifests, or what runs, say.
	Image string `json:"image,omitempty"`
	// Manifests of deploy: YAML documents, the version's own objects. None: what runs, with another image.
	Manifests []byte `json:"manifests,omitempty"`
}

// Check says what is wrong with an action, whoever runs the application.
func (a Action) Check() error {
	switch {
	case !slices.Contains(Verbs, a.Verb):
		return fmt.Errorf("%w: nobody knows how to %q a version: give one of %q", ErrRefused, a.Verb, Verbs)
	case len(validation.IsValidLabelValue(a.Version)) > 0 || a.Version == "":
		return fmt.Errorf("%w: version %q of %s: give at most 63 letters, digits, '-', '_' and '.'", ErrRefused, a.Version, a.Target.Application)
	case a.Replicas < 0:
		return fmt.Errorf("%w: %d replicas of %s %s: give 0 or more", ErrRefused, a.Replicas, a.Target.Application, a.Version)
	}
	return nil
}

// Missing is the error for an action on a version that there is not.
func (a Action) Missing() error {
	return fmt.Errorf("%w: there is no version %s of %s to %s: deploy it first", ErrRefused, a.Version, a.Target.Application, a.Verb)
}

// Seq is the number of an action by when it was decided: the time that was stored
// before the action was done, and so is the same after a crash.
func Seq(decided time.Time) int64 { return decided.UnixMicro() }

// Fence is the last action that was done. A provider keeps it with what it changed,
// so that it holds for whoever acts next.
type Fence struct {
	Seq int64  `json:"seq"`
	ID  string `json:"id"`
}

// Passed reports whether an action has nothing to change any more: it was done, or a later one was.
func (f Fence) Passed(a Action) bool { return a.ID == f.ID || a.Seq < f.Seq }

// Provider starts and stops instances.
type Provider interface {
	// Observe finds all versions of an application that the provider runs, by the value of their version label.
	Observe(ctx context.Context, t Target) (map[string]Seen, error)
	// Do begins; whether it has come about, Observe says. ErrRefused: it will never be possible as it is.
	// Any other error: nobody knows whether it was done, so do it again.
	Do(ctx context.Context, a Action) error
}

// ErrRefused is wrapped by errors that repeating cannot mend; they say what can.
var ErrRefused = errors.New("refused")
