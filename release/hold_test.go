package release_test

import (
	"fmt"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
)

// shifted waits until v3 has some traffic.
func (w *world) shifted(app string) string {
	for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(50 * time.Millisecond) {
		if s := w.shares(app); s != "none" && s != behind {
			return s
		}
	}
	panic(app + " gets no traffic")
}

// A freeze in the middle keeps the share, whatever is killed: the release goes on after it,
// or goes back in it when it is aborted.
func TestFreezeInTheMiddle(t *testing.T) {
	for seed := range uint64(16) {
		chance := []float64{0, 0.02, 0.1, 0.2}[seed%4]
		inWorld(t, seed, chance, func(w *world) {
			w.deploy("cart", 0.001, 200, "")
			w.release("cart", "cart", "v3")
			w.shifted("cart")
			w.frozen.Store(true)
			time.Sleep(time.Minute) // what was decided before is done
			before := w.shares("cart")
			if before == ahead || before == behind {
				t.Fatalf("seed %d: %s in the freeze", seed, before)
			}
			if seed >= 8 {
				w.abort("cart")
				w.await("cart", v1alpha1.ReleaseRolledBack)
				return
			}
			time.Sleep(30 * time.Minute)
			w.says("cart", "frozen: black friday")
			if s := w.shares("cart"); s != before {
				t.Errorf("seed %d: the freeze was at %s, and it is %s", seed, before, s)
			}
			w.frozen.Store(false)
			if r := w.await("cart", v1alpha1.ReleaseSucceeded); w.shares("cart") != ahead {
				t.Errorf("seed %d: %s after the freeze: %s", seed, w.shares("cart"), r.Status.Why)
			}
		})
	}
}

// A version that shows to be worse goes back in the freeze.
func TestWorseInTheFreeze(t *testing.T) {
	inWorld(t, 0, 0, func(w *world) {
		w.deploy("bad", 0.05, 200, "")
		w.release("bad", "bad", "v3")
		w.shifted("bad")
		w.frozen.Store(true)
		w.await("bad", v1alpha1.ReleaseRolledBack)
	})
}

// What is frozen does not begin, and stands in nobody's way who is let through.
func TestFreezeBefore(t *testing.T) {
	inWorld(t, 0, 0, func(w *world) {
		w.frozen.Store(true)
		w.deploy("cart", 0.001, 200, "")
		w.release("later", "cart", "v3")
		w.says("later", "frozen: black friday")
		time.Sleep(time.Second) // of another age
		w.release("hotfix", "cart", "v3")
		w.releases.Edit("shop", "hotfix", func(r *v1alpha1.Release) { r.Spec.By = "oncall" })
		w.await("hotfix", v1alpha1.ReleaseSucceeded)
		if r, err := w.releases.Get("shop", "later"); err != nil || len(r.Finalizers) > 0 {
			t.Error(fmt.Sprintf("it began in the freeze: %v", err), r)
		}
		w.frozen.Store(false)
		w.await("later", v1alpha1.ReleaseSucceeded)
	})
}

// What somebody says of a release who may not changes nothing, and it says why; who may is heard.
func TestWordsThatDoNotCount(t *testing.T) {
	mallory := &v1alpha1.Signature{By: "mallory"}
	inWorld(t, 0, 0, func(w *world) {
		w.deploy("cart", 0.001, 200, "")
		w.frozen.Store(true)
		w.release("cart", "cart", "v3")
		w.releases.Edit("shop", "cart", func(r *v1alpha1.Release) { r.Spec.Abort, r.Spec.Aborter = true, mallory })
		w.says("cart", "frozen: black friday")
		w.frozen.Store(false)
		w.shifted("cart")
		w.says("cart", "the abort does not count: mallory may not")
		w.await("cart", v1alpha1.ReleaseSucceeded)
	})
	inWorld(t, 0, 0, func(w *world) {
		w.deploy("quiet", 0, 0, "")
		w.release("quiet", "quiet", "v3")
		w.await("quiet", v1alpha1.ReleaseInconclusive)
		w.releases.Edit("shop", "quiet", func(r *v1alpha1.Release) { r.Spec.Promote, r.Spec.Promoter = true, mallory })
		w.says("quiet", "the promote does not count: mallory may not")
		time.Sleep(10 * time.Minute)
		w.await("quiet", v1alpha1.ReleaseInconclusive)
		w.releases.Edit("shop", "quiet", func(r *v1alpha1.Release) { r.Spec.Promoter = &v1alpha1.Signature{By: "ann"} })
		w.await("quiet", v1alpha1.ReleaseSucceeded)
	})
}
