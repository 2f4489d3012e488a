package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"weft.dev/bench/control-plane/load"
	"weft.dev/bench/control-plane/mesh"
)

// bench is one run.
type bench struct {
	sizes
	ctx    context.Context
	dir    string // of everything that the run writes but its result
	istiod string // a binary that a person named, or ""

	weftBinary string
	result     result
}

func newBench(ctx context.Context, s sizes, root, weft string) (*bench, error) {
	dir, err := os.MkdirTemp("", "weft-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{sizes: s, ctx: ctx, dir: dir, istiod: os.Getenv("ISTIOD")}
	b.result.Machine = machine()
	return b, b.build(root, weft)
}

func (b *bench) bin(name string) string { return filepath.Join(b.dir, "bin", name) }

// build makes the binaries that are measured, and those that measure.
func (b *bench) build(root, weft string) error {
	sources := map[string][]string{root: {"./cmd/weft"}, ".": {"./cmd/xdsload", "./cmd/gcpserver"}}
	b.weftBinary = b.bin("weft")
	if weft != "" {
		delete(sources, root)
		b.weftBinary = weft
	}
	for folder, packages := range sources {
		args := append([]string{"build", "-o", filepath.Join(b.dir, "bin") + "/"}, packages...)
		cmd := exec.CommandContext(b.ctx, "go", args...)
		cmd.Dir, cmd.Stderr = folder, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go %v in %s: %w", args, folder, err)
		}
	}
	v := b.result.Machine.Versions
	v["weft"] = modules(b.weftBinary, "google.golang.org/grpc")
	if weft == "" {
		v["weft"] = commit(root) + ", " + v["weft"]
	}
	v["peer"] = modules(b.bin("gcpserver"), "github.com/envoyproxy/go-control-plane", "google.golang.org/grpc")
	if b.istiod != "" {
		out, _ := exec.CommandContext(b.ctx, b.istiod, "version").CombinedOutput() // for people; an old one may not know it
		v["istiod"] = fmt.Sprintf("%.200s", out)
	}
	return nil
}

// splitEvery service has subsets and weights.
const splitEvery = 10

func (b *bench) mesh(endpoints int, scopes []mesh.Scope) mesh.Mesh {
	return mesh.Mesh{Services: b.services, Endpoints: endpoints, SplitEvery: splitEvery, Scopes: scopes}
}

// narrow are namespaces whose proxies see few services each: nhot sees the one whose
// endpoints change, n0, n1, ... do not.
func (b *bench) narrow() []mesh.Scope {
	var all []mesh.Scope
	next := mesh.Witness + 1
	take := func(count int) (some []int) {
		for range count {
			some = append(some, next)
			if next++; next == b.services {
				next = mesh.Witness + 1
			}
		}
		return
	}
	for i := range b.scopes {
		all = append(all, mesh.Scope{Namespace: fmt.Sprintf("n%d", i), Services: take(b.scopeHosts)})
	}
	return append(all, mesh.Scope{Namespace: "nhot", Services: append([]int{mesh.Hot}, take(b.scopeHosts-1)...)})
}

// inGroups are the flags that put proxies into those namespaces.
func (b *bench) inGroups() []string {
	return []string{"-ns", "n{group}", "-groups", fmt.Sprint(b.scopes)}
}

// everything is the mesh that all see, without the changes of an earlier run.
func (b *bench) everything() (mesh.Files, error) {
	return b.mesh(b.endpoints, mesh.Everything).Write(filepath.Join(b.dir, "everything"))
}

// scoped is the mesh of whose services each sees few.
func (b *bench) scoped() (mesh.Files, error) {
	return b.mesh(b.endpoints, b.narrow()).Write(filepath.Join(b.dir, "scoped"))
}

// dump is what a proxy that sees everything gets from weft. It is taken from a server of
// its own: who is measured must not have compiled it before.
func (b *bench) dump() (string, error) {
	file := filepath.Join(b.dir, "dump")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	s, err := b.weft(b.everything)
	if err != nil {
		return "", err
	}
	defer s.stop()
	c, err := b.connect(s, 1, "-dump", file)
	if err == nil {
		c.stop()
	}
	return file, err
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func rss(pid int) float64 { return load.ProcStat(pid).RSSMiB }

const (
	// steadyEnough is how much of a value may come or go while it counts as steady.
	steadyEnough = 0.01
	// steadyLimit is after how many times of watching it counts as it is.
	steadyLimit = 5
)

// steady watches a value until it hardly changes for a while.
func steady(ctx context.Context, watch time.Duration, value func() float64) (float64, error) {
	for range steadyLimit {
		before := value()
		select {
		case <-time.After(watch):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if now := value(); now < before*(1+steadyEnough) && now > before*(1-steadyEnough) {
			break
		}
	}
	return value(), nil
}
