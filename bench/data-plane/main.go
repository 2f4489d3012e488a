// data-plane measures what counting requests by route, telling of them and a tap that nobody looks at cost an
// Envoy: CPU time of its process a request, which other load on the machine does not change as it changes
// times, beside one that does nothing of it. Run by run in turn; the median is told.
//
//	go run ./bench/data-plane [-rounds 15] [-requests 20000]
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"

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
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_ = http.Serve(backend, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	}()
	dir, err := os.MkdirTemp("", "weft-data-plane-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var proxies []*proxy
	for _, k := range kinds {
		p, err := start(binary, dir, k, backend.Addr().(*net.TCPAddr).Port)
		if err != nil {
			return fmt.Errorf("Envoy %s: %w", k.name, err)
		}
		defer p.stop()
		proxies = append(proxies, p)
	}
	for round := range rounds + 1 {
		for _, p := range proxies {
			spent, err := p.run(requests)
			if err != nil {
				return fmt.Errorf("Envoy %s: %w", p.name, err)
			}
			if round > 0 { // the first warms up
				p.spent = append(p.spent, spent/float64(requests))
			}
		}
	}
	plain := median(proxies[0].spent)
	for _, p := range proxies {
		if err := p.check(uint64((rounds + 1) * requests)); err != nil {
			return err
		}
		fmt.Printf("%-28s %5.1f µs of CPU a request, ratio %.3f\n", p.name, median(p.spent), median(p.spent)/plain)
	}
	return nil
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
