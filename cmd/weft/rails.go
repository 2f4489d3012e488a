package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/guard"
	children "weft.dev/release/provider/objects"
	"weft.dev/release/runner"
	"weft.dev/store"
)

// freezesFor is how long freezes that were read are taken for those of now.
const freezesFor = 500 * time.Millisecond

// rails reads what guards runs and releases: anew each time, so that a server that just began to
// lead knows of every freeze.
type rails struct {
	freezes      store.Resource[v1alpha1.Freeze]
	applications store.Resource[v1alpha1.Application]
	vouched      bool // the API server sees to it that names are true

	mu   sync.Mutex
	last []*v1alpha1.Freeze
	at   time.Time
}

func (m *mesh) newRails(client *store.Client) *rails {
	return &rails{
		freezes:      store.For[v1alpha1.Freeze](client, api.Freeze),
		applications: store.For[v1alpha1.Application](client, api.Application),
		vouched:      m.front.pods == nil,
	}
}

// ofRun is what runner.Options wants.
func (r *rails) ofRun(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) (runner.Rails, error) {
	app, err := r.application(ctx, o.Namespace, d.Application)
	if err != nil {
		return nil, err
	}
	all, err := r.of(ctx, app)
	return guard.Run{Rails: all, Of: o, Spec: d, Now: time.Now()}, err
}

// hold is what release.Options wants. What cannot be read holds, too.
func (r *rails) hold(ctx context.Context, rel *v1alpha1.Release, app *v1alpha1.Application) string {
	all, err := r.of(ctx, app)
	if err != nil {
		return "nobody can see what is frozen: " + err.Error()
	}
	if rel.Spec.Undo {
		return all.HoldBack(rel)
	}
	seed := string(rel.UID)
	if run, _, ours := strings.Cut(rel.Annotations[children.ActionAnnotation], "/"); ours {
		seed = run
	}
	return all.Hold(rel, seed, time.Now())
}

func (r *rails) of(ctx context.Context, app *v1alpha1.Application) (guard.Rails, error) {
	freezes, err := r.frozen(ctx)
	return guard.Rails{Freezes: freezes, Application: app, Unvouched: !r.vouched}, err
}

// application is one by its name; nil: there is none.
func (r *rails) application(ctx context.Context, namespace, name string) (*v1alpha1.Application, error) {
	if name == "" {
		return nil, nil
	}
	app, err := r.applications.Get(ctx, namespace, name)
	if store.IsNotFound(err) {
		return nil, nil
	}
	return app, err
}

func (r *rails) frozen(ctx context.Context) ([]*v1alpha1.Freeze, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < freezesFor {
		return r.last, nil
	}
	asked := time.Now()
	all, err := r.freezes.List(ctx, "")
	if err != nil {
		return nil, err
	}
	r.last, r.at = all, asked
	return all, nil
}
