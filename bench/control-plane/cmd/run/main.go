// run measures weft beside its peers and prints the table of figures: `make bench`.
//
// It builds weft, the peer (gcpserver) and the load client, runs the sides alternately on
// loopback, and compares within each repeat: this machine's speed today cancels out. The
// raw figures go to a JSON file. It exits 1 where something was counted wrong (resources,
// not time): then no time means anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// choice is what a person asked for.
type choice struct {
	quick       bool
	only        string // names of experiments
	repeats     int    // 0: as many as the goals want
	root, weft  string // source; a binary to take instead
	out         string
	page, print string
}

func main() {
	var c choice
	flag.BoolVar(&c.quick, "quick", false, "a small mesh, once: that it works and counts right")
	flag.StringVar(&c.only, "only", "", "names of experiments, with commas between them; default: all")
	flag.IntVar(&c.repeats, "repeats", 0, "of each experiment; default: 5, of the storm 3")
	flag.StringVar(&c.root, "root", "../..", "weft's source")
	flag.StringVar(&c.weft, "weft", "", "binary of weft to measure; default: built from ROOT")
	flag.StringVar(&c.out, "out", "", "JSON file of the results; default: ROOT/bench/results/TIME.json, none with -quick")
	flag.StringVar(&c.page, "docs", "", "page into which the table goes, between its marks")
	flag.StringVar(&c.print, "print", "", "measure nothing: print the table of an earlier result, or put it into -docs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (c choice) do(ctx context.Context) error {
	if c.print != "" {
		return printTable(c.print, c.page)
	}
	chosen, err := choose(c.only)
	if err != nil {
		return err
	}
	s := full
	if c.quick {
		s = small
	}
	if c.repeats > 0 {
		s.repeats, s.stormRepeats = c.repeats, c.repeats
	}
	b, err := newBench(ctx, s, c.root, c.weft)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.measure(chosen)
	b.result.judge(s, c.quick)
	fmt.Print(b.result.table())
	if c.out == "" && !c.quick {
		c.out = filepath.Join(c.root, "bench", "results", b.result.Machine.Time.UTC().Format("2006-01-02T150405Z")+".json")
	}
	if c.out == "" {
		return b.result.wrong()
	}
	if err := b.result.save(c.out); err != nil {
		return err
	}
	fmt.Println("raw figures:", c.out)
	if c.page != "" {
		err = printTable(c.out, c.page)
	}
	return errors.Join(err, b.result.wrong())
}

// choose finds experiments by their names; none means all.
func choose(names string) ([]experiment, error) {
	if names == "" {
		return experiments, nil
	}
	var chosen []experiment
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(experiments, func(e experiment) bool { return e.name == name })
		if i < 0 {
			var all []string
			for _, e := range experiments {
				all = append(all, e.name)
			}
			return nil, fmt.Errorf("there is no experiment %q: take some of %s", name, strings.Join(all, ","))
		}
		chosen = append(chosen, experiments[i])
	}
	return chosen, nil
}

// sizes are how much is measured.
type sizes struct {
	services, endpoints, moreEndpoints, proxies int
	repeats, stormRepeats                       int
	changes, slopeChanges                       int // in a series
	scopes, scopeHosts                          int // namespaces, and how many services each sees
	interested, fewProxies, manyProxies         int // of the slope
	memoryProxies, stormProxies                 int
	churnRate, fairRate                         float64 // changes a second
	churnTime, fairTime                         time.Duration
	gap, settle, steady                         time.Duration
}

var full = sizes{
	services: 1000, endpoints: 10, moreEndpoints: 30, proxies: 500,
	repeats: 5, stormRepeats: 3, changes: 5, slopeChanges: 50, scopes: 50, scopeHosts: 10,
	interested: 50, fewProxies: 500, manyProxies: 5000, memoryProxies: 5000, stormProxies: 10000,
	churnRate: 100, churnTime: time.Minute, fairRate: 20, fairTime: 10 * time.Second,
	gap: time.Second, settle: 2 * time.Second, steady: 15 * time.Second,
}

var small = sizes{
	services: 100, endpoints: 5, moreEndpoints: 10, proxies: 50,
	repeats: 1, stormRepeats: 1, changes: 2, slopeChanges: 10, scopes: 5, scopeHosts: 10,
	interested: 5, fewProxies: 20, manyProxies: 60, memoryProxies: 50, stormProxies: 50,
	churnRate: 50, churnTime: 2 * time.Second, fairRate: 20, fairTime: time.Second,
	gap: 200 * time.Millisecond, settle: 300 * time.Millisecond, steady: time.Second,
}

func (s sizes) String() string {
	return fmt.Sprintf("%d services x %d endpoints, %d proxies, median of %d (the storm: %d)", s.services, s.endpoints, s.proxies, s.repeats, s.stormRepeats)
}

// measure runs experiments. One that fails takes none of the others with it.
func (b *bench) measure(chosen []experiment) {
	began := time.Now()
	for _, e := range chosen {
		for i := range e.repeats(b.sizes) {
			b.logf("%s %d of %d", e.name, i+1, e.repeats(b.sizes))
			if err := e.run(b); err != nil {
				b.result.Failures = append(b.result.Failures, fmt.Sprintf("%s: %v", e.name, err))
				b.logf("%s: %v", e.name, err)
				break
			}
		}
		if b.ctx.Err() != nil {
			break
		}
	}
	b.result.Sizes = b.sizes.String()
	b.result.Took = time.Since(began).Round(time.Second).String()
}
