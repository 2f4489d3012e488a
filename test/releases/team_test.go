package releases

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
	"weft.dev/test/process"
)

// team releases one version of its application after the other.
type team struct {
	*world
	kind    v1alpha1.StrategyType
	app     string
	serving string
	luck    int // where it begins with what befalls its releases
	random  *rand.Rand
}

// abortWithin is when a release is aborted at the latest: some have ended by then.
const abortWithin = 20 * time.Second

// found makes an application with its first version, and waits until that serves.
func (x *team) found() {
	x.t.Helper()
	app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: x.app}}
	app.Spec.Runs = &x.runs
	s := &app.Spec.Strategy
	s.Type, s.Analysis = x.kind, v1alpha1.Analysis{MaxErrorIncrease: "5", Deadline: &metav1.Duration{Duration: 3 * time.Minute}}
	switch x.kind {
	case v1alpha1.Canary:
		s.Steps = []int32{25, 50, 100}
		fallthrough
	case v1alpha1.BlueGreen:
		floor := int32(50)
		s.Floor, s.KeepFor = &floor, &metav1.Duration{Duration: 3 * time.Second}
	}
	x.order(app.Name, "v0", instances.Deploy, crew)
	_, err := x.applications.Create(x.t.Context(), app)
	check(x.t, err)
	check(x.t, process.Until(patience, func() error {
		app, err := x.applications.Get(x.t.Context(), namespace, app.Name)
		if err == nil && app.Status.Version != "v0" {
			err = fmt.Errorf("application %s serves %q", app.Name, app.Status.Version)
		}
		return err
	}))
}

// ship brings out so many versions, one after the other.
func (x *team) ship(count int) {
	for n := range count {
		if err := x.release(n); err != nil {
			x.t.Errorf("%s: release %d: %v", x.app, n, err)
			return
		}
	}
}

// accounts reports requests that failed, not by the application itself. A recreate may fail some.
func (x *team) accounts(all tally) {
	x.t.Logf("%s: %d requests, %d failed by itself, %d otherwise", x.app, all.Sent, all.Own, all.Failed)
	if all.Failed > 0 && x.kind != v1alpha1.Recreate || all.Sent == 0 {
		x.t.Errorf("%s: %d of %d requests failed, not by the application itself:\n%s", x.app, all.Failed, all.Sent, strings.Join(all.Why, "\n"))
	}
}

// release brings out one version, and reports what went otherwise than its fate.
func (x *team) release(n int) error {
	judged := x.kind != v1alpha1.Highlander && x.kind != v1alpha1.Recreate
	aborted, bad := (n+x.luck)%3 == 1, (n+x.luck)%3 == 2 && judged
	version := fmt.Sprintf("v%d", n+1)
	if bad {
		version = fmt.Sprintf("bad%d", n+1)
	}
	x.order(x.app, version, instances.Deploy, 1)
	if x.kind != v1alpha1.Canary && x.kind != v1alpha1.Rolling { // known, and nothing runs: its release starts it
		x.order(x.app, version, instances.Scale, 0)
	}
	name := x.app + "-" + version
	rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	rel.Spec.Application, rel.Spec.Version = x.app, version
	if _, err := x.releases.Create(x.t.Context(), rel); err != nil {
		return err
	}
	if aborted {
		timer := time.AfterFunc(time.Duration(x.random.Int64N(int64(abortWithin))), func() { x.abort(name) })
		defer timer.Stop()
	}
	rel, err := x.await(name)
	if err != nil {
		return err
	}
	x.t.Logf("%s: %s after %s: %s", name, rel.Status.Phase, time.Since(rel.CreationTimestamp.Time).Round(time.Second), rel.Status.Why)
	ended := version
	switch phase := rel.Status.Phase; {
	case phase == v1alpha1.ReleaseSucceeded && !bad:
		ended, x.serving = x.serving, version
	case phase != v1alpha1.ReleaseRolledBack || !bad && !aborted:
		return fmt.Errorf("%s (aborted %t, bad %t) ended as %s: %s", name, aborted, bad, phase, rel.Status.Why)
	}
	x.order(x.app, ended, instances.Delete, 0)
	return x.whole()
}

func (x *team) abort(name string) {
	err := process.Until(patience, func() error {
		rel, err := x.releases.Get(x.t.Context(), namespace, name)
		if err == nil {
			rel.Spec.Abort = true
			_, err = x.releases.Update(x.t.Context(), rel)
		}
		return err
	})
	if err != nil {
		x.t.Error(err)
	}
}

// await waits until a release has ended.
func (x *team) await(name string) (rel *v1alpha1.Release, err error) {
	return rel, process.Until(patience, func() error {
		if rel, err = x.releases.Get(x.t.Context(), namespace, name); err == nil && (!release.Final(rel.Status.Phase) || len(rel.Finalizers) > 0) {
			err = fmt.Errorf("%s is %s: %s", name, rel.Status.Phase, rel.Status.Why)
		}
		return err
	})
}

// whole reports an error unless what serves, and nothing else, has all its instances.
func (x *team) whole() error {
	seen, err := x.acts.Observe(x.t.Context(), instances.Target{Namespace: namespace, Application: x.app})
	if s := seen[x.serving]; s.Wanted != crew || s.Ready < crew {
		err = errors.Join(err, fmt.Errorf("%s has %+v, want %d ready", x.serving, s, crew))
	}
	for version, s := range seen {
		if version != x.serving {
			err = errors.Join(err, fmt.Errorf("beside %s there is %s: %+v", x.serving, version, s))
		}
	}
	return err
}
