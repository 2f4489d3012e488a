package snapshots

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"weft.dev/snapshot"
)

const (
	spoiledReads = 6 // of each fault, at least, before it ends
	exitStale    = 3 // of a publisher
)

// TestStoreFaults: whatever the store does, no call fails; it is said once; and what was
// published meanwhile is traffic when the store is well again.
func TestStoreFaults(t *testing.T) {
	w := newWorld(t)
	older := w.published()
	now := w.release()
	proxies := []*proxy{w.start("orders", "api"), w.start("media", "web")}
	for _, p := range proxies {
		p.reaches(releaseHost, now.address)
	}
	load := w.load(proxies...)
	for _, c := range []struct {
		name  string
		spoil fault
		says  string // "": nothing is wrong with it
	}{
		{"503", unavailable, "index cannot be read"},
		{"slow", slow, ""},
		{"truncated", truncated, "index cannot be read"},
		{"stored half", shorter, "index is refused"},
		{"empty index", index(nil), "index is refused"},
		{"older index", index(older), "index is refused"},
		{"index of another key", index(w.foreign()), "index is refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, said := now, map[*proxy]int{}
			for _, p := range proxies {
				said[p] = p.logged("Envoy keeps what it has")
			}
			w.front.set(c.spoil)
			now = w.release()
			until(t, func() error { return atLeast(w.front.reads(), spoiledReads) })
			for _, p := range proxies {
				if c.says == "" {
					continue
				}
				check(t, p.reachesBy(client, releaseHost, before.address))
				if n := p.logged("Envoy keeps what it has") - said[p]; n != 1 || p.logged(c.says) == 0 {
					t.Errorf("the agent of %s says %d times that something is wrong, want once that the %s", p.app, n, c.says)
				}
			}
			w.front.set(nil)
			for _, p := range proxies {
				p.reaches(releaseHost, now.address)
			}
		})
	}
	load.stop()
}

// foreign is a newer index that is signed by a key that nobody trusts.
func (w *world) foreign() []byte {
	w.t.Helper()
	text, err := os.ReadFile(w.key + ".pub")
	check(w.t, err)
	trusted, err := snapshot.PublicKeys(text)
	check(w.t, err)
	x, err := snapshot.Open(w.published(), trusted)
	check(w.t, err)
	x.Sequence += 1000
	_, key, err := ed25519.GenerateKey(nil)
	check(w.t, err)
	return x.Sign(key)
}

// TestStalePublisher: a CI job that runs again changes nothing, and says so.
func TestStalePublisher(t *testing.T) {
	w := newWorld(t)
	p := w.start("orders", "api")
	w.writeRelease("search-web.example.com", "5s")
	old := w.commit() // what CI had before
	w.publish()
	p.reaches(releaseHost, w.town.find("search-web.example.com").address)
	published := w.published()
	run(t, exec.Command("git", "-C", old, "fetch", "--quiet"))
	job := exec.Command(weft, "publish", old, target, "--endpoint", w.s3, "--key", w.key)
	if out, err := job.CombinedOutput(); job.ProcessState.ExitCode() != exitStale {
		t.Errorf("the old job: %v; it says %s", err, out)
	}
	if !bytes.Equal(w.published(), published) {
		t.Error("the old job has changed the index")
	}
}

// TestRestarts: agent and Envoy are killed and their files damaged, while the store is
// away; what can serve from disk does.
func TestRestarts(t *testing.T) {
	w := newWorld(t)
	p, other := w.start("orders", "api"), w.start("media", "web")
	now := w.release()
	p.settles(now)
	load := w.load(other)

	w.front.set(unavailable)
	p.restart()
	check(t, p.reachesBy(client, releaseHost, now.address))

	p.killEnvoy()
	p.reaches(releaseHost, now.address)

	p.restart("config", "published.json")
	check(t, p.reachesBy(client, releaseHost, now.address))
	w.front.set(nil)
	now = w.release()
	p.reaches(releaseHost, now.address)

	w.front.set(unavailable)
	p.begins("config", "config.previous", "published.json") // nothing is left to serve from
	until(t, func() error { return atLeast(p.logged("index cannot be read"), 1) })
	w.front.set(nil)
	p.reaches(releaseHost, now.address)
	load.stop()
}

// settles waits until a release is on disk, and has been for a while.
func (p *proxy) settles(to place) {
	p.t.Helper()
	until(p.t, func() error {
		data, err := os.ReadFile(filepath.Join(p.dir, "config.previous"))
		if err == nil && !bytes.Contains(data, []byte(releasedTo(to.host))) {
			err = fmt.Errorf("%s is not on disk", to.host)
		}
		return err
	})
}

// restart is begins, and waits until the workload may run.
func (p *proxy) restart(damaged ...string) {
	p.t.Helper()
	ready := p.logged("Envoy is ready")
	p.begins(damaged...)
	until(p.t, func() error { return atLeast(p.logged("Envoy is ready"), ready+1) })
}

// begins kills the agent, with which its Envoy ends, damages files and starts it again.
func (p *proxy) begins(damaged ...string) {
	p.t.Helper()
	p.end(syscall.SIGKILL)
	for _, name := range damaged {
		path := filepath.Join(p.dir, name)
		data, err := os.ReadFile(path)
		check(p.t, err)
		check(p.t, os.WriteFile(path, data[:len(data)/2], 0o600))
	}
	p.begin()
}

var startedForm = regexp.MustCompile(`msg="Envoy started" pid=(\d+)`)

// killEnvoy kills the Envoy that was started last.
func (p *proxy) killEnvoy() {
	p.t.Helper()
	all := startedForm.FindAllStringSubmatch(p.said(), -1)
	pid, err := strconv.Atoi(all[len(all)-1][1])
	check(p.t, err)
	check(p.t, syscall.Kill(pid, syscall.SIGKILL))
	until(p.t, func() error { return atLeast(len(startedForm.FindAllString(p.said(), -1)), len(all)+1) })
}
