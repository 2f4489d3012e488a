package release_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/test/shelf"
)

// past stores a release that ended so long ago.
func (w *world) past(name, version string, phase v1alpha1.ReleasePhase, ago time.Duration) {
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	r.Spec.Application, r.Spec.Version = "cart", version
	r.Status.Phase = phase
	r.Status.Events = []v1alpha1.ReleaseEvent{{Time: metav1.NewMicroTime(time.Now().Add(-ago)), Text: string(phase)}}
	if _, err := w.releases.Create(r); err != nil {
		panic(err)
	}
}

// serve says what of an application serves, and what did before.
func (w *world) serve(app, version, previous string) {
	applications := shelf.Objects[v1alpha1.Application]{Shelf: w.applications, Process: immortal()}
	for {
		a, err := w.applications.Get("shop", app)
		if err != nil {
			panic(err)
		}
		a.Status.Version, a.Status.Previous = version, previous
		if _, err = applications.UpdateStatus(context.Background(), a); err == nil {
			return
		}
	}
}

// Old releases go; those stay that serve, served before, are the newest, have not ended, or ended just now.
func TestOldReleasesGo(t *testing.T) {
	const day = 24 * time.Hour
	inWorld(t, 0, 0, func(w *world) {
		w.deploy("cart", 0.001, 200, "")
		w.serve("cart", "v2", "v1")
		w.past("serves", "v2", v1alpha1.ReleaseSucceeded, 300*day)
		w.past("served", "v1", v1alpha1.ReleaseSucceeded, 400*day)
		w.past("served-earlier", "v1", v1alpha1.ReleaseSucceeded, 401*day)
		w.past("failed", "v2", v1alpha1.ReleaseFailed, 31*day)
		w.past("month", "v5", v1alpha1.ReleaseRolledBack, 29*day)
		w.past("hours", "v5", v1alpha1.ReleaseRolledBack, 20*time.Hour)
		for i := range 49 {
			w.past(fmt.Sprint("n", i), "v6", v1alpha1.ReleaseFailed, time.Hour)
		}
		time.Sleep(2 * time.Hour) // a sweep
		var kept []string         // but for the newest
		for _, r := range w.releases.List("shop") {
			if !strings.HasPrefix(r.Name, "n") {
				kept = append(kept, r.Name)
			}
		}
		slices.Sort(kept)
		if got := strings.Join(kept, " "); got != "hours served serves" {
			t.Errorf("kept: %s", got)
		}
		time.Sleep(32 * day)
		if got := len(w.releases.List("shop")); got != 2 {
			t.Errorf("%d are kept for ever, want what serves and what served before", got)
		}
	})
}
