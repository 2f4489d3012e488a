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
	// Restart replaces the instances of a version, never having fewer ready than wanted.
	Restart Verb = "restart"
	// Settle says that a version stays: what was only for the time of a release is put back as the team
	// had it, and other versions that the same object of theirs has made end after their requests have.
	Settle Verb = "settle"
	// Delete ends a version, after its requests have ended.
	Delete Verb = "delete"
)

// Action changes one version. Doing it again, also after a later one for the same
// version by another process, does nothing twice.
type Action struct {
	ID      string `json:"id"`
	Seq     int64  `json:"seq"` // rises with each action for the application; an action with a lower one than was done changes nothing
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
