package release_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/provider/objects"
	"weft.dev/release/provider/versions"
	"weft.dev/test/shelf"
)

// records are the world's, as one process reaches them.
func (w *world) records(p *shelf.Process) versions.Records {
	applications := shelf.Objects[v1alpha1.Application]{Shelf: w.applications, Process: p}
	return versions.Records{
		Versions:     shelf.Objects[v1alpha1.Version]{Shelf: w.versions, Process: p},
		Blobs:        shelf.Objects[v1alpha1.Blob]{Shelf: w.blobs, Process: p},
		Applications: applications,
		Traffic:      objects.Traffic{Applications: applications, Splits: shelf.Objects[v1alpha1.TrafficSplit]{Shelf: w.splits, Process: p}},
		Beside:       w.beside,
	}
}

// undo asks for the version that served before, as people do.
func (w *world) undo(name, app string) string {
	a, _ := w.applications.Get("shop", app)
	version, err := release.Earlier(a, w.releases.List("shop"))
	if err != nil {
		panic(err)
	}
	w.undoTo(name, app, version)
	return version
}

func (w *world) undoTo(name, app, version string) {
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	r.Spec.Application, r.Spec.Version, r.Spec.Undo = app, version, true
	if _, err := w.releases.Create(r); err != nil {
		panic(err)
	}
}

// immortal is the process of who only prepares a world.
func immortal() *shelf.Process { return shelf.NewProcess(func() {}, func() bool { return false }) }

// chances that weft is killed before or after an operation.
var chances = []float64{0, 0.02, 0.1, 0.15}

// An undo goes back to what served before, and the undo of it forward again; each at once, with nobody asked.
func TestUndo(t *testing.T) {
	for seed, chance := range chances {
		inWorld(t, uint64(seed), chance, func(w *world) {
			w.deploy("shop", 0.001, 200, v1alpha1.Canary)
			w.release("r", "shop", "v3")
			w.await("r", final...)
			for i, want := range []string{"v2", "v3", "v2"} {
				name, began := fmt.Sprintf("u%d", i), time.Now()
				if got := w.undo(name, "shop"); got != want {
					t.Errorf("undo %d goes to %s, want %s", i, got, want)
				}
				r := w.await(name, final...)
				a, _ := w.applications.Get("shop", "shop")
				if r.Status.Phase != v1alpha1.ReleaseSucceeded || a.Status.Version != want || a.Status.Previous == want || w.share("shop", want) != 100 {
					t.Errorf("undo %d: %s: %s, serves %s, before %s, %s", i, r.Status.Phase, r.Status.Why, a.Status.Version, a.Status.Previous, w.shares("shop"))
				}
				if took := time.Since(began); chance == 0 && took > 10*time.Second {
					t.Errorf("undo %d took %s", i, took)
				}
			}
		})
	}
}

// An undo does not wait for a release that is on its way, nor behind those that wait.
func TestUndoHasPriority(t *testing.T) {
	for seed, chance := range chances {
		inWorld(t, uint64(seed), chance, func(w *world) {
			w.deploy("shop", 0.001, 200, v1alpha1.Canary)
			w.release("r", "shop", "v3")
			w.says("r", "5%")
			w.release("next", "shop", "v3")
			if got := w.undo("u", "shop"); got != "v2" {
				t.Errorf("undo goes to %s", got)
			}
			u := w.await("u", final...)
			r, _ := w.releases.Get("shop", "r")
			next, _ := w.releases.Get("shop", "next")
			if u.Status.Phase != v1alpha1.ReleaseSucceeded || r.Status.Phase != v1alpha1.ReleaseRolledBack || release.Final(next.Status.Phase) {
				t.Errorf("undo %s: %s; release %s: %s; next %s", u.Status.Phase, u.Status.Why, r.Status.Phase, r.Status.Why, next.Status.Phase)
			}
			if next = w.await("next", final...); next.Status.Phase != v1alpha1.ReleaseSucceeded {
				t.Errorf("the release that waited: %s: %s", next.Status.Phase, next.Status.Why)
			}
		})
	}
}

// An undo takes the place of an earlier one, and none that of one asked for in the same second, whatever their names are.
func TestUndoOutranksEarlierOnes(t *testing.T) {
	for _, apart := range []time.Duration{0, 2 * time.Second} {
		inWorld(t, 0, 0, func(w *world) {
			w.deploy("shop", 0.001, 200, v1alpha1.Canary)
			w.undoTo("z", "shop", "v0") // of which nothing is there: it waits
			time.Sleep(apart)
			w.undoTo("a", "shop", "v2")
			a := w.await("a", final...)
			z, _ := w.releases.Get("shop", "z")
			if a.Status.Phase != v1alpha1.ReleaseSucceeded || z.Spec.Abort != (apart > 0) {
				t.Errorf("%s apart: a %s: %s, z %s: %s", apart, a.Status.Phase, a.Status.Why, z.Status.Phase, z.Status.Why)
			}
		})
	}
}

// Of a version that was deleted everything comes back: as many instances, of the same image, from the same manifests, with all traffic.
func TestUndoRestores(t *testing.T) {
	for seed, chance := range chances {
		inWorld(t, uint64(seed), chance, func(w *world) {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			w.crew.start("shop")
			go func() { defer close(done); w.crew.follow(ctx, "shop") }()
			time.Sleep(4 * time.Second)
			manifests := []byte("kind: X")
			if seed%2 > 0 {
				manifests = nil // it was found running, when the release began
			} else if err := w.records(immortal()).Keep(ctx, "shop", v1alpha1.VersionSpec{Application: "shop", Version: "v2", Image: "shop@v2"}, manifests); err != nil {
				t.Fatal(err)
			}
			w.deploy("shop", 0.001, 200, v1alpha1.Highlander)
			before := w.crew.seen("shop")["v2"]
			w.release("r", "shop", "v3")
			w.await("r", final...)
			if left, there := w.crew.seen("shop")["v2"]; there {
				t.Fatalf("v2 still is %+v", left)
			}
			w.undo("u", "shop")
			u := w.await("u", final...)
			after := w.crew.seen("shop")["v2"]
			if u.Status.Phase != v1alpha1.ReleaseSucceeded || after != before || w.shares("shop") != behind {
				t.Errorf("%s: %s; %+v before, %+v after; %s", u.Status.Phase, u.Status.Why, before, after, w.shares("shop"))
			}
			cancel()
			<-done
			w.crew.mu.Lock()
			defer w.crew.mu.Unlock()
			if len(w.crew.started) == 0 || w.crew.started[0] != "v2 shop@v2 "+string(manifests) || len(w.crew.broken) > 0 {
				t.Errorf("started %q, broken %q", w.crew.started, w.crew.broken)
			}
			if v, err := w.versions.Get("shop", v1alpha1.VersionName("shop", "v3")); err != nil || v.Spec.Image != "shop@v3" {
				t.Errorf("v3 served, and its record is %+v, %v", v, err)
			}
		})
	}
}

// What nothing is left of, and nobody recorded, cannot come back; traffic stays.
func TestUndoToNothing(t *testing.T) {
	inWorld(t, 1, 0, func(w *world) {
		w.crew.start("shop")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); w.crew.follow(ctx, "shop") }()
		time.Sleep(4 * time.Second)
		w.deploy("shop", 0.001, 200, v1alpha1.Canary)
		r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "u"}}
		r.Spec.Application, r.Spec.Version, r.Spec.Undo = "shop", "v1", true
		w.releases.Create(r)
		if u := w.await("u", final...); u.Status.Phase != v1alpha1.ReleaseFailed || !strings.Contains(u.Status.Why, "no record of it") || w.shares("shop") != "none" {
			t.Errorf("%s: %s; %s", u.Status.Phase, u.Status.Why, w.shares("shop"))
		}
		cancel()
		<-done
	})
}

func TestEarlier(t *testing.T) {
	app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "shop"}, Status: v1alpha1.ApplicationStatus{Version: "v3", Previous: "v2"}}
	on := func(app, from string, phase v1alpha1.ReleasePhase, finalizers ...string) *v1alpha1.Release {
		return &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Finalizers: finalizers}, Spec: v1alpha1.ReleaseSpec{Application: app},
			Status: v1alpha1.ReleaseStatus{Phase: phase, From: from},
		}
	}
	waits := on("shop", "", v1alpha1.ReleasePending)
	ended := on("shop", "v1", v1alpha1.ReleaseSucceeded, release.Finalizer)
	other := on("other", "v8", v1alpha1.ReleaseProgressing, release.Finalizer)
	if v, err := release.Earlier(app, []*v1alpha1.Release{waits, ended, other}); v != "v2" || err != nil {
		t.Errorf("%s %v", v, err)
	}
	if v, err := release.Earlier(app, []*v1alpha1.Release{waits, on("shop", "v3", v1alpha1.ReleaseProgressing, release.Finalizer)}); v != "v3" || err != nil {
		t.Errorf("%s %v", v, err)
	}
	// Also when it has just succeeded, and the Application does not say so yet: an undo went two versions back, or nowhere.
	if v, err := release.Earlier(app, []*v1alpha1.Release{on("shop", "v3", v1alpha1.ReleaseSucceeded, release.Finalizer)}); v != "v3" || err != nil {
		t.Errorf("%s %v", v, err)
	}
	if v, err := release.Earlier(app, []*v1alpha1.Release{on("shop", "v3", v1alpha1.ReleaseRolledBack, release.Finalizer)}); v != "v2" || err != nil {
		t.Errorf("%s %v", v, err)
	}
	// One that has begun and has not moved anything yet is undone itself, not the one before it.
	if v, err := release.Earlier(app, []*v1alpha1.Release{on("shop", "", v1alpha1.ReleasePending, release.Finalizer)}); v != "v3" || err != nil {
		t.Errorf("%s %v", v, err)
	}
	app.Status.Previous = ""
	if v, err := release.Earlier(app, nil); v != "" || err == nil || !strings.Contains(err.Error(), "name the version") {
		t.Errorf("%s %v", v, err)
	}
}
