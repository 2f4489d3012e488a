package steward

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pack makes a .tar.gz of entries, each with its name as content.
func pack(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := out.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := out.Write([]byte(h.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(out.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func digestOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// TestArtifact: it is fetched once, unpacked, and gone when nobody needs it.
func TestArtifact(t *testing.T) {
	data := pack(t, tar.Header{Name: "bin", Typeflag: tar.TypeDir}, tar.Header{Name: "bin/app", Typeflag: tar.TypeReg, Mode: 0o700}, tar.Header{Name: "deep/er/words", Typeflag: tar.TypeReg, Mode: 0o600})
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; w.Write(data) }))
	defer server.Close()
	a := &artifacts{dir: filepath.Join(t.TempDir(), "artifacts"), client: server.Client()}
	from, digest, err := artifact(server.URL + "/app.tar.gz@sha256:" + digestOf(data))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		dir, err := a.get(t.Context(), from, digest)
		if err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{"bin/app": 0o755, "deep/er/words": 0o644} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			info, err2 := os.Stat(filepath.Join(dir, name))
			if err := errors.Join(err, err2); err != nil || string(text) != name || info.Mode().Perm()&^mode != 0 || info.Mode()&0o100 != mode&0o100 {
				t.Errorf("%s: %q %v %v", name, text, info, err)
			}
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if err := a.forget(map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(a.dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// TestArtifactRefused: what is no plain tree, or not what was released, leaves nothing.
func TestArtifactRefused(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"link":    {pack(t, tar.Header{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), "neither a file nor a folder"},
		"hard":    {pack(t, tar.Header{Name: "out", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}), "neither a file nor a folder"},
		"device":  {pack(t, tar.Header{Name: "null", Typeflag: tar.TypeChar}), "neither a file nor a folder"},
		"up":      {pack(t, tar.Header{Name: "../up", Typeflag: tar.TypeReg}), "../up"},
		"root":    {pack(t, tar.Header{Name: "/etc/passwd", Typeflag: tar.TypeReg}), "/etc/passwd"},
		"twice":   {pack(t, tar.Header{Name: "a", Typeflag: tar.TypeReg}, tar.Header{Name: "a", Typeflag: tar.TypeReg}), "exists"},
		"no gzip": {[]byte("plain"), "no .tar.gz"},
	} {
		path := filepath.Join(dir, name+".packed")
		if err := os.WriteFile(path, test.data, 0o600); err != nil {
			t.Fatal(err)
		}
		a := &artifacts{dir: filepath.Join(dir, "of", name)}
		_, err := a.get(t.Context(), &url.URL{Scheme: "file", Path: path}, digestOf(test.data))
		if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if left, _ := os.ReadDir(a.dir); len(left) > 0 {
			t.Errorf("%s leaves %v", name, left)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "up")); err == nil {
		t.Error("a file came out of its folder")
	}
}
