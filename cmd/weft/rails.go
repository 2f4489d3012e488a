package main

import (
	"context"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/guard"
	children "weft.dev/release/provider/objects"
	"weft.dev/release/runner"
	"weft.dev/store"
)

// rails reads what guards runs and releases: anew each time, so that who was told that something is
// frozen has nothing begin after it, also by a server that just began to lead.
type rails struct {
	freezes      func(context.Context) ([]*v1alpha1.Freeze, error)
	applications store.Resource[v1alpha1.Application]
	// vouched says since when the API server sees to it that names are true, or why not; nil: it always has.
	vouched func(ctx context.Context) (since time.Time, why string)

	mu   sync.Mutex
	last []*v1alpha1.Freeze
	at   time.Time // when last began to be read
}

func (m *mesh) newRails(client *store.Client) *rails {
	freezes := store.For[v1alpha1.Freeze](client, api.Freeze)
	return &rails{
		freezes:      func(ctx context.Context) ([]*v1alpha1.Freeze, error) { return freezes.List(ctx, "") },
		applications: store.For[v1alpha1.Application](client, api.Application),
		vouched:      m.front.vouched,
	}
}

// ofRun is what runner.Options wants.
func (r *rails) ofRun(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) (runner.Rails, error) {
	app, err := applicationOf(ctx, r.applications, o.Namespace, d.Application)
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

// mayUndo is why who asks for a release that undoes may not, now; "": they may.
func (r *rails) mayUndo(ctx context.Context, rel *v1alpha1.Release) (string, error) {
	app, err := applicationOf(ctx, r.applications, rel.Namespace, rel.Spec.Application)
	if err != nil {
		return "", err
	}
	asked := rel.DeepCopy()
	asked.CreationTimestamp = metav1.Now()
	return r.names(ctx, app).HoldBack(asked), nil
}

// object is what release.Options wants. Where the application cannot be read what goes back counts, and what goes on does not.
func (r *rails) object(ctx context.Context, rel *v1alpha1.Release) (abort, promote string) {
	app, err := applicationOf(ctx, r.applications, rel.Namespace, rel.Spec.Application)
	if err != nil {
		return "", "nobody can see who may: " + err.Error()
	}
	all := r.names(ctx, app)
	return all.Aborted(rel), all.Promoted(rel)
}

func (r *rails) of(ctx context.Context, app *v1alpha1.Application) (guard.Rails, error) {
	all := r.names(ctx, app)
	var err error
	all.Freezes, err = r.frozen(ctx)
	return all, err
}

// names are the rails of who may, without freezes.
func (r *rails) names(ctx context.Context, app *v1alpha1.Application) guard.Rails {
	all := guard.Rails{Application: app}
	if r.vouched != nil {
		all.Since, all.Unvouched = r.vouched(ctx)
	}
	return all
}

// applicationOf is one by its name; nil: there is none.
func applicationOf(ctx context.Context, all store.Resource[v1alpha1.Application], namespace, name string) (*v1alpha1.Application, error) {
	if name == "" {
		return nil, nil
	}
	app, err := all.Get(ctx, namespace, name)
	if store.IsNotFound(err) {
		return nil, nil
	}
	return app, err
}

// frozen are the freezes of now. Those who ask while a list is under way share the next one.
func (r *rails) frozen(ctx context.Context) ([]*v1alpha1.Freeze, error) {
	asked := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.After(asked) {
		return r.last, nil
	}
	begun := time.Now()
	all, err := r.freezes(ctx)
	if err != nil {
		return nil, err
	}
	r.last, r.at = all, begun
	return all, nil
}
