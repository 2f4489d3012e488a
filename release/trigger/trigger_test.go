package trigger_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/trigger"
	"weft.dev/test/shelf"
)

func hourly() v1alpha1.Trigger {
	return v1alpha1.Trigger{
		Name: "hourly", Cron: &v1alpha1.CronTrigger{Schedule: "0 * * * *"},
		Parameters: map[string]v1alpha1.Value{"at": "${trigger.facts.time}", "missed": `${"missed" in trigger.facts ? trigger.facts.missed : "0"}`},
	}
}

func TestCron(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		w.pass(30 * time.Minute)
		w.pipeline("ship", hourly())
		w.pass(20 * time.Minute)
		w.expect("ship")
		if next := w.status("ship").Next; next == nil || next.UTC().Hour() != 1 {
			t.Fatalf("next is %v", next)
		}
		w.pass(11 * time.Minute) // 01:01
		w.expect("ship", "2000-01-01T01:00:00Z at=2000-01-01T01:00:00Z missed=0")
		stop()
		w.pass(4 * time.Hour) // 05:01
		stop = w.begin(never)
		w.pass(time.Minute)
		w.expect("ship", "2000-01-01T01:00:00Z at=2000-01-01T01:00:00Z missed=0", "2000-01-01T05:00:00Z at=2000-01-01T05:00:00Z missed=3")
		if why := w.status("ship").Why; !strings.Contains(why, "4 times were missed: one run") {
			t.Fatalf("its status says %q", why)
		}
		stop()
	})
}

// TestDisabled: nothing is started while a trigger or its pipeline is off, nor made up for.
func TestDisabled(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		defer stop()
		w.pipeline("ship", hourly())
		w.pass(30 * time.Minute)
		for i, edit := range []func(p *v1alpha1.Pipeline, off bool){
			func(p *v1alpha1.Pipeline, off bool) { p.Spec.Disabled = off },
			func(p *v1alpha1.Pipeline, off bool) { p.Spec.Triggers[0].Disabled = off },
		} {
			before := len(w.started("ship"))
			w.pipelines.Edit("shop", "ship", func(p *v1alpha1.Pipeline) { edit(p, true) })
			w.pass(2 * time.Hour)
			w.pipelines.Edit("shop", "ship", func(p *v1alpha1.Pipeline) { edit(p, false) })
			w.pass(5 * time.Minute)
			if n := len(w.started("ship")); n != before {
				t.Fatalf("%d: %d runs were started while it was off", i, n-before)
			}
			w.pass(time.Hour)
			if n := len(w.started("ship")); n != before+1 {
				t.Fatalf("%d: %d runs in the hour after it was on again", i, n-before)
			}
		}
	})
}

func images() v1alpha1.Trigger {
	return v1alpha1.Trigger{
		Name: "image", Image: &v1alpha1.ImageTrigger{Repository: "registry.example.com/shop/cart", Version: "^1", Secret: "login"},
		Parameters: map[string]v1alpha1.Value{"image": "${trigger.facts.image}@${trigger.facts.digest}"},
	}
}

func TestImage(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		w.tags = []string{"1.0.0", "latest"}
		w.pipeline("ship", images())
		w.pass(2 * time.Minute)
		if why := w.status("ship").Why; !strings.Contains(why, "secret shop/login") || w.asked > 0 {
			t.Fatalf("without its Secret it says %q", why)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "login"}, Data: map[string][]byte{"username": []byte("u"), "password": []byte("p\n")}}
		if _, err := w.secrets.Create(secret); err != nil {
			t.Fatal(err)
		}
		w.pass(2 * time.Minute)
		w.expect("ship")
		if w.logins[0] != (artifact.Login{Username: "u", Password: "p"}) {
			t.Fatalf("it asks as %v", w.logins[0])
		}
		w.set(func() { w.tags, w.away = []string{"1.0.0", "1.1.0", "2.0.0", "latest", "next"}, true })
		w.pass(2 * time.Minute)
		w.expect("ship")
		if why := w.status("ship").Why; why != "it cannot look: it is away" {
			t.Fatalf("its status says %q", why)
		}
		w.set(func() { w.away, w.noDigest = false, "1.1.0" })
		w.pass(2 * time.Minute)
		w.expect("ship")
		w.set(func() { w.noDigest = "" })
		w.pass(2 * time.Minute)
		want := "1.1.0@sha256:1.1.0 image=registry.example.com/shop/cart:1.1.0@sha256:1.1.0"
		w.expect("ship", want)
		stop()
		stop = w.begin(never) // another server knows what was seen
		defer stop()
		w.pass(2 * time.Minute)
		w.expect("ship", want)
		w.set(func() {
			for i := range 30 {
				w.tags = append(w.tags, fmt.Sprintf("1.2.%d", i))
			}
		})
		w.pass(2 * time.Minute)
		all := w.started("ship")
		if len(all) != 11 || !strings.HasPrefix(all[10], "1.2.29@") || !strings.HasPrefix(all[1], "1.2.20@") {
			t.Fatalf("of thirty new tags these start a run: %q", all[1:])
		}
		if why := w.status("ship").Why; !strings.Contains(why, "30 came at once: the last 10 start a run, and these do not: 1.2.0, 1.2.1") {
			t.Fatalf("its status says %q", why)
		}
	})
}

// TestAnotherRepository: what a trigger looks at was changed, so what is there starts nothing.
func TestAnotherRepository(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		defer stop()
		one := images()
		one.Image.Secret = ""
		w.pipeline("ship", one)
		w.pass(2 * time.Minute)
		w.set(func() { w.tags = []string{"1.0.0"} })
		w.pipelines.Edit("shop", "ship", func(p *v1alpha1.Pipeline) { p.Spec.Triggers[0].Image.Repository += "2" })
		w.pass(5 * time.Minute)
		w.expect("ship")
	})
}

func polled() v1alpha1.Trigger {
	return v1alpha1.Trigger{
		Name: "push", Git: &v1alpha1.GitTrigger{URL: "https://git.example.com/shop/cart.git", Branch: "main|release-.*", Poll: &metav1.Duration{Duration: time.Second}},
		When: `trigger.facts.commit != "bad"`, Parameters: map[string]v1alpha1.Value{"commit": "${trigger.facts.commit}"},
	}
}

func TestGit(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		defer stop()
		w.heads = map[string]string{"main": "a", "other": "a"}
		w.pipeline("ship", polled())
		w.pass(time.Minute)
		w.expect("ship")
		if w.asked > 7 {
			t.Fatalf("it asked %d times in a minute", w.asked)
		}
		w.set(func() { w.heads = map[string]string{"main": "b", "other": "b", "release-1": "a"} })
		w.pass(time.Minute)
		w.expect("ship", "main@b commit=b", "release-1@a commit=a")
		w.set(func() { w.heads = map[string]string{"main": "bad"} })
		w.pass(time.Minute)
		w.expect("ship", "main@b commit=b", "release-1@a commit=a")
	})
}

func follows(name string, phases ...v1alpha1.RunPhase) v1alpha1.Trigger {
	return v1alpha1.Trigger{
		Name: "after", Pipeline: &v1alpha1.PipelineTrigger{Name: name, Phases: phases},
		Parameters: map[string]v1alpha1.Value{"run": "${trigger.facts.run}", "commit": "${trigger.facts.commit}"},
	}
}

func TestPipeline(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ended("build", "before", v1alpha1.RunSucceeded)
		w.pass(time.Second)
		stop := w.begin(never)
		w.pipeline("ship", follows("build"))
		w.pipeline("clean", follows("build", v1alpha1.RunFailed, v1alpha1.RunCancelled))
		w.pass(time.Second)
		w.ended("build", "one", v1alpha1.RunSucceeded)
		w.ended("other", "two", v1alpha1.RunSucceeded)
		w.ended("build", "three", v1alpha1.RunFailed)
		w.pass(time.Second)
		ids := map[string]string{}
		for _, r := range w.runs.List("shop") {
			ids[r.Name] = string(r.UID)
		}
		w.expect("ship", ids["one"]+" commit=c1 run=one")
		w.expect("clean", ids["three"]+" commit=c1 run=three")
		made, err := w.runs.Get("shop", trigger.RunName("ship", "after", ids["one"]))
		if err != nil || made.Spec.Trigger.By != "ann" || len(made.Spec.Trigger.Groups) > 0 || made.Spec.Parents[0] != "build/one" {
			t.Fatalf("it is %v by %+v: %v", made.Spec.Parents, made.Spec.Trigger, err)
		}
		stop()
		w.runs.Delete("shop", made.Name) // a person's doing
		stop = w.begin(never)
		defer stop()
		w.pass(time.Minute)
		w.expect("ship")
	})
}

// TestCircle: two pipelines that start each other end.
func TestCircle(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		defer stop()
		w.pipeline("ship", follows("build"))
		w.pass(time.Second)
		w.ended("build", "one", v1alpha1.RunSucceeded, "ship/first")
		w.pass(time.Second)
		w.expect("ship")
		if why := w.status("ship").Why; !strings.Contains(why, "would call itself") {
			t.Fatalf("its status says %q", why)
		}
	})
}

// TestManyEndings: what is remembered is bounded, and nothing starts twice for that.
func TestManyEndings(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.begin(never)
		w.pipeline("ship", follows("build"))
		w.pass(time.Second)
		for i := range 500 {
			w.ended("build", fmt.Sprintf("r%d", i), v1alpha1.RunSucceeded)
			w.pass(100 * time.Millisecond)
		}
		if n := len(w.started("ship")); n != 500 {
			t.Fatalf("%d of 500 runs were followed", n)
		}
		if n := len(w.status("ship").Seen); n > 200 {
			t.Fatalf("%d runs are remembered", n)
		}
		for _, r := range w.runs.List("shop") {
			if r.Spec.Pipeline == "ship" {
				w.runs.Delete("shop", r.Name)
			}
		}
		stop()
		stop = w.begin(never)
		defer stop()
		w.pass(time.Minute)
		w.expect("ship")
	})
}

// TestKilled: whenever a server is killed, each thing starts one run, and none is lost.
func TestKilled(t *testing.T) {
	for seed := range uint64(60) {
		inWorld(t, func(w *world) {
			random := rand.New(rand.NewPCG(seed, 7))
			w.heads = map[string]string{"main": "c0"}
			w.pipeline("ship", polled(), hourly(), follows("build"))
			stop := w.begin(never)
			w.pass(20 * time.Second)
			stop()
			made := map[string]int{}
			unwatch := w.runs.Watch(func(r *v1alpha1.PipelineRun, deleted bool) { made[r.Name]++ })
			defer unwatch()
			for i := range 20 {
				w.set(func() { w.heads["main"] = fmt.Sprintf("c%d", i/4+1) })
				if i%4 == 0 {
					w.ended("build", fmt.Sprintf("b%d", i), v1alpha1.RunSucceeded)
				}
				dies := shelf.Chance(0.2, random)
				if i%4 == 3 { // long enough for it to be seen at all
					dies = never
				}
				stop := w.begin(dies)
				w.pass(time.Minute)
				stop()
			}
			stop = w.begin(never)
			w.pass(41 * time.Minute)
			stop()
			if n := len(w.started("ship")); n != 5+5+1 {
				t.Fatalf("seed %d: %d runs: %q", seed, n, w.started("ship"))
			}
			for name, n := range made {
				if n != 1 {
					t.Fatalf("seed %d: %s was written %d times", seed, name, n)
				}
			}
		})
	}
}
