package hosted

import (
	"maps"
	"strings"
	"testing"
	"time"

	"weft.dev/release/instances"
	"weft.dev/release/provider/conform"
)

const allowShell = `
labels: {zone: a}
applications:
- {name: shop/*, programs: [/bin]}
`

// TestConformance: what holds for every provider holds for processes on two machines.
func TestConformance(t *testing.T) {
	w := newWorld(t)
	w.heard(w.join("east", allowShell), w.join("west", allowShell))
	conform.Run(t, func(t *testing.T) conform.Subject {
		t.Parallel()
		_, name, _ := strings.Cut(t.Name(), "/")
		return conform.Subject{
			Provider: w, Good: "good", Bad: "bad", Pass: func() { time.Sleep(look) }, Looks: int(patience / look),
			Target: target(name, "/bin/sh", "-c", "test ${image} = good && exec sleep 1000"),
		}
	})
}

func ready(n int) func(instances.Seen) bool {
	return func(s instances.Seen) bool { return s.Ready == n && s.Running == n && s.Wanted == n }
}

// TestCrashes: whoever is killed, the processes stay, and are known again.
func TestCrashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	east, west := w.join("east", allowShell), w.join("west", allowShell)
	app := target("reviews", "/bin/sh", "-c", "exec sleep 1000")
	w.heard(east, west)
	seq := int64(0)
	do := func(verb instances.Verb, version string, replicas int) {
		t.Helper()
		seq++
		check(t, w.Do(t.Context(), instances.Action{ID: string(verb) + version, Seq: seq, Verb: verb, Target: app, Version: version, Replicas: replicas}))
	}
	do(instances.Deploy, "v1", 4)
	w.until(app, "v1", "is ready", ready(4))
	before := east.processes()
	if len(before) != 2 || len(west.processes()) != 2 {
		t.Fatalf("not spread: east has %v, west %v", before, west.processes())
	}
	t.Log("an agent is killed: what it started runs on, and is found again")
	east.kill()
	if now := east.processes(); !maps.Equal(now, before) {
		t.Fatalf("the processes of a killed agent were %v, and are %v", before, now)
	}
	east.start()
	t.Log("the server is killed, and its memory is gone")
	w.stop()
	w.serve()
	w.until(app, "v1", "is known again", ready(4))
	if now := east.processes(); !maps.Equal(now, before) {
		t.Fatalf("the processes were %v, and are %v", before, now)
	}
	t.Log("no server: a process that is killed is started again")
	w.stop()
	west.killOne()
	w.serve()
	w.until(app, "v1", "is whole again", ready(4))
	do(instances.Scale, "v1", 2)
	w.until(app, "v1", "has two", ready(2))
	do(instances.Delete, "v1", 0)
	w.until(app, "v1", "is gone", ready(0))
	if left := len(east.processes()) + len(west.processes()); left != 0 {
		t.Errorf("%d processes are left", left)
	}
}

// TestRefused: what an operator did not allow is said in words, and so is what fails.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	artifact, digest := w.pack("app", "#!/bin/sh\nexec sleep 1000\n")
	w.join("east", "applications:\n- {name: shop/reviews, programs: [/srv/none], artifacts: ['file://"+w.dir+"/artifacts']}\n- {name: shop/shell, programs: [/bin]}\n")
	for name, test := range map[string]struct {
		command []string
		image   string
		want    string
	}{
		"program":   {[]string{"/bin/sh"}, "", "lets weft start programs of [\"/srv/none\"]"},
		"relative":  {[]string{"sh"}, "", "give the whole path"},
		"digest":    {[]string{"${dir}/app"}, artifact + "@sha256:" + strings.Repeat("0", 64), "and not sha256:000"},
		"no digest": {[]string{"${dir}/app"}, artifact, "name it by its digest"},
		"elsewhere": {[]string{"${dir}/app"}, "file:///etc/app.tar.gz@sha256:" + digest, "lets weft fetch from"},
		"no folder": {[]string{"${dir}/app"}, "reviews:v1", "is none"},
	} {
		version := strings.ReplaceAll(name, " ", "-")
		app := target("reviews", test.command...)
		check(t, w.Do(t.Context(), instances.Action{ID: name, Seq: 1, Verb: instances.Deploy, Target: app, Version: version, Image: test.image}))
		seen := w.until(app, version, "says why", func(s instances.Seen) bool { return s.Failed })
		if !strings.Contains(seen.Why, test.want) || !strings.Contains(seen.Why, "east") || seen.Ready+seen.Running > 0 {
			t.Errorf("%s: %+v, want %q", name, seen, test.want)
		}
	}
	good := target("reviews", "${dir}/app")
	check(t, w.Do(t.Context(), instances.Action{ID: "good", Seq: 1, Verb: instances.Deploy, Target: good, Version: "good", Image: artifact + "@sha256:" + digest}))
	w.until(good, "good", "is ready", ready(1))
	ends := target("shell", "/bin/sh", "-c", "echo no database here; exit 3")
	check(t, w.Do(t.Context(), instances.Action{ID: "ends", Seq: 1, Verb: instances.Deploy, Target: ends, Version: "v1"}))
	seen := w.until(ends, "v1", "has failed", func(s instances.Seen) bool { return s.Failed })
	if !strings.Contains(seen.Why, "exit status 3") || !strings.Contains(seen.Why, "no database here") {
		t.Errorf("%+v", seen)
	}
	other := target("ratings", "/bin/true")
	check(t, w.Do(t.Context(), instances.Action{ID: "other", Seq: 1, Verb: instances.Deploy, Target: other, Version: "v1"}))
	seen = w.until(other, "v1", "waits", func(s instances.Seen) bool { return s.Why != "" })
	if !strings.Contains(seen.Why, "east does not let weft start shop/ratings") {
		t.Errorf("%+v", seen)
	}
}
