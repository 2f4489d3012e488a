package main

import (
	"crypto/ed25519"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/snapshot"
)

// checkout is a Git work tree with the example, and a folder that it is published to.
type checkout struct {
	*testing.T
	dir, target, key string
}

func newCheckout(t *testing.T) checkout {
	t.Helper()
	c := checkout{t, withFile(t, ""), filepath.Join(t.TempDir(), "published"), filepath.Join(t.TempDir(), "key.pem")}
	c.git("init", "-q", "-b", "main")
	c.commit()
	if code := run(t.Context(), []string{"snapshot-key", c.key}); code != exitOK {
		t.Fatalf("snapshot-key: code %d", code)
	}
	return c
}

func (c checkout) git(args ...string) string {
	c.Helper()
	fixed := []string{"-C", c.dir, "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}
	out, err := exec.Command("git", append(fixed, args...)...).CombinedOutput()
	if err != nil {
		c.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c checkout) commit() (revision string) {
	c.Helper()
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "test")
	return c.git("rev-parse", "HEAD")
}

// edit replaces text in a file that has it.
func (c checkout) edit(file, old, now string) {
	c.Helper()
	name := filepath.Join(c.dir, file)
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), old) {
		c.Fatalf("%s has no %q (%v)", file, old, err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), old, now, 1)), 0o644); err != nil {
		c.Fatal(err)
	}
}

// publish wants a code, and a sequence and revision to be published after that.
func (c checkout) publish(code int, sequence uint64, revision string, flags ...string) {
	c.Helper()
	if got := run(c.Context(), append([]string{"publish", c.dir, c.target, "--key", c.key}, flags...)); got != code {
		c.Errorf("publish %v: code %d, want %d", flags, got, code)
	}
	data, err := os.ReadFile(filepath.Join(c.target, snapshot.IndexFile))
	if err != nil {
		c.Fatal(err)
	}
	public, err := os.ReadFile(c.key + ".pub")
	if err != nil {
		c.Fatal(err)
	}
	keys, err := snapshot.PublicKeys(public)
	if err != nil {
		c.Fatal(err)
	}
	x, err := snapshot.Open(data, keys)
	if err != nil {
		c.Fatal(err)
	}
	if x.Sequence != sequence || x.Revision != revision {
		c.Errorf("publish %v: sequence %d of %s, want %d of %s", flags, x.Sequence, x.Revision, sequence, revision)
	}
}

func TestPublishOfCommits(t *testing.T) {
	c := newCheckout(t)
	first := c.git("rev-parse", "HEAD")
	c.publish(exitOK, 1, first)
	c.publish(exitOK, 1, first)

	c.edit("services.libsonnet", "name: 'api', address: '10.20.0.2', timeout: '2s'", "name: 'api', address: '10.20.0.2', timeout: '9s'")
	c.publish(exitError, 1, first)
	c.publish(exitOK, 2, first+dirtySuffix, "--allow-dirty")
	second := c.commit()
	c.publish(exitError, 2, first+dirtySuffix, "--envoy", refusingEnvoy(t), "--force")
	c.publish(exitOK, 3, second)

	c.git("checkout", "-q", first)
	c.publish(exitStale, 3, second)
	c.publish(exitOK, 4, first, "--force")
	c.git("checkout", "-q", "main")

	c.edit("mesh.jsonnet", "['cart-api.example.com', 'catalog-api.example.com', 'search-web.example.com']", "['cart-web.example.com']")
	third := c.commit()
	c.publish(exitFindings, 4, first)
	c.publish(exitOK, 5, third, "--allow-removals", "--prune")

	unknown := strings.Repeat("a", 40)
	c.edit("mesh.jsonnet", "// Everything", "// Everything,")
	c.commit()
	if err := follows(t.Context(), c.dir, "HEAD", unknown); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("got %v for a commit that is not there", err)
	}
}

func TestPublishNeedsItsKey(t *testing.T) {
	c := newCheckout(t)
	revision := c.git("rev-parse", "HEAD")
	c.publish(exitOK, 1, revision)
	if code := run(t.Context(), []string{"snapshot-key", c.key}); code != exitError {
		t.Errorf("a key is written over: code %d", code)
	}
	other := c.key + ".other"
	if code := run(t.Context(), []string{"snapshot-key", other}); code != exitOK {
		t.Fatalf("code %d", code)
	}
	c.publish(exitError, 1, revision, "--key", other, "--force")
	if code := run(t.Context(), []string{"publish", c.dir, c.target}); code != exitUsage {
		t.Errorf("without a key: code %d", code)
	}
	if code := run(t.Context(), []string{"publish", c.dir, c.target, "--key", other, "--trust", c.key + ".pub", "--force"}); code != exitOK {
		t.Errorf("the next key, which trusts the one before: code %d", code)
	}
	info, err := os.Stat(c.key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(c.key)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := snapshot.PrivateKey(text); err != nil || len(key) != ed25519.PrivateKeySize {
		t.Errorf("it cannot be read: %v", err)
	}
}

// A folder that is in no Git work tree has no commit.
func TestPublishWithoutGit(t *testing.T) {
	if revision, err := revisionOf(t.Context(), t.TempDir(), false); err != nil || revision != "" {
		t.Errorf("got %q, %v", revision, err)
	}
}
