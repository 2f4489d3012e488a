package jail_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft.dev/release/bake/jail"
)

func dial(network, address string) error {
	c, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("x"))
	return errors.Join(err, c.Close())
}

// TestWalls: each wall holds alone, whatever a library has brought itself to do.
func TestWalls(t *testing.T) {
	for _, c := range []struct {
		walls string
		may   []string
	}{
		{"none", []string{"read", "list", "write", "change", "remove", "tcp", "udp", "run", "signal", "memory"}}, // the probe can
		{"landlock", []string{"udp", "memory"}},
		{"calls", nil},
		{"landlock calls", nil},
	} {
		t.Run(c.walls, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "canary")
			for _, name := range []string{file, file + ".old"} {
				if err := os.WriteFile(name, []byte("canary"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			got := probed(t, c.walls, file, l.Addr().String())
			want := append(slices.Clone(c.may), "environment 0")
			if !slices.Equal(got, want) {
				t.Errorf("it could %v, want %v", got, want)
			}
			if text, err := os.ReadFile(file); (err != nil || string(text) != "canary") != slices.Contains(c.may, "change") {
				t.Errorf("the file is %q, %v", text, err)
			}
		})
	}
}

// probed runs the probe within walls.
func probed(t *testing.T, walls, file, address string) []string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("/proc/self/exe", "probe", walls, file, address)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Stdin = []string{}, &out, &out, &bytes.Buffer{}
	run := cmd.Run
	if strings.Contains(walls, "landlock") {
		run = func() error { return jail.RunConfined(cmd) }
	}
	if err := run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("a/b.yaml")
	write(".git/config")
	links := map[string]string{"absolute": "/etc/passwd", "up": "../../x", "a/circle": "circle", "folder": "a"}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := jail.Copy(dir)
	if err != nil || len(got.Files) != 1 || string(got.Files["a/b.yaml"]) != "a/b.yaml" || fmt.Sprint(got.Links) != fmt.Sprint(links) {
		t.Errorf("got %v, %v", got, err)
	}
	refused := func(want string) {
		t.Helper()
		if _, err := jail.Copy(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	write("a/B.yaml")
	refused("differ in nothing but case")
	os.Remove(filepath.Join(dir, "a/B.yaml"))
	pipe := filepath.Join(dir, "a/pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a/pipe is neither a file nor a folder")
	os.Remove(pipe)
	if err := unix.Mknod(pipe, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))); err == nil { // by who may make one
		refused("a/pipe is neither a file nor a folder")
		os.Remove(pipe)
	}
	large := filepath.Join(dir, "large")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, jail.MaxBytes)); err != nil {
		t.Fatal(err)
	}
	refused("more than 64 MB")
}

// TestManyFiles: it ends at the limit, and does not list all first.
func TestManyFiles(t *testing.T) {
	c := jail.NewCollector()
	for i := range 1_000_000 {
		if err := c.File(fmt.Sprintf("f%d", i), strings.NewReader("")); err != nil {
			if i != jail.MaxFiles || !strings.Contains(err.Error(), "more than 10000 files") {
				t.Errorf("at %d: %v", i, err)
			}
			return
		}
	}
	t.Error("a million files were taken")
}

func TestNames(t *testing.T) {
	for _, name := range []string{"../a", "/a", "a/../b", "a\\b", "", "."} {
		if err := jail.NewCollector().File(name, strings.NewReader("")); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
