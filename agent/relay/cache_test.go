package relay

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"weft.dev/identity"
)

func save(t *testing.T, write func([]byte) error, version string) {
	t.Helper()
	r := New(map[string]map[string]*resource{clusters: {"a": named("a", version)}})
	data, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := write(data); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedCache(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"truncated":    func(b []byte) []byte { return b[:len(b)-3] },
		"zero length":  func([]byte) []byte { return nil },
		"a bit":        func(b []byte) []byte { b[len(b)-2] ^= 4; return b },
		"all zeros":    func(b []byte) []byte { return make([]byte, len(b)) },
		"appended":     func(b []byte) []byte { return append(b, 0) },
		"header only":  func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] },
		"another kind": func([]byte) []byte { return []byte("{}\n") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := Cache{identity.Dir(dir)}
			save(t, c.Settle, "1")
			save(t, c.Save, "2")
			whole, err := os.ReadFile(filepath.Join(dir, cacheFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, cacheFile), damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			held, err := c.Load()
			if err == nil {
				t.Error("nobody is told of the damage")
			}
			if held[clusters]["a"].GetVersion() != "1" {
				t.Fatalf("loaded %v, want the settled one", held)
			}
			save(t, c.Save, "3")
			if held, err := c.Load(); err != nil || held[clusters]["a"].GetVersion() != "3" {
				t.Errorf("after the next change: %v, %v", held, err)
			}
		})
	}
}

func TestCacheOfNothing(t *testing.T) {
	dir := t.TempDir()
	c := Cache{identity.Dir(dir)}
	if held, err := c.Load(); err != nil || len(held) > 0 {
		t.Errorf("got %v, %v", held, err)
	}
	save(t, c.Save, "1")
	info, err := os.Stat(filepath.Join(dir, cacheFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
