package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The marks between which a page has the table.
const (
	begin = "<!-- judge: begin -->\n"
	end   = "<!-- judge: end -->"
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

// show puts a table into a page, or on standard output.
func show(table, page string) error {
	if page == "" {
		fmt.Print(table)
		return nil
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s: lacks the marks %q and %q", page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(page, []byte(before+begin+table+end+after), 0o644)
}
