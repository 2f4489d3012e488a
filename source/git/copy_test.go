package git_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"weft.dev/source/git"
	"weft.dev/test/gitserver"
)

// taken is what Copy gave.
type taken struct{ files, links map[string]string }

func (k taken) File(name string, from io.Reader) error {
	text, err := io.ReadAll(from)
	k.files[name] = string(text)
	return err
}

func (k taken) Link(name, to string) error { k.links[name] = to; return nil }

func TestCopy(t *testing.T) {
	server := gitserver.New(t)
	temp := t.TempDir()
	at := func(revision, dir string, most int) (taken, string, error) {
		k := taken{map[string]string{}, map[string]string{}}
		commit, err := git.Copy(t.Context(), git.Place{URL: server.URL, Revision: revision, Dir: dir}, temp, most, k)
		return k, commit, err
	}
	server.Write("deploy/a.txt", "one\n")
	server.Write("other.yaml", "x\n")
	first := server.Push()
	server.Origin("tag", "v1", first)
	server.Write("deploy/a.txt", "two\n")
	server.Link("deploy/passwd", "/etc/passwd")
	server.Git("init", "--quiet", "deploy/module")
	server.Git("-C", "deploy/module", "commit", "--quiet", "--allow-empty", "--message", "a module")
	module := server.Git("-C", "deploy/module", "rev-parse", "HEAD")
	second := server.Push()

	k, commit, err := at("main", "deploy", 10)
	want := "map[a.txt:two\n] map[module:submodule " + module + " passwd:/etc/passwd]"
	if got := fmt.Sprint(k.files, " ", k.links); err != nil || commit != second || got != want {
		t.Errorf("got %q of %s, %v; want %q", got, commit, err, want)
	}
	if k, commit, err := at("v1", "", 10); err != nil || commit != first || k.files["deploy/a.txt"] != "one\n" || k.files["other.yaml"] == "" {
		t.Errorf("got %v of %s, %v", k, commit, err)
	}
	for want, get := range map[string]func() (taken, string, error){
		"more than 2 files":   func() (taken, string, error) { return at("main", "deploy", 2) },
		"has nothing in none": func() (taken, string, error) { return at("main", "none", 2) },
		"leads out":           func() (taken, string, error) { return at("main", "../x", 2) },
		"is none":             func() (taken, string, error) { return at("--upload-pack=touch", "", 2) },
		"no-such-branch":      func() (taken, string, error) { return at("no-such-branch", "", 2) },
	} {
		if _, _, err := get(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestCopyAddress: nothing but an address is taken for one, and no other program is run.
func TestCopyAddress(t *testing.T) {
	for _, address := range []string{"ext::sh -c touch% /tmp/x", "-x", "", "--upload-pack=touch", "fd::17"} {
		if _, err := git.Copy(t.Context(), git.Place{URL: address, Revision: "main"}, t.TempDir(), 1, taken{}); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}
