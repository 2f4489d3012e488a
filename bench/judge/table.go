package main

import (
	"fmt"
	"strings"
	"time"
)

// table is the results as Markdown.
func table(results []result, runs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs of each; %d requests a second, %v%% of them to the canary; `go run ./bench/judge`\n\n", runs, rps, 100*share)
	b.WriteString("| canary | judge | aborted | passed | undecided | time | its requests | answered badly |\n|---|---|---|---|---|---|---|---|\n")
	last := ""
	for _, r := range results {
		name := r.stream.name
		if name == last {
			name = ""
		}
		last = r.stream.name
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.0f | %.0f |\n", name, r.judge,
			part(r.fails, runs), part(r.passes, runs), part(runs-r.fails-r.passes, runs),
			time.Duration(median(r.seconds))*time.Second, median(r.requests), median(r.bad))
	}
	return b.String()
}

func part(n, of int) string { return fmt.Sprintf("%.4g%%", 100*float64(n)/float64(of)) }
