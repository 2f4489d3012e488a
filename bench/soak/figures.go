package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weft.dev/api/v1alpha1"
)

// figures is what was measured.
type figures struct {
	mu    sync.Mutex
	steps []time.Duration // lateness and length of each
	runs  []time.Duration // of those that succeeded
	good  map[v1alpha1.RunPhase]int
	bad   map[v1alpha1.RunPhase]int
	rss   []float64 // MiB, at each tenth of the releases
}

func newFigures() *figures {
	return &figures{good: map[v1alpha1.RunPhase]int{}, bad: map[v1alpha1.RunPhase]int{}}
}

func (f *figures) took(late, lasted time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, max(late, 0)+lasted)
}

func (f *figures) ended(version string, o *v1alpha1.PipelineRun) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isBad(version) {
		f.bad[o.Status.Phase]++
		return
	}
	f.good[o.Status.Phase]++
	if o.Status.Phase == v1alpha1.RunSucceeded {
		f.runs = append(f.runs, o.Status.Ended.Sub(o.Status.Started.Time))
	}
}

// weigh takes the process's weight at each tenth.
func (f *figures) weigh(n int, p plan) {
	if n%max(1, p.releases/10) != 0 {
		return
	}
	mib := residentMiB()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rss = append(f.rss, mib)
}

func residentMiB() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// quantile of values, which it sorts.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

func (f *figures) table(p plan) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d releases of %d applications in %s, cores: %d; every tenth version is bad\n\n| what | goal | measured |\n|---|---|---|\n", p.releases, p.apps, p.over, runtime.NumCPU())
	row := func(what, goal, measured string) { fmt.Fprintf(&b, "| %s | %s | %s |\n", what, goal, measured) }
	row("a step of a run or a release, from when it was due until it is stored and done: p99", "≤ 2 s", quantile(f.steps, 0.99).Round(time.Millisecond).String())
	row(fmt.Sprintf("the same: median; longest; of %d", len(f.steps)), "", fmt.Sprintf("%s; %s", quantile(f.steps, 0.5).Round(time.Millisecond), quantile(f.steps, 1).Round(time.Millisecond)))
	row("a run that succeeded: median, p99", "", fmt.Sprintf("%s, %s", quantile(f.runs, 0.5).Round(time.Second), quantile(f.runs, 0.99).Round(time.Second)))
	row("good versions taken back", "≤ 1%", fmt.Sprintf("%d of %d", sum(f.good)-f.good[v1alpha1.RunSucceeded], sum(f.good)))
	row("bad versions put into service", "0", fmt.Sprintf("%d of %d", f.bad[v1alpha1.RunSucceeded], sum(f.bad)))
	weights := make([]string, len(f.rss))
	for i, mib := range f.rss {
		weights[i] = fmt.Sprintf("%.0f", mib)
	}
	row("the process, with the API server in it, at each tenth: MiB", "bounded", strings.Join(weights, " "))
	return b.String()
}

func sum(m map[v1alpha1.RunPhase]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// broken is what was promised and did not hold.
func (f *figures) broken(p plan) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var faults []error
	if n := sum(f.good) + sum(f.bad); n != p.releases {
		faults = append(faults, fmt.Errorf("%d of %d runs ended", n, p.releases))
	}
	if n := f.bad[v1alpha1.RunSucceeded]; n > 0 {
		faults = append(faults, fmt.Errorf("%d bad versions went into service", n))
	}
	if back := sum(f.good) - f.good[v1alpha1.RunSucceeded]; back*100 > sum(f.good) {
		faults = append(faults, fmt.Errorf("%d of %d good versions were taken back", back, sum(f.good)))
	}
	return errors.Join(faults...)
}
