// judge sets weft's judge of releases beside Kayenta's and beside a fixed threshold, on the
// same simulated traffic, and prints what each decides, when, and at whose cost: `make bench-judge`.
//
// It exits 1 where weft's judge breaks what it promises: to be wrong of no more than 1 of 100
// releases, those that are as good as the old version and those that are worse all the time.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"

	"weft.dev/bench/page"
	"weft.dev/release"
)

func main() {
	quick := flag.Bool("quick", false, "few runs: that it works")
	runs := flag.Int("runs", 1000, "simulated releases of each kind")
	docs := flag.String("docs", "", "page whose table is replaced; default: print it")
	flag.Parse()
	if *quick {
		*runs = 10
	}
	results := measure(streams(), *runs)
	if err := page.Show(table(results, *runs), *docs, "judge"); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
	if broken := promises(results, *runs); len(broken) > 0 {
		for _, b := range broken {
			fmt.Fprintln(os.Stderr, "judge:", b)
		}
		os.Exit(1)
	}
}

// streams are the kinds of traffic.
func streams() []stream {
	return []stream{
		{name: "as good, errors by chance", old: 0.002, canary: 0.002},
		{name: "as good, outages hit both", old: 0.002, canary: 0.002, shared: 1.5},
		{name: "as good, each side drifts", old: 0.002, canary: 0.002, own: 0.8},
		{name: "0.2% → 2%", old: 0.002, canary: 0.02},
		{name: "0.2% → 2%, outages hit both", old: 0.002, canary: 0.02, shared: 1.5},
		{name: "0.2% → 2%, each side drifts", old: 0.002, canary: 0.02, own: 0.8},
		{name: "0.2% → 1%", old: 0.002, canary: 0.01},
		{name: "0.2% → 20%", old: 0.002, canary: 0.2},
		{name: "5% in every fifth minute", old: 0.002, canary: 0.05, odd: 5},
	}
}

// result is what a judge did with all runs of a stream.
type result struct {
	stream stream
	judge  string
	fails  int
	passes int
	// Of each run until its verdict: seconds, requests that the canary answered, and badly.
	seconds, requests, bad []float64
}

// measure lets every judge see the same runs.
func measure(streams []stream, runs int) []result {
	out := make([]result, 0, len(streams)*len(contestants()))
	for i, s := range streams {
		verdicts := simulate(s, uint64(i), runs)
		for j, c := range contestants() {
			r := result{stream: s, judge: c.name}
			for _, v := range verdicts {
				r.add(v[j])
			}
			out = append(out, r)
		}
	}
	return out
}

// outcome is a verdict with what the canary had answered until then.
type outcome struct {
	verdict
	canary release.Counts
}

func (r *result) add(o outcome) {
	switch o.kind {
	case release.Fail:
		r.fails++
	case release.Pass:
		r.passes++
	}
	r.seconds = append(r.seconds, float64(o.at))
	r.requests = append(r.requests, float64(o.canary.Requests))
	r.bad = append(r.bad, float64(o.canary.Errors))
}

// simulate is the judges' outcomes, by run. A run is the same whatever runs beside it.
func simulate(s stream, number uint64, runs int) [][]outcome {
	out := make([][]outcome, runs)
	var wait sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for run := worker; run < runs; run += runtime.GOMAXPROCS(0) {
				seconds := s.draw(rand.New(rand.NewPCG(uint64(run), number)))
				for _, c := range contestants() {
					v := c.judge(seconds)
					_, _, canary := sum(seconds[:v.at])
					out[run] = append(out[run], outcome{v, canary})
				}
			}
		})
	}
	wait.Wait()
	return out
}

// promises are those that weft's judge broke. It promises nothing for a side that is worse, or seems as good, only
// for a time: what it has seen by then decides.
func promises(results []result, runs int) (broken []string) {
	for _, r := range results {
		if r.judge != contestants()[0].name || r.stream.own > 0 || r.stream.odd > 0 {
			continue
		}
		allowed := max(1, runs/100)
		if !r.stream.worse() && r.fails > allowed {
			broken = append(broken, fmt.Sprintf("%s: %d of %d harmless releases aborted, allowed are %d", r.stream.name, r.fails, runs, allowed))
		}
		if r.stream.worse() && r.stream.shared == 0 && r.passes > allowed {
			broken = append(broken, fmt.Sprintf("%s: %d of %d bad releases passed, allowed are %d", r.stream.name, r.passes, runs, allowed))
		}
	}
	return broken
}

// median of numbers, the upper one of two.
func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[len(sorted)/2]
}
