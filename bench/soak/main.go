// soak releases by the hundred: pipelines of many applications, each of which shifts
// traffic by a judged canary, on a real API server, with instances and traffic made up. Every
// tenth version is bad. It prints how long steps took and what the process weighed: `make soak`.
//
// It exits 1 where a run did not end, a bad version went into service, or more than
// one of a hundred good ones was taken back.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"weft.dev/bench/page"
)

// plan is what is asked for.
type plan struct {
	releases, apps int
	over           time.Duration
}

func main() {
	p := plan{}
	flag.IntVar(&p.releases, "releases", 1500, "how many")
	flag.IntVar(&p.apps, "applications", 500, "of how many applications")
	flag.DurationVar(&p.over, "over", time.Hour, "within which time they begin, evenly")
	docs := flag.String("docs", "", "page whose table is replaced; default: print it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	figures, err := soak(ctx, p)
	if err == nil {
		err = page.Show(figures.table(p), *docs, "soak")
	}
	if err == nil {
		err = figures.broken(p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs a plan.
func soak(ctx context.Context, p plan) (*figures, error) {
	dir, err := os.MkdirTemp("", "weft-soak-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	client, stopped, err := startStore(ctx, dir)
	if err != nil {
		cancel()
		return nil, err
	}
	w, f := newWorld(time.Now, p.apps), newFigures()
	var all sync.WaitGroup
	defer func() {
		cancel()
		all.Wait()
		_ = stopped()
	}()
	if err := prepare(ctx, client, w); err != nil {
		return nil, err
	}
	releases, runs, err := engines(client, w, f.took)
	if err != nil {
		return nil, err
	}
	for _, work := range []func(context.Context) error{
		releases.Run, runs.Run, func(ctx context.Context) error { return w.watch(ctx, client) },
	} {
		all.Go(func() { _ = work(ctx) })
	}
	return f, drive(ctx, client, f, p)
}
