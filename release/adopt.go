package release

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
)

// adoptAgain is how often an application without a serving version is looked at.
const adoptAgain = time.Second

// adoptAll gives every application that no release has touched the version
// that runs as its serving one. From then on a new version gets traffic only by a release.
func (e *Engine) adoptAll(ctx context.Context) error {
	return e.Applications.Watch(ctx, "", func(app *v1alpha1.Application, deleted bool) {
		k := loop.Key{Namespace: app.Namespace, Name: app.Name}
		e.mu.Lock()
		defer e.mu.Unlock()
		if deleted || app.Status.Version != "" || e.adopting[k] {
			return
		}
		e.adopting[k] = true
		e.adoption.Go(func() {
			e.awaitFirst(ctx, k)
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.adopting, k)
		})
	})
}

// awaitFirst tries until the application has a serving version or is gone.
func (e *Engine) awaitFirst(ctx context.Context, k loop.Key) {
	said := ""
	for {
		done, err := e.adopt(ctx, k)
		if done {
			return
		}
		if err != nil && err.Error() != said && !apierrors.IsConflict(err) {
			said = err.Error()
			e.Log.Info("application waits for its first version", "application", k.String(), "why", said)
		}
		timer := time.NewTimer(adoptAgain)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// adopt writes the split that holds later versions back, if exactly one version
// runs and nobody has written one, and then notes the version.
func (e *Engine) adopt(ctx context.Context, k loop.Key) (done bool, err error) {
	app, err := e.Applications.Get(ctx, k.Namespace, k.Name)
	if apierrors.IsNotFound(err) || err == nil && app.Status.Version != "" {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	service := app.ServiceName()
	facts, err := e.Provider.Observe(ctx, Target{Namespace: k.Namespace, Application: k.Name, Service: service})
	if err != nil {
		return false, err
	}
	first := Action{Release: "application-" + string(app.UID), Seq: 1, Namespace: k.Namespace, Application: k.Name, Service: service}
	switch {
	case facts.Split != nil && facts.Split.Action == first.ID(): // written before a crash
		first.Versions = facts.Split.Versions
	case facts.Split != nil:
		return true, nil // a release or a person decides
	case len(facts.Healthy) != 1:
		return false, fmt.Errorf("%d versions run, want one: stop the others, or write a TrafficSplit for service %s", len(facts.Healthy), service)
	default:
		for version := range facts.Healthy {
			first.Versions = []v1alpha1.VersionWeight{{Version: version, Weight: 100}}
		}
		if err := e.Provider.Do(ctx, first); err != nil {
			return false, err
		}
	}
	e.pin(ctx, app, first.Versions[0].Version)
	app.Status.Version = first.Versions[0].Version
	_, err = e.Applications.UpdateStatus(ctx, app)
	return err == nil, err
}
