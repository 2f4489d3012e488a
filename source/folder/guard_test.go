package folder_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/identity"
	"weft.dev/model"
)

var token = regexp.MustCompile(`if that is meant, write ([0-9a-f]{8}) into \S*\.weft-allow-removals`)

// allow lets through the one thing that is held, once it is.
func (w *world) allow() {
	w.t.Helper()
	w.until("something is held", w.holds)
	found := token.FindStringSubmatch(strings.Join(w.messages(), "\n"))
	if found == nil {
		w.t.Fatalf("no token in %v", w.messages())
	}
	w.write(".weft-allow-removals", "00000000\n"+found[1]+"\n")
}

func (w *world) holds() bool {
	return slices.ContainsFunc(w.source.Problems.All(), func(p model.Problem) bool { return p.Code == model.ProblemHeld })
}

// many are n entries in one text.
func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, entry(fmt.Sprintf("e%02d", i)))
	}
	return strings.Join(all, "---\n")
}

// What disappears in mass is held until it is back, or until somebody says that it is meant.
func TestMassRemoval(t *testing.T) {
	for name, c := range map[string]struct {
		harm, heal func(*world)
		says       string
	}{
		"emptied folder": {
			func(w *world) {
				w.must(os.RemoveAll(w.path("one")))
				w.must(os.Remove(w.path("web.yaml")))
			},
			func(w *world) {
				w.write("one/all.yaml", many(20))
				w.write("web.yaml", web(10))
			},
			"File . Held  21 of 21 objects are gone at once, ServiceEntry/default/e00, ServiceEntry/default/e01, ServiceEntry/default/e02 and others: they stay in effect",
		},
		"truncated list": {
			func(w *world) { w.write("one/all.yaml", many(10)) },
			func(w *world) { w.write("one/all.yaml", many(20)) },
			"File . Held  10 of 21 objects are gone at once, ServiceEntry/default/e10, ",
		},
		"emptied file": {
			func(w *world) { w.must(os.Truncate(w.path("one/all.yaml"), 0)) },
			func(w *world) { w.write("one/all.yaml", many(20)) },
			"File . Held  20 of 21 objects are gone at once, ",
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			w := newWorld(t)
			w.write("one/all.yaml", many(20))
			w.write("web.yaml", web(10))
			w.start()
			all := w.keys()
			c.harm(w)
			w.until(c.says, w.says(c.says))
			w.write("other.yaml", entry("other"))
			w.until("what else changes", func() bool { return slices.Contains(w.keys(), "ServiceEntry/default/other") })
			w.write("one/all.yaml", many(19))
			w.write("web.yaml", web(10))
			w.until("all but one are back, and held it is", w.says("File . Held  1 of 22 objects are gone at once, ServiceEntry/default/e19: "))
			c.heal(w)
			w.until("nothing is held", func() bool { return !w.holds() })
			if got := w.keys(); len(got) != len(all)+1 || w.deleted.Load() > 0 {
				t.Errorf("there are %v, and %d objects were gone for a while", got, w.deleted.Load())
			}
			c.harm(w)
			w.allow()
			w.until("it is meant", func() bool { return len(w.keys()) < len(all) && !w.holds() })
			c.heal(w)
			w.until("it is back", func() bool { return len(w.keys()) == len(all)+1 })
			c.harm(w)
			w.until("it is held, whatever was let through before", w.holds)
		})
	}
}

// A few may go at any time, one after the other too.
func TestFewRemovals(t *testing.T) {
	w := newWorld(t)
	w.write("all.yaml", many(20))
	w.start()
	for n := 18; n >= 12; n -= 2 {
		w.write("all.yaml", many(n))
		w.until(fmt.Sprint(n, " are left"), func() bool { return len(w.keys()) == n })
	}
}

// A list of endpoints that loses too many, or all, is held in the same way.
func TestShrunkObject(t *testing.T) {
	const one = "{address: 127.0.0.1}"
	w := newWorld(t)
	with := func(n int) string {
		return strings.Replace(entry("a"), one, strings.TrimSuffix(strings.Repeat(one+", ", n), ", "), 1)
	}
	endpoints := func(n int) func() bool {
		return func() bool {
			o, _ := w.source.Get("ServiceEntry/default/a")
			return len(o.Spec.(*networking.ServiceEntry).Endpoints) == n
		}
	}
	w.write("a.yaml", with(6))
	w.start()
	for _, c := range []struct{ to, stays int }{{5, 5}, {4, 4}, {0, 4}, {1, 4}, {2, 2}, {0, 2}} {
		w.write("a.yaml", with(c.to))
		if c.to == c.stays {
			w.until(fmt.Sprint(c.to, " endpoints"), endpoints(c.to))
			continue
		}
		says := fmt.Sprintf("ServiceEntry default/a Held  a.yaml:1: has %d endpoints and had %d: it stays in effect as it was; if that is meant, write ", c.to, c.stays)
		w.until(says, w.says(says))
		if !endpoints(c.stays)() {
			t.Errorf("%d endpoints were not kept", c.stays)
		}
	}
	w.allow()
	w.until("no endpoints, as it is meant", endpoints(0))
	w.until("no problems", w.says())
	w.write("a.yaml", with(3))
	w.until("3 endpoints", endpoints(3))
	w.write("a.yaml", with(0))
	w.until("what was let through before is no excuse", w.holds)
}

// A process that finds an empty folder, where the one before had a full one, does not
// take that for the truth.
func TestEmptyAtStart(t *testing.T) {
	w := newWorld(t)
	w.memory = identity.Dir(t.TempDir())
	w.write("all.yaml", many(5))
	w.start()
	for _, back := range []func(said string){
		func(string) { w.must(os.Rename(w.dir+".away", w.path("all.yaml"))) },
		func(said string) { w.write(".weft-allow-removals", token.FindStringSubmatch(said)[1]) },
	} {
		w.stop()
		w.must(os.Rename(w.path("all.yaml"), w.dir+".away"))
		w.begin()
		select {
		case said := <-w.log:
			if !strings.Contains(said, "has 0 objects and had 5 when it was served last; if that is meant, write ") {
				t.Fatal(said)
			}
			back(said)
		case <-w.source.Synced():
			t.Fatal("an empty folder is served")
		}
		w.synced()
	}
	if n := len(w.keys()); n != 0 {
		t.Errorf("%d objects in an empty folder", n)
	}
}
