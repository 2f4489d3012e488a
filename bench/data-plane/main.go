// data-plane measures what a part of its configuration costs an Envoy: CPU time of its process a request, which other
// load on the machine does not change as it changes times, and the time of an answer. Two groups, each beside an Envoy
// without: what weft adds by itself (counting by route, traces, a tap that nobody looks at), beside the barest Envoy;
// and the policies of policies.txtar, as people write them, at a gateway whose service is called by mTLS. Run by run in
// turn; the medians are told.
//
//	go run ./bench/data-plane [-rounds 15] [-requests 20000]
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"weft.dev/agent/envoy"
)

func main() {
	rounds, requests := flag.Int("rounds", 15, "runs of each kind"), flag.Int("requests", 20_000, "requests in each run")
	flag.Parse()
	if err := measure(*rounds, *requests); err != nil {
		fmt.Fprintln(os.Stderr, "data-plane:", err)
		os.Exit(1)
	}
}

func measure(rounds, requests int) error {
	binary, err := envoy.Find(context.Background(), os.Getenv("WEFT_ENVOY"), slog.Default())
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weft-data-plane-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	world, err := newWorld(dir)
	if err != nil {
		return err
	}
	defer world.close()
	for _, group := range [][]subject{bare(), meshed()} {
		if err := world.compare(binary, dir, group, rounds, requests); err != nil {
			return err
		}
	}
	return nil
}

// compare prints what each of a group costs beside the first.
func (w *world) compare(binary, dir string, group []subject, rounds, requests int) error {
	var proxies []*proxy
	for _, s := range group {
		p, err := w.start(binary, dir, s)
		if err != nil {
			return fmt.Errorf("Envoy %s: %w", s.name, err)
		}
		defer p.stop()
		proxies = append(proxies, p)
	}
	for round := range rounds + 1 {
		fmt.Fprintf(os.Stderr, "round %d of %d, %d Envoys\n", round, rounds, len(proxies))
		for i := range proxies {
			p := proxies[(i+round)%len(proxies)] // none is always the one after another
			if err := p.run(w.request, requests); err != nil {
				return fmt.Errorf("Envoy %s: %w", p.name, err)
			}
			if round == 0 { // it warms up
				p.figures = nil
			}
		}
	}
	first := proxies[0].median(cost)
	for _, p := range proxies {
		if err := p.check(p, uint64((rounds+1)*requests)); err != nil {
			return fmt.Errorf("Envoy %s: %w", p.name, err)
		}
		spent := p.median(cost)
		fmt.Printf("%-38s %6.1f µs of CPU a request, ratio %.3f; answers after %4.0f µs, p99 %5.0f µs\n", p.name, spent, spent/first, p.median(half), p.median(most))
	}
	return nil
}
