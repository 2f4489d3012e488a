package poll_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weft.dev/agent/poll"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/snapshot"
)

var (
	key     = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	foreign = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
)

// place is where somebody publishes, and what is wrong with it.
type place struct {
	turn   sync.Mutex
	files  map[string][]byte
	err    error         // of every read
	takes  time.Duration // every read
	reads  map[string]int
	cached int // reads that found what was known
}

// delay is how long a read takes. By it, what a test did before it lets time pass is
// done before the next read.
func (p *place) delay() time.Duration {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.takes
}

func (p *place) Read(ctx context.Context, name, known string, most int64) ([]byte, string, error) {
	select {
	case <-time.After(p.delay()):
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	p.reads[name]++
	data, ok := p.files[name]
	tag := string(snapshot.DigestOf(data))
	switch {
	case p.err != nil:
		return nil, "", p.err
	case !ok:
		return nil, "", fs.ErrNotExist
	case int64(len(data)) > most:
		return nil, "", fmt.Errorf("more than %d bytes", most)
	case tag == known:
		p.cached++
		return nil, known, nil
	}
	return data, tag, nil
}

// publish puts a view in place and an index that has it.
func (p *place) publish(by ed25519.PrivateKey, index snapshot.Index, resources ...*model.Resource) {
	view := snapshot.EncodeView(resources)
	d := snapshot.DigestOf(view)
	p.files[d.Path()] = view
	if index.Views == nil {
		index.Views = map[string]snapshot.Digest{"shop/app": d}
	}
	p.files[snapshot.IndexFile] = index.Sign(by)
}

func named(t model.Type, name string) *model.Resource {
	return model.NewResource(model.Resource{Type: t, Name: name, Body: []byte(name)})
}

// view is what a sidecar has, and one cluster of a name.
func view(cluster string) []*model.Resource {
	return []*model.Resource{named(model.TypeCluster, cluster), named(model.TypeListener, "outbound")}
}

// world is an agent that polls, and what it did.
type world struct {
	*testing.T
	*place
	dir  string
	used []string // first cluster of each view that was handed on
	has  map[model.Type]int
	log  bytes.Buffer
	poll *poll.Poll
	stop func()
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, place: &place{files: map[string][]byte{}, reads: map[string]int{}}, dir: t.TempDir(), has: map[model.Type]int{}, stop: func() {}}
	w.publish(key, snapshot.Index{Sequence: 5, Revision: "abc"}, view("a")...)
	return w
}

// start begins anew, as after a restart of the agent.
func (w *world) start() {
	w.stop()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w.poll = poll.New(poll.Options{
		Store: w.place, Target: "place", Trusted: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)},
		Namespace: "shop", Name: "app-1", App: "app", Interval: time.Second, Files: identity.Dir(w.dir),
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Has: func(t model.Type) int { return w.has[t] },
		Use: func(all []*model.Resource) {
			w.has = map[model.Type]int{}
			for _, r := range all {
				w.has[r.Type]++
			}
			w.used = append(w.used, all[0].Name)
		},
	})
	go func() { w.poll.Run(ctx); close(ended) }()
	w.stop = func() { cancel(); <-ended }
}

// after lets time pass, and wants these views to have been handed on.
func (w *world) after(d time.Duration, used string) {
	w.Helper()
	w.delay()
	time.Sleep(d)
	synctest.Wait()
	if got := strings.Join(w.used, " "); got != used {
		w.Fatalf("views that were handed on: %q, want %q\n%s", got, used, &w.log)
	}
}

// said counts lines of the log.
func (w *world) said(text string) int { return strings.Count(w.log.String(), text) }

func run(t *testing.T, do func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		defer func() { w.stop() }()
		w.after(0, "a")
		do(w)
	})
}

func TestFollows(t *testing.T) {
	run(t, func(w *world) {
		w.after(time.Hour, "a")
		if index, views := w.reads[snapshot.IndexFile], len(w.files)-1; w.cached != index-1 || views != 1 {
			w.Errorf("of %d reads of the index %d found nothing new", index, w.cached)
		}
		if n := w.reads[snapshot.IndexFile]; n < 3000 || n > 4800 {
			w.Errorf("%d reads in an hour of 3600 intervals", n)
		}
		w.publish(key, snapshot.Index{Sequence: 6, Revision: "def"}, view("b")...)
		w.after(2*time.Second, "a b")
		if s := w.poll.State(); s.Sequence != 6 || s.Revision != "def" || s.Trouble != "" {
			w.Errorf("state %+v", s)
		}
		w.publish(key, snapshot.Index{Sequence: 7}, view("b")...)
		w.after(2*time.Second, "a b") // another index, the same view
		if s := w.poll.State(); s.Sequence != 7 {
			w.Errorf("state %+v", s)
		}
		for name, n := range w.reads {
			if name != snapshot.IndexFile && n != 1 {
				w.Errorf("%s was read %d times", name, n)
			}
		}
		if w.log.Len() > 0 {
			w.Errorf("it talks: %s", &w.log)
		}
	})
}

// Whatever is wrong with the place: what is in use stays, it is said once, and what
// is published after that is taken.
func TestTrouble(t *testing.T) {
	good := func(w *world) { w.publish(key, snapshot.Index{Sequence: 6}, view("b")...) }
	for name, c := range map[string]struct {
		spoil func(w *world)
		says  string
	}{
		"down":         {func(w *world) { w.err = errors.New("503") }, "index cannot be read"},
		"hangs":        {func(w *world) { w.takes = 24 * time.Hour }, "index cannot be read"},
		"index gone":   {func(w *world) { delete(w.files, snapshot.IndexFile) }, "index cannot be read"},
		"index empty":  {func(w *world) { w.files[snapshot.IndexFile] = []byte{} }, "index is refused"},
		"index is cut": {func(w *world) { good(w); w.files[snapshot.IndexFile] = w.files[snapshot.IndexFile][:40] }, "index is refused"},
		"unsigned":     {func(w *world) { w.files[snapshot.IndexFile] = []byte(`{"index":{}}`) }, "index is refused"},
		"foreign":      {func(w *world) { w.publish(foreign, snapshot.Index{Sequence: 6}, view("x")...) }, "index is refused"},
		"older":        {func(w *world) { w.publish(key, snapshot.Index{Sequence: 4}, view("x")...) }, "index 4 is older than 5"},
		"not named": {func(w *world) {
			w.publish(key, snapshot.Index{Sequence: 6, Views: map[string]snapshot.Digest{"shop/other": snapshot.DigestOf(nil)}}, view("x")...)
		}, "no view for this workload"},
		"view gone":       {func(w *world) { good(w); w.spoilView(nil) }, "view cannot be read"},
		"view is cut":     {func(w *world) { good(w); w.spoilView(func(b []byte) []byte { return b[:len(b)/2] }) }, "view is refused"},
		"view is another": {func(w *world) { good(w); w.spoilView(func([]byte) []byte { return snapshot.EncodeView(view("x")) }) }, "view is refused"},
		"view is no view": {func(w *world) { w.noView() }, "view is refused"},
		"no clusters":     {func(w *world) { w.publish(key, snapshot.Index{Sequence: 6}, named(model.TypeListener, "outbound")) }, "resources Cluster would go"},
		"no listeners":    {func(w *world) { w.publish(key, snapshot.Index{Sequence: 6}, named(model.TypeCluster, "x")) }, "resources Listener would go"},
		"removals long ago": {func(w *world) {
			w.publish(key, snapshot.Index{Sequence: 6, Removals: 5}, named(model.TypeListener, "outbound"))
		}, "resources Cluster would go"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				c.spoil(w)
				w.after(10*time.Minute, "a")
				if s := w.poll.State(); s.Sequence != 5 || s.Trouble == "" || w.said("level=ERROR") != 1 || w.said(c.says) != 1 {
					w.Errorf("state %+v; it says\n%s\nwant %q, once", s, &w.log, c.says)
				}
				before := w.reads[snapshot.IndexFile]
				w.after(10*time.Minute, "a")
				if n := w.reads[snapshot.IndexFile] - before; n > 80 {
					w.Errorf("%d reads in 10 minutes of trouble", n)
				}
				w.err, w.takes = nil, 0
				w.publish(key, snapshot.Index{Sequence: 7}, view("c")...)
				w.after(time.Minute, "a c")
				if s := w.poll.State(); s.Sequence != 7 || s.Trouble != "" || w.said("can be had again") != 1 {
					w.Errorf("state %+v; it says\n%s", s, &w.log)
				}
			})
		})
	}
}

// spoilView changes the newest view behind its name; nil removes it.
func (w *world) spoilView(change func([]byte) []byte) {
	d := snapshot.DigestOf(snapshot.EncodeView(view("b")))
	if change == nil {
		delete(w.files, d.Path())
		return
	}
	w.files[d.Path()] = change(w.files[d.Path()])
}

// noView has a digest that fits, of something else.
func (w *world) noView() {
	d := snapshot.DigestOf([]byte("x"))
	w.files[d.Path()] = []byte("x")
	w.publish(key, snapshot.Index{Sequence: 6, Views: map[string]snapshot.Digest{"shop/app": d}})
}

func TestOwnViewGoesFirst(t *testing.T) {
	run(t, func(w *world) {
		mine := snapshot.EncodeView(view("mine"))
		d := snapshot.DigestOf(mine)
		w.files[d.Path()] = mine
		w.publish(key, snapshot.Index{Sequence: 6, Views: map[string]snapshot.Digest{"shop/app": snapshot.DigestOf(nil), "shop/app-1": d}})
		w.after(2*time.Second, "a mine")
	})
}

func TestRemovalsThatAreSaid(t *testing.T) {
	run(t, func(w *world) {
		w.publish(key, snapshot.Index{Sequence: 6, Removals: 6}, named(model.TypeListener, "outbound"))
		w.after(2*time.Second, "a outbound")
		w.publish(key, snapshot.Index{Sequence: 9, Removals: 6}, named(model.TypeCluster, "b"))
		w.after(time.Minute, "a outbound") // what was said was said of something before
	})
}

// What was seen before a restart is not forgotten, not even of a view that was never there.
func TestRestart(t *testing.T) {
	run(t, func(w *world) {
		older := bytes.Clone(w.files[snapshot.IndexFile])
		w.publish(key, snapshot.Index{Sequence: 6}, view("b")...)
		newer := bytes.Clone(w.files[snapshot.IndexFile])
		w.spoilView(nil)
		w.after(time.Minute, "a")
		w.files[snapshot.IndexFile] = older
		w.start()
		w.after(time.Minute, "a")
		if s := w.poll.State(); s.Trouble == "" || w.said("index 5 is older than 6") != 1 {
			w.Errorf("state %+v; it says\n%s", s, &w.log)
		}
		w.files[snapshot.IndexFile] = newer
		w.publish(key, snapshot.Index{Sequence: 6}, view("b")...)
		w.start()
		w.after(0, "a b")
	})
}

func TestAnotherPlaceBeginsAnew(t *testing.T) {
	run(t, func(w *world) {
		if err := os.WriteFile(filepath.Join(w.dir, "published.json"), []byte(`{"target":"elsewhere","newest":99,"taken":99}`), 0o600); err != nil {
			w.Fatal(err)
		}
		w.start()
		w.after(0, "a a")
	})
}

func TestDamagedMemory(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "cut": `{"target":"place","new`, "zeros": "\x00\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				path := filepath.Join(w.dir, "published.json")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					w.Fatal(err)
				}
				w.start()
				w.after(0, "a a")
				if w.said("not known any more") != 1 {
					w.Errorf("nobody is told: %s", &w.log)
				}
				w.publish(key, snapshot.Index{Sequence: 4}, view("x")...)
				w.after(time.Minute, "a a")
			})
		})
	}
}

// full is a disk that takes nothing.
type full struct{}

func (full) Read(string) ([]byte, error) { return nil, fs.ErrNotExist }
func (full) Write(string, []byte) error  { return io.ErrShortWrite }

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		used := 0
		p := poll.New(poll.Options{
			Store: w.place, Target: "place", Trusted: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}, Namespace: "shop", App: "app",
			Files: full{}, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Has: func(model.Type) int { return 0 },
			Use: func([]*model.Resource) { used++ },
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		p.Run(ctx)
		if used != 1 || w.said("not on disk") != 1 {
			t.Errorf("used %d times; it says %s", used, &w.log)
		}
	})
}
