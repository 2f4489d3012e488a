package steward

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft.dev/model"
)

// open has a steward whose weft run is a program of /bin: nothing that it starts is found again.
func open(t *testing.T, dir, agent string, allow Allow) *Steward {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Open(ctx, Options{
		Dir: dir, Allow: allow, Agent: agent, Running: func(string) int { return 0 }, Ready: func(string, int) bool { return false },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); s.Wait() })
	return s
}

// until waits for the states to be as wanted.
func until(t *testing.T, s *Steward, what string, is func([]model.HostState) bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	for !is(s.Report()) {
		select {
		case <-s.Changed():
		case <-deadline:
			t.Fatalf("%s: never; there is %+v", what, s.Report())
		}
	}
}

var ofShop = Allow{Applications: []Allowed{{Name: "shop/reviews", Programs: []string{"/bin"}}}}

func order(instances ...model.HostInstance) model.HostOrder {
	return model.HostOrder{Instances: instances}
}

// TestNotAllowed: the machine refuses by itself, whatever the server believes.
func TestNotAllowed(t *testing.T) {
	s := open(t, t.TempDir(), "/bin/true", ofShop)
	for want, i := range map[string]model.HostInstance{
		"operator does not let weft start shop/ratings": {Name: "ratings-1", App: "ratings", Command: []string{"/bin/true"}},
		"commands are not for weft to start here":       {Name: "reviews-1", App: "reviews", Command: []string{"/bin/true"}, Health: "command:touch /tmp/x"},
		"there is no command":                           {Name: "reviews-2", App: "reviews"},
	} {
		i.Namespace = "shop"
		check(t, s.Take(t.Context(), order(i)))
		until(t, s, want, func(all []model.HostState) bool {
			n := slices.IndexFunc(all, func(state model.HostState) bool { return state.Name == i.Name })
			return n >= 0 && all[n].Failed && !all[n].Running && strings.Contains(all[n].Why, want)
		})
	}
}

// TestNames: no name leads out of the folder.
func TestNames(t *testing.T) {
	s := open(t, t.TempDir(), "/bin/true", ofShop)
	for _, i := range []model.HostInstance{{Namespace: "shop", Name: "../x"}, {Namespace: "..", Name: ".."}, {Namespace: "", Name: "x"}, {Namespace: "a_b", Name: "c"}} {
		if err := s.Take(t.Context(), order(i)); err == nil || len(s.Report()) > 0 {
			t.Errorf("%+v was taken", i)
		}
	}
}

// TestTake: what ends fails in words, what is not named stays, what was ordered is known after a restart.
func TestTake(t *testing.T) {
	dir := t.TempDir()
	one := model.HostInstance{Namespace: "shop", Name: "reviews-1", App: "reviews", Command: []string{"/bin/true"}}
	two := one
	two.Name = "reviews-2"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := open(t, dir, "/bin/false", ofShop)
	check(t, s.Take(ctx, order(one, two)))
	until(t, s, "both end", func(all []model.HostState) bool {
		return len(all) == 2 && all[0].Failed && all[1].Failed && strings.Contains(all[0].Why, "exit status 1")
	})
	if a, b := s.all["shop/reviews-1"].kept.AppPort, s.all["shop/reviews-2"].kept.AppPort; a == 0 || a == b {
		t.Errorf("ports %d and %d", a, b)
	}
	check(t, s.Take(ctx, order())) // which names nothing
	if len(s.Report()) != 2 {
		t.Errorf("an order that names nothing leaves %+v", s.Report())
	}
	one.Ends = true
	check(t, s.Take(ctx, order(one)))
	until(t, s, "one is gone", func(all []model.HostState) bool { return len(all) == 1 && all[0].Name == "reviews-2" })
	cancel()
	s.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, instancesDir, "*")); len(left) != 1 {
		t.Errorf("folders %v", left)
	}
	until(t, open(t, dir, "/bin/false", ofShop), "the other is known", func(all []model.HostState) bool { return len(all) == 1 && all[0].Name == "reviews-2" })
}

// TestPortTaken: where somebody else listens at an instance's port when it is to start, it gets another.
func TestPortTaken(t *testing.T) {
	s := open(t, t.TempDir(), "/bin/false", ofShop)
	i := newInstance(filepath.Join(s.Dir, "reviews-1"))
	check(t, s.pickPort(i))
	first := i.kept.AppPort
	if check(t, s.pickPort(i)); i.kept.AppPort != first {
		t.Errorf("port %d is free and was not kept: %d", first, i.kept.AppPort)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(first))))
	check(t, err)
	defer listener.Close()
	if check(t, s.pickPort(i)); i.kept.AppPort == first {
		t.Errorf("port %d is somebody else's and was kept", first)
	}
}

// TestOutput: people get the last lines, whole; a disk is not filled.
func TestOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), outputFile)
	check(t, os.WriteFile(path, []byte(strings.Repeat("line\n", 1000)+"last\n"), 0o600))
	if text := tail(path); !strings.HasPrefix(text, "line\n") || !strings.HasSuffix(text, "line\nlast\n") || len(text) > tailSize {
		t.Errorf("%q", text)
	}
	check(t, trim(path))
	if info, err := os.Stat(path); err != nil || info.Size() != 5005 {
		t.Errorf("%v %v", info, err)
	}
	check(t, os.Truncate(path, maxOutput))
	check(t, trim(path))
	now, err := os.Stat(path)
	check(t, err)
	before, err := os.Stat(path + ".1")
	check(t, err)
	if now.Size() != 0 || before.Size() != maxOutput {
		t.Errorf("%d bytes, and %d put aside", now.Size(), before.Size())
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
