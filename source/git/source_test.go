package git_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/source/folder"
	"weft.dev/source/git"
	"weft.dev/test/gitserver"
)

const deadline = 20 * time.Second // of anything that a test waits for

// world is a repository and what came of it.
type world struct {
	t       *testing.T
	server  *gitserver.Server
	options git.Options
	source  *git.Source
	log     text
	commits chan int // objects that changed in one commit
	stop    func()
}

// text is a log that may be read while it is written.
type text struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func newWorld(t *testing.T) *world {
	server := gitserver.New(t)
	return &world{t: t, server: server, commits: make(chan int, 1000), options: git.Options{
		URL: server.URL, Ref: "main", Interval: git.MinInterval, Data: filepath.Join(t.TempDir(), "git"),
	}}
}

// start runs a source; the one before has to be stopped.
func (w *world) start() {
	w.t.Helper()
	graph := flow.New(flow.Options{})
	source, err := git.New(w.options, graph, slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelInfo})))
	if err != nil {
		w.t.Fatal(err)
	}
	source.Observe(func(_ flow.Revision, changes []flow.Change[api.Object]) { w.commits <- len(changes) })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	w.source = source
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Errorf("it ended: %v", err)
		}
	})
	w.t.Cleanup(func() {
		w.stop()
		if w.t.Failed() {
			w.t.Log(w.log.String())
		}
	})
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for late := time.Now().Add(deadline); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			w.t.Fatalf("never: %s\ncommit %s\nobjects %v\nproblems %v", what, w.source.Commit(), w.keys(), w.problems())
		}
	}
}

func (w *world) serves(commit string) {
	w.t.Helper()
	w.until("commit "+commit, func() bool { return w.source.Commit() == commit })
}

func (w *world) keys() []string {
	var keys []string
	for _, o := range w.source.All() {
		keys = append(keys, o.Name)
	}
	return keys
}

func (w *world) has(names ...string) {
	w.t.Helper()
	w.until(fmt.Sprint("objects ", names), func() bool { return slices.Equal(w.keys(), names) })
}

func (w *world) problems() []string {
	var all []string
	for _, p := range w.source.Problems.All() {
		all = append(all, p.Object.String()+" "+p.Code+" "+p.Message)
	}
	return all
}

// says waits until there is one problem, which has all of the parts.
func (w *world) says(parts ...string) {
	w.t.Helper()
	w.until(fmt.Sprint("a problem that says ", parts), func() bool {
		all := w.problems()
		return len(all) == 1 && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(all[0], part) })
	})
}

func (w *world) sound() {
	w.t.Helper()
	w.until("no problems", func() bool { return len(w.problems()) == 0 })
}

// object is one that differs from others by its name only.
func object(name string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}}\n", name)
}

// A push is one commit of rows, however many files it touches; files are called as in the repository.
func TestPush(t *testing.T) {
	w := newWorld(t)
	w.options.Dir = "deploy/mesh/"
	w.server.Write("README.yaml", "not: configuration")
	w.server.Write("deploy/mesh/a.yaml", object("a")+"---\n"+object("b"))
	w.server.Write("deploy/mesh/sub/c.jsonnet", `(import '../lib.libsonnet')('c')`)
	w.server.Write("deploy/mesh/lib.libsonnet", `function(name) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}}`)
	first := w.server.Push()
	w.start()
	w.serves(first)
	w.has("a", "b", "c")
	b, _ := w.source.Get("ConfigMap/default/b")
	if at := b.Annotations[api.SourceAnnotation]; at != "deploy/mesh/a.yaml:3" {
		t.Errorf("b stands at %s", at)
	}
	for len(w.commits) > 0 {
		<-w.commits
	}

	w.server.Write("deploy/mesh/a.yaml", object("a"))
	w.server.Write("deploy/mesh/d.yaml", object("b")+"---\n"+object("d"))
	w.server.Git("rm", "--quiet", "deploy/mesh/sub/c.jsonnet")
	w.serves(w.server.Push())
	w.has("a", "b", "d")
	if changes := <-w.commits; changes != 3 || len(w.commits) > 0 {
		t.Errorf("the push was a commit of %d changes, and %d more commits; want b, c, d at once", changes, len(w.commits))
	}
	w.until("one checkout, that which is served", func() bool { // the one before goes after the commit
		all, err := os.ReadDir(filepath.Join(w.options.Data, "commits"))
		return err == nil && len(all) == 1
	})
	if strings.Contains(w.log.String(), "WARN") {
		t.Error("something is warned of")
	}
}

// Whatever is wrong with a commit, its ref or its server, the last good one is in
// effect, and a problem says what it is and since when.
func TestLastGood(t *testing.T) {
	w := newWorld(t)
	w.server.Write("mesh/a.yaml", object("a"))
	good := w.server.Push()
	w.options.Dir = "mesh"
	w.start()
	w.serves(good)
	stays := "commit " + good[:12] + " stays in effect, and what was merged after 20"

	for name, c := range map[string]struct {
		harm, heal func()
		says       string
	}{
		"server away": {
			func() { w.server.Away.Store(true) }, func() { w.server.Away.Store(false) }, "503",
		},
		"ref missing": {
			func() { w.server.Origin("update-ref", "-d", "refs/heads/main") }, func() { w.server.Origin("update-ref", "refs/heads/main", good) },
			"couldn't find remote ref main",
		},
		"folder missing": {
			func() { w.server.Git("mv", "mesh", "other"); w.server.Push() }, func() { w.server.Git("reset", "--quiet", "--hard", good); w.server.Push() },
			"has no file of configuration in mesh",
		},
		"ref of no commit": {
			func() { w.server.Origin("update-ref", "refs/tags/main", w.server.Git("hash-object", "mesh/a.yaml")) },
			func() { w.server.Origin("update-ref", "-d", "refs/tags/main") },
			"git rev-parse",
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			w.t = t
			c.harm()
			w.says("Repository "+w.server.URL+" main mesh Stale ", c.says, stays)
			w.has("a")
			c.heal()
			w.sound()
		})
	}
}

// What is wrong in a commit harms no more than it does in a folder.
func TestBadFiles(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c", "large"} {
		w.server.Write(name+".yaml", object(name))
	}
	w.server.Write("d.jsonnet", `{`)
	w.start()
	w.serves(w.server.Push())
	w.says("File d.jsonnet Invalid d.jsonnet:1:")
	w.server.Git("rm", "--quiet", "d.jsonnet")
	w.serves(w.server.Push())
	w.sound()

	w.server.Write("a.yaml", "kind: [\n")
	w.server.Write("b.yaml", object("b2"))
	w.serves(w.server.Push())
	w.has("a", "b2", "c", "large")
	w.says("File a.yaml Invalid a.yaml:1: ", "stays in effect")
	w.server.Write("a.yaml", object("a"))
	w.server.Write("large.yaml", strings.Repeat("#\n", folder.MaxFileBytes/2+1)+object("larger"))
	w.serves(w.server.Push())
	w.says(fmt.Sprintf("large.yaml: has %d bytes, more than", folder.MaxFileBytes+2+len(object("larger"))))
	w.has("a", "b2", "c", "large")
}

// A commit takes away what it wants, but for all of it.
func TestEmptied(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.server.Write(fmt.Sprintf("%d.yaml", i), object(fmt.Sprintf("a%d", i)))
	}
	w.start()
	w.serves(w.server.Push())
	for i := range 4 {
		w.server.Write(fmt.Sprintf("%d.yaml", i), "# nothing\n")
	}
	w.serves(w.server.Push())
	w.has("a4")
	w.sound()
	w.server.Write("4.yaml", "# nothing\n")
	w.serves(w.server.Push())
	w.says("File . Held 1 of 1 objects are gone at once, ConfigMap/default/a4: they stay in effect; nothing would be left, so keep one of them")
	w.has("a4")
	w.server.Write("0.yaml", object("b"))
	w.serves(w.server.Push())
	w.has("b")
	w.sound()
}

// Another process begins with the commit that was served last, whoever answers.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.server.Write("a.yaml", object("a"))
	first := w.server.Push()
	w.start()
	w.serves(first)
	w.stop()

	w.server.Away.Store(true)
	w.server.Write("a.yaml", object("a2"))
	second := w.server.Push()
	w.start()
	w.serves(first)
	w.has("a")
	w.says("503", "commit "+first[:12]+" stays in effect")
	w.server.Away.Store(false)
	w.serves(second)
	w.has("a2")
	w.sound()
	w.stop()

	// Of another ref nothing was ever served.
	w.server.Away.Store(true)
	w.options.Ref = "other"
	w.start()
	w.until("a warning", func() bool { return strings.Contains(w.log.String(), "nothing is served yet") })
	if commit := w.source.Commit(); commit != "" || len(w.keys()) > 0 {
		t.Errorf("commit %q of another ref is served: %v", commit, w.keys())
	}
	w.stop()

	// A cache of which nobody knows how it was left, and a file that was cut off.
	w.options.Ref = "main"
	w.server.Away.Store(false)
	for _, name := range []string{"cache/shallow.lock", "cache/HEAD", "served.json"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(w.options.Data, "cache"), 0o700), os.WriteFile(filepath.Join(w.options.Data, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	w.serves(second)
	w.sound()
}

// The ref decides, also where it goes back or elsewhere; the log says so.
func TestForced(t *testing.T) {
	w := newWorld(t)
	w.server.Write("a.yaml", object("a"))
	first := w.server.Push()
	w.server.Write("a.yaml", object("a2"))
	second := w.server.Push()
	w.start()
	w.serves(second)
	w.server.Git("reset", "--quiet", "--hard", first)
	w.server.Push()
	w.serves(first)
	w.has("a")
	if log := w.log.String(); !strings.Contains(log, "forced") || !strings.Contains(log, `instead of"=`+second[:12]) {
		t.Error("the log does not say that the ref was forced back")
	}
	w.server.Write("b.yaml", object("b"))
	w.serves(w.server.Push())
	if n := strings.Count(w.log.String(), "forced"); n != 1 {
		t.Errorf("the log says %d times that the ref was forced", n)
	}
}

// No text of a commit reaches anything outside of it.
func TestStrangers(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(secret, []byte("password: canary-7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.server.Write("a.yaml", object("a"))
	w.server.Write(".gitattributes", "*.yaml filter=evil ident text eol=crlf export-ignore\n")
	w.server.Write(".hidden/h.yaml", object("hidden"))
	w.server.Link("link.yaml", secret)
	w.server.Push()
	w.start()
	w.says("File link.yaml Invalid link.yaml:1: want an object")
	w.has("a")
	if strings.Contains(strings.Join(w.problems(), ""), "canary-7") {
		t.Error("what the link leads to was read")
	}
}

// A password in the URL is in no log, no problem and no name.
func TestPassword(t *testing.T) {
	for _, user := range []string{"robot:canary-8%2F", "canary-8"} {
		w := newWorld(t)
		w.server.Write("a.yaml", object("a"))
		w.server.Push()
		w.options.URL = strings.Replace(w.server.URL, "http://", "http://"+user+"@", 1) + "?token=canary-9"
		w.server.Away.Store(true)
		w.start()
		w.says("git fetch", "503")
		all := w.log.String() + strings.Join(w.problems(), "") + w.source.String()
		if strings.Contains(all, "canary") || !strings.Contains(all, w.server.URL) {
			t.Errorf("with user %s it is said:\n%s", user, all)
		}
		w.stop()
	}
	for _, bad := range []string{"https://a:canary b@host/%zz", "-canary"} {
		w := newWorld(t)
		w.options.URL = bad
		if _, err := git.New(w.options, flow.New(flow.Options{}), slog.Default()); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, harm := range map[string]func(*git.Options){
		"ref -":      func(o *git.Options) { o.Ref = "--upload-pack=touch" },
		"ref of two": func(o *git.Options) { o.Ref = "main:refs/weft/head" },
		"ref empty":  func(o *git.Options) { o.Ref = "" },
		"URL -":      func(o *git.Options) { o.URL = "--upload-pack=touch" },
		"folder":     func(o *git.Options) { o.Dir = "../other" },
		"interval":   func(o *git.Options) { o.Interval = time.Millisecond },
	} {
		options := git.Options{URL: "https://example.com/mesh.git", Ref: "main", Interval: time.Minute}
		if _, err := git.New(options, flow.New(flow.Options{}), slog.Default()); err != nil {
			t.Fatal(err)
		}
		harm(&options)
		if _, err := git.New(options, flow.New(flow.Options{}), slog.Default()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A URL may not name a program that git would run.
func TestProgram(t *testing.T) {
	w := newWorld(t)
	ran := filepath.Join(t.TempDir(), "ran")
	w.options.URL = "ext::touch " + ran
	w.start()
	w.says("transport 'ext' not allowed")
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program was run")
	}
}
