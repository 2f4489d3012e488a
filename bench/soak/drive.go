package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
	"weft.dev/store"
)

const (
	// tail is how long after the last one has begun all must have ended.
	tail = 15 * time.Minute
	// again is when who was not answered asks anew.
	again = time.Second
)

// drive begins releases at an even pace, and waits until each has ended.
func drive(ctx context.Context, client *store.Client, f *figures, p plan) error {
	ctx, cancel := context.WithTimeout(ctx, p.over+tail)
	defer cancel()
	l := &ledger{open: map[string]string{}, changed: make(chan struct{}, 1)}
	runs := store.For[v1alpha1.PipelineRun](client, api.PipelineRun)
	go func() { _ = runs.Watch(ctx, "", func(o *v1alpha1.PipelineRun, _ bool) { l.see(o, f) }) }()
	pace := time.NewTicker(p.over / time.Duration(p.releases))
	defer pace.Stop()
	for n := range p.releases {
		if err := begin(ctx, runs, l, p, n); err != nil {
			return err
		}
		f.weigh(n, p)
		select {
		case <-pace.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		progress(n+1, p.releases, l)
	}
	return l.wait(ctx)
}

// begin makes a run, and asks again where the store did not answer in time, as people would; what it made then is found by its name.
func begin(ctx context.Context, runs store.Resource[v1alpha1.PipelineRun], l *ledger, p plan, n int) error {
	namespace, name := place(n % p.apps)
	version := versionOf(n)
	o := &v1alpha1.PipelineRun{ObjectMeta: named(namespace, fmt.Sprintf("%s-%d", name, n)), Spec: v1alpha1.PipelineRunSpec{
		Pipeline: name, Parameters: map[string]v1alpha1.Value{"version": v1alpha1.Value(version)},
	}}
	l.add(o.Name, version)
	for {
		_, err := runs.Create(ctx, o)
		if err == nil || apierrors.IsAlreadyExists(err) {
			return nil
		}
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			return err // and would be for ever
		}
		fmt.Fprintln(os.Stderr, "begin", o.Name+":", err)
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func progress(n, of int, l *ledger) {
	if n%max(1, of/20) == 0 {
		fmt.Fprintf(os.Stderr, "%d of %d have begun, %d go on\n", n, of, l.len())
	}
}

// ledger is the runs that have not ended, each with its version.
type ledger struct {
	mu      sync.Mutex
	open    map[string]string
	changed chan struct{}
}

func (l *ledger) add(name, version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[name] = version
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func (l *ledger) see(o *v1alpha1.PipelineRun, f *figures) {
	l.mu.Lock()
	defer l.mu.Unlock()
	version, open := l.open[o.Name]
	if !open || !pipeline.Final(o.Status.Phase) {
		return
	}
	delete(l.open, o.Name)
	f.ended(version, o)
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *ledger) wait(ctx context.Context) error {
	for l.len() > 0 {
		select {
		case <-l.changed:
		case <-ctx.Done():
			return fmt.Errorf("%d runs have not ended: %w", l.len(), ctx.Err())
		}
	}
	return nil
}
