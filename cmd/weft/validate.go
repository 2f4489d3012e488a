package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weft.dev/agent/envoy"
	"weft.dev/compile"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/snapshot"
)

const (
	validateTime = time.Minute // for one view of thousands of clusters, on a busy machine
	maxSaid      = 2000        // bytes of what Envoy says that people are shown
)

// validate has a real Envoy check views as static configuration, as many at a
// time as there are cores. Nothing of it opens a port.
func (r *rendering) validate(ctx context.Context, views []snapshot.Digest, named string, progress io.Writer) error {
	binary, err := envoy.Find(ctx, named, slog.New(slog.NewTextHandler(progress, nil)))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weft-validate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	secrets, err := trusted(dir)
	if err != nil {
		return err
	}
	began, done := time.Now(), atomic.Int32{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, digest := range views {
		group.Go(func() error {
			defer done.Add(1)
			return validateOne(ctx, binary, filepath.Join(dir, string(digest)), r.views[digest].view, secrets)
		})
	}
	stop := everySecond(func() { fmt.Fprintf(progress, "Envoy has checked %d of %d views\n", done.Load(), len(views)) })
	defer stop()
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(progress, "Envoy has checked %d views in %v\n", len(views), time.Since(began).Round(100*time.Millisecond))
	return nil
}

// everySecond calls say until stop.
func everySecond(say func()) (stop func()) {
	tick, done := time.NewTicker(time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				say()
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
	}
}

func validateOne(ctx context.Context, binary, path string, view *model.View, secrets []any) error {
	bootstrap, err := compile.Static(view, secrets)
	if err != nil {
		return err
	}
	config, err := json.Marshal(bootstrap)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".json", config, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, validateTime)
	defer cancel()
	said, err := exec.CommandContext(ctx, binary, "--mode", "validate", "-l", "error", "-c", path+".json").CombinedOutput()
	if err != nil {
		return fmt.Errorf("Envoy refuses what the proxies of %s would get (%w): %.*s", view.Scope, err, maxSaid, strings.TrimSpace(string(said)))
	}
	return nil
}

// trusted stands in for the certificates that the machine of an agent trusts: the
// only secret that a view without a server names.
func trusted(dir string) ([]any, error) {
	ca, err := identity.OpenCA(identity.Dir(dir), "validation.invalid", time.Now)
	if err != nil {
		return nil, err
	}
	return []any{map[string]any{
		"name":               model.SecretSystemRoots,
		"validation_context": map[string]any{"trusted_ca": map[string]any{"inline_string": string(ca.RootsPEM())}},
	}}, nil
}
