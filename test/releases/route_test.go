package releases

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/test/process"
)

const rareRoute = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: rare
    match: [{uri: {prefix: /rare}}]
    route: [{destination: {host: reviews}}]
  - name: all
    route: [{destination: {host: reviews}}]
`

// What fails on one route alone, of which one of 30 requests is, is less than the 10 points that are allowed of all: it
// fails the version, and the sentence names the route.
func TestHarmOnOneRoute(t *testing.T) {
	w := newWorld(t)
	x := &team{world: w, kind: v1alpha1.Canary, app: "reviews", serving: "v0"}
	x.found()
	check(t, process.Until(patience, func() error {
		app, err := w.applications.Get(t.Context(), namespace, x.app)
		if err == nil {
			app.Spec.Strategy.Analysis.MaxErrorIncrease = "10"
			_, err = w.applications.Update(t.Context(), app)
		}
		return err
	}))
	file := filepath.Join(t.TempDir(), "route.yaml")
	check(t, os.WriteFile(file, []byte(rareRoute), 0o600))
	if out, err := w.server.Command("apply", "-n", namespace, "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("apply: %v: %s", err, out)
	}
	w.call([]*team{x})
	x.order(x.app, "rare1", instances.Deploy, 1)
	rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "rare1"}}
	rel.Spec.Application, rel.Spec.Version = x.app, "rare1"
	_, err := w.releases.Create(t.Context(), rel)
	check(t, err)
	rel, err = x.await(rel.Name)
	check(t, err)
	t.Logf("%s: %s", rel.Status.Phase, rel.Status.Why)
	out, err := w.server.Command("release", "-n", namespace, "list", "-o", "json").CombinedOutput()
	check(t, err)
	const why = `of route /rare alone ([0-9]+) of ([0-9]+) against 0 of [0-9]+, worse beyond chance`
	if rel.Status.Phase != v1alpha1.ReleaseRolledBack || !regexp.MustCompile(why).Match(out) {
		t.Errorf("ended as %s: %s", rel.Status.Phase, rel.Status.Why)
	}
}
