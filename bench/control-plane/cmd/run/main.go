// run measures weft beside its peers and prints the table of figures: `make bench`.
//
// It builds weft, the peer (gcpserver) and the load client, runs the sides alternately on
// loopback, and compares within each repeat: this machine's speed today cancels out. The
// raw figures go to a JSON file. It exits 1 where something was counted wrong (resources,
// not time): then no time means anything.
package main

import (
	"context"
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

func main() {
	quick := flag.Bool("quick", false, "a small mesh, once: that it works and counts right")
	only := flag.String("only", "", "names of experiments, with commas between them; default: all")
	root := flag.String("root", "../..", "weft's source")
	weft := flag.String("weft", "", "binary of weft to measure; default: built from ROOT")
	out := flag.String("out", "", "JSON file of the results; default: ROOT/bench/results/TIME.json, none with -quick")
	print := flag.String("print", "", "print the table of an earlier result as Markdown instead, into")
	docs := flag.String("docs", "", "a page, between its marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *print != "" {
		err = printDocs(*print, *docs)
	} else {
		s := full
		if *quick {
			s = small
		}
		err = measure(ctx, s, strings.FieldsFunc(*only, func(r rune) bool { return r == ',' }), *root, *weft, *out, *quick)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sizes are how much is measured.
type sizes struct {
	services, endpoints, moreEndpoints, proxies int
	repeats, stormRepeats                       int
	changes                                     int // in a series
	scopes, scopeHosts                          int // namespaces, and how many services each sees
	interested, fewProxies, manyProxies         int // of the slope
	memoryProxies, stormProxies                 int
	churnRate, fairRate                         float64 // changes a second
	churnTime, fairTime                         time.Duration
	gap, settle, steady                         time.Duration
}

var full = sizes{
	services: 1000, endpoints: 10, moreEndpoints: 30, proxies: 500,
	repeats: 5, stormRepeats: 3, changes: 5, scopes: 50, scopeHosts: 10,
	interested: 50, fewProxies: 500, manyProxies: 5000, memoryProxies: 5000, stormProxies: 10000,
	churnRate: 100, churnTime: time.Minute, fairRate: 20, fairTime: 10 * time.Second,
	gap: time.Second, settle: 2 * time.Second, steady: 15 * time.Second,
}

var small = sizes{
	services: 100, endpoints: 5, moreEndpoints: 10, proxies: 50,
	repeats: 1, stormRepeats: 1, changes: 2, scopes: 5, scopeHosts: 10,
	interested: 5, fewProxies: 20, manyProxies: 60, memoryProxies: 50, stormProxies: 50,
	churnRate: 50, churnTime: 2 * time.Second, fairRate: 20, fairTime: time.Second,
	gap: 200 * time.Millisecond, settle: 300 * time.Millisecond, steady: time.Second,
}

func (s sizes) String() string {
	return fmt.Sprintf("%d services x %d endpoints, %d proxies, median of %d", s.services, s.endpoints, s.proxies, s.repeats)
}

func measure(ctx context.Context, s sizes, only []string, root, weft, out string, quick bool) error {
	b, err := newBench(ctx, s, root, weft)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	began := time.Now()
	for _, e := range experiments {
		if len(only) > 0 && !slices.Contains(only, e.name) {
			continue
		}
		for i := range e.repeats(s) {
			b.logf("%s %d of %d", e.name, i+1, e.repeats(s))
			if err := e.run(b, i); err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
		}
	}
	b.result.Sizes = s.String()
	b.result.Took = time.Since(began).Round(time.Second).String()
	b.result.judge(s, quick)
	fmt.Print(b.result.table())
	if out == "" && !quick {
		out = filepath.Join(root, "bench", "results", b.result.Machine.Time.UTC().Format("2006-01-02T150405Z")+".json")
	}
	if out != "" {
		if err := b.result.save(out); err != nil {
			return err
		}
		fmt.Println("raw figures:", out)
	}
	if n := len(b.result.Miscounts); n > 0 {
		return fmt.Errorf("%d counts are wrong:\n  %s", n, strings.Join(b.result.Miscounts, "\n  "))
	}
	return nil
}
