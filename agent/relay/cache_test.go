package relay

import (
	"bytes"
	"os"
	"testing"

	"weft.dev/identity"
)

func save(t *testing.T, c Cache, version string) {
	t.Helper()
	r := New(map[string]map[string]*resource{clusters: {"a": named("a", version)}})
	data, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(data); err != nil {
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
			c := Cache{identity.Dir(t.TempDir())}
			save(t, c, "1")
			save(t, c, "2")
			whole, err := os.ReadFile(c.path(cacheFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.path(cacheFile), damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			held, err := c.Load()
			if err == nil {
				t.Error("nobody is told of the damage")
			}
			if held[clusters]["a"].GetVersion() != "1" {
				t.Fatalf("loaded %v, want the generation before", held)
			}
			// The damaged file does not become the previous generation.
			save(t, c, "3")
			if err := os.Remove(c.path(cacheFile)); err != nil {
				t.Fatal(err)
			}
			if held, _ := c.Load(); held[clusters]["a"].GetVersion() != "1" {
				t.Errorf("then %v", held)
			}
		})
	}
}

func TestCacheOfNothing(t *testing.T) {
	c := Cache{identity.Dir(t.TempDir())}
	if held, err := c.Load(); err != nil || len(held) > 0 {
		t.Errorf("got %v, %v", held, err)
	}
	save(t, c, "1")
	info, err := os.Stat(c.path(cacheFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
