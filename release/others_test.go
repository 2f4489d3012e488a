package release_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

// A release that asks others goes forward by their word and no silence, whatever traffic shows, and back by it, in
// every strategy, and through kills.
func TestOthers(t *testing.T) {
	good, bad := 0.0, 1.0
	for kind, harm := range map[v1alpha1.StrategyType]bool{v1alpha1.Canary: false, v1alpha1.Rolling: true, v1alpha1.BlueGreen: true} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, 7, 0.05, func(w *world) {
				w.deploy("reviews", 0.001, 200, kind)
				w.applications.Edit("shop", "reviews", func(a *v1alpha1.Application) {
					o := &a.Spec.Strategy.Analysis.Others
					o.Prometheus = &v1alpha1.Prometheus{URL: "http://prometheus"}
					o.Queries = []v1alpha1.Query{{Name: "orders", Query: "x", Max: "0.5", Cadence: v1alpha1.Cadence{Every: &metav1.Duration{Duration: 10 * time.Second}}}}
				})
				w.release("reviews", "reviews", "v3")
				w.await("reviews", v1alpha1.ReleaseInconclusive)
				w.says("reviews", "query orders: no data of {Namespace:shop Application:reviews Version:v3 Old:v2}")
				w.good.Store(&good)
				if harm {
					w.good.Store(&bad)
				}
				w.releases.Edit("shop", "reviews", func(r *v1alpha1.Release) { r.Spec.Promote = true })
				r := w.await("reviews", final...)
				want := v1alpha1.ReleaseSucceeded
				if harm {
					want = v1alpha1.ReleaseRolledBack
				}
				if r.Status.Phase != want {
					t.Errorf("%s: %s", r.Status.Phase, r.Status.Why)
				}
			})
		})
	}
}
