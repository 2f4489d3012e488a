package release_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

// start adds a healthy workload.
func (w *world) start(app, version string) {
	x := &v1alpha1.Workload{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: app + "-" + version}}
	x.Spec.App, x.Spec.Version, x.Status.Health = app, version, "Healthy"
	if _, err := w.workloads.Create(x); err != nil {
		panic(err)
	}
}

// An application's first version serves without a release, and holds later ones
// back from the moment it is known; killed or not, it is written once.
func TestFirstVersionIsAdopted(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, 0.1, func(w *world) {
			w.mesh.Lock()
			w.services["cart"] = &service{asked: map[string]float64{}, failed: map[string]float64{}, at: time.Now()}
			w.mesh.Unlock()
			app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
			if _, err := w.applications.Create(app); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // virtual
			if w.shares("cart") != "none" {
				t.Errorf("before anything runs, the shares are %s", w.shares("cart"))
			}
			w.start("cart", "v1")
			time.Sleep(time.Minute)
			w.start("cart", "v2")
			time.Sleep(time.Minute)
			adopted, err := w.applications.Get("shop", "cart")
			if err != nil || adopted.Status.Version != "v1" || w.shares("cart") != "v1 100%" {
				t.Errorf("version %q, shares %s, %v; want v1 with everything", adopted.Status.Version, w.shares("cart"), err)
			}
		})
	}
}

// Two versions and nobody who said which serves: weft does not guess.
func TestTwoVersionsAreNotAdopted(t *testing.T) {
	inWorld(t, 1, 0, func(w *world) {
		w.mesh.Lock()
		w.services["cart"] = &service{asked: map[string]float64{}, failed: map[string]float64{}, at: time.Now()}
		w.mesh.Unlock()
		w.start("cart", "v1")
		w.start("cart", "v2")
		app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
		if _, err := w.applications.Create(app); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if w.shares("cart") != "none" {
			t.Errorf("shares are %s, want none", w.shares("cart"))
		}
	})
}
