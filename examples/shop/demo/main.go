// Demo tells the whole story of weft on this machine: a mesh without Kubernetes,
// releases judged by their own traffic, and a control plane that may die. It does
// nothing that a person could not type: every step is a command of `weft`, printed
// before it runs.
//
// Run it from the project's root, with `make demo`. With --once it ends after the
// story, with exit code 0 only if every step held.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// step fails by panicking with a failure.
type step struct {
	title string
	tell  func(*demo)
}

// opening is where the story begins.
var opening = []step{
	{"one process is the whole control plane", startServer},
	{"Envoy, pinned by version and checksum", fetchEnvoy},
	{"this machine joins, and the shop runs as plain processes", startShop},
	{"routes, resilience and security are resources", applyResources},
}

// story is how it goes on.
var story = []step{
	{"200 requests a second, as the proxies see them", showEdges},
	{"releases: a bad one, a good one, a blue/green one", releases},
	{"where does a request go, and why?", explainRequests},
	{"the control plane dies, traffic does not", killServer},
}

// shopOnly is how it goes on where a person tells the rest: docs/guides/release-story.md.
var shopOnly = []step{
	{"two more versions of reviews run, without traffic", deployVersions},
}

func main() {
	once := flag.Bool("once", false, "end after the story")
	shop := flag.Bool("shop", false, "start the shop and no more, without traffic, and stay")
	keep := flag.String("dir", "", "folder for data and logs (default: a new temporary one, removed at the end)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	steps := slices.Concat(opening, story)
	if *shop {
		steps = slices.Concat(opening, shopOnly)
	}
	os.Exit(tell(ctx, steps, *once, *keep))
}

func tell(ctx context.Context, steps []step, once bool, dir string) (code int) {
	d, err := newDemo(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		failed, isFailure := recover().(failure)
		if isFailure {
			code = 1
			fmt.Printf("\n✗ %s\n", failed)
			d.showLogs()
		}
		d.stop(code == 0)
	}()
	start := time.Now()
	for i, step := range steps {
		fmt.Printf("\n[%d/%d] %s\n", i+1, len(steps), step.title)
		step.tell(d)
	}
	if d.load != nil {
		d.finish()
	}
	fmt.Printf("\nEvery step held, in %s.\n", time.Since(start).Round(time.Second))
	if !once {
		d.stay(ctx)
	}
	return 0
}
