package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// goal is one line of the table.
type goal struct {
	name string
	what string  // with sizes in braces
	most float64 // of the median; 0 with unit bytes: none at all
	unit string  // of the figure: "x" is a ratio
	of   string  // unit of what a ratio is made of
	info bool    // nothing is promised
}

var goals = []goal{
	{name: "sync cpu", what: "first sync, all see all: CPU, weft / peer", most: 0.6, unit: "x", of: "s"},
	{name: "sync time", what: "the same: time", unit: "x", of: "s", info: true},
	{name: "sync floor", what: "the same by a server that only sends bytes that are ready: CPU", unit: "x", of: "s", info: true},
	{name: "scoped cpu", what: "first sync scoped to {hosts} services a proxy, / peer that gives all: CPU", most: 0.03, unit: "x", of: "s"},
	{name: "scoped bytes", what: "the same: bytes a proxy", most: 0.03, unit: "x", of: "B"},
	{name: "scoped floor", what: "the same by a server that only sends bytes that are ready: CPU", unit: "x", of: "s", info: true},
	{name: "endpoint time", what: "endpoint change until the last proxy: time, weft / peer", most: 0.03, unit: "x", of: "ms"},
	{name: "endpoint cpu", what: "the same: CPU", most: 0.03, unit: "x", of: "ms"},
	{name: "endpoint floor time", what: "the same by a server that only sends: time", unit: "x", of: "ms", info: true},
	{name: "endpoint floor cpu", what: "the same: CPU", unit: "x", of: "ms", info: true},
	{name: "route time", what: "route change until the last proxy: time, weft / peer", most: 0.1, unit: "x", of: "ms"},
	{name: "route cpu", what: "the same: CPU", most: 0.3, unit: "x", of: "ms"},
	{name: "route bytes", what: "the same: bytes a proxy", most: 5000, unit: "B", of: "B"},
	{name: "churn p99", what: "{rate} endpoint changes a second for {churn}: p99 over changes and proxies", most: 150, unit: "ms"},
	{name: "churn growth", what: "the same: median latency of the last sixth / of the first", most: 1.2, unit: "x", of: "ms"},
	{name: "slope cpu", what: "{few} → {many} proxies, the same {interested} interested: CPU of a change", most: 1.1, unit: "x", of: "ms"},
	{name: "slope time", what: "the same: time until the last of them", most: 1.1, unit: "x", of: "ms"},
	{name: "nothing", what: "label that nobody selects on; a file written again as it is", most: 0, unit: "B"},
	{name: "memory proxy", what: "memory of a connected scoped proxy", most: 60, unit: "KiB"},
	{name: "memory endpoint", what: "memory of an endpoint", most: 300, unit: "B"},
	{name: "storm time", what: "{storm} proxies reconnect with TLS after a restart: all current", most: 120, unit: "s"},
	{name: "storm memory", what: "the same: peak memory", most: 2000, unit: "MB"},
	{name: "storm others", what: "the same: p99 of others' changes meanwhile", most: 5000, unit: "ms"},
	{name: "stopped", what: "5% of clients stopped by SIGSTOP: p99 of the others, / none stopped", most: 1.1, unit: "x", of: "ms"},
	{name: "istiod sync", what: "first sync, all see all: CPU, weft / istiod cold", most: 0.05, unit: "x", of: "s"},
	{name: "istiod endpoint", what: "endpoint change until the last proxy: time, weft / istiod", most: 0.15, unit: "x", of: "ms"},
	{name: "istiod route", what: "route change until the last proxy: time, weft / istiod", most: 0.02, unit: "x", of: "ms"},
}

// Sample is one repeat: a figure of ours and, where it is compared, what it is compared with.
type Sample struct {
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs,omitempty"`
}

// Line is a goal and what was measured.
type Line struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	Goal    float64  `json:"goal"`
	Unit    string   `json:"unit"`
	Of      string   `json:"of,omitempty"`
	Median  float64  `json:"median"`
	Min     float64  `json:"min"`
	Max     float64  `json:"max"`
	Verdict string   `json:"verdict"` // ok, MISSED, or "" where nothing is promised
	Samples []Sample `json:"samples"`
}

// result is everything that a run found.
type result struct {
	Machine   Machine          `json:"machine"`
	Sizes     string           `json:"sizes"`
	Took      string           `json:"took"`
	Lines     []Line           `json:"lines"`
	Miscounts []string         `json:"miscounts"` // what proxies got that they should not have got, or the reverse
	Failures  []string         `json:"failures"`  // experiments that did not end
	Raw       map[string][]any `json:"raw"`

	samples map[string][]Sample
}

// add notes one repeat of a goal's figure.
func (r *result) add(name string, ours, theirs float64) {
	if r.samples == nil {
		r.samples = map[string][]Sample{}
	}
	r.samples[name] = append(r.samples[name], Sample{ours, theirs})
}

// raw keeps what a figure was taken from.
func (r *result) raw(name string, x any) {
	if r.Raw == nil {
		r.Raw = map[string][]any{}
	}
	r.Raw[name] = append(r.Raw[name], x)
}

// expect notes a count that is not what it must be.
func (r *result) expect(got, want float64, what string) {
	if got != want {
		r.Miscounts = append(r.Miscounts, fmt.Sprintf("%s: %v, want %v", what, got, want))
	}
}

// carries expects that a change sends one resource of one type to each proxy, and nothing else.
func (r *result) carries(who string, resources map[string]float64, kind string) {
	if len(resources) != 1 || resources[kind] != 1 {
		r.Miscounts = append(r.Miscounts, fmt.Sprintf("%s change: resources for each proxy: %v, want %s:1 only", who, resources, kind))
	}
}

// gives expects that each proxy of a side holds what one of the peer's holds.
func (r *result) gives(who, peer side) {
	for _, kind := range []string{"cds", "eds", "lds"} {
		held := who.First.Held[kind]
		r.expect(held.Mean, peer.First.Held[kind].Mean, "resources held by each proxy: "+kind+" from "+who.Server+", as from the peer")
		r.expect(float64(held.Max-held.Min), 0, "difference between proxies that see the same from "+who.Server+": "+kind)
	}
}

// wrong is why no figure of the run can be trusted.
func (r *result) wrong() error {
	if all := slices.Concat(r.Failures, r.Miscounts); len(all) > 0 {
		return fmt.Errorf("experiments that failed: %d, counts that are wrong: %d\n  %s", len(r.Failures), len(r.Miscounts), strings.Join(all, "\n  "))
	}
	return nil
}

// judge makes the lines of what was measured. Goals are of the full size.
func (r *result) judge(s sizes, quick bool) {
	size := strings.NewReplacer("{hosts}", fmt.Sprint(s.scopeHosts), "{rate}", fmt.Sprint(s.churnRate), "{churn}", s.churnTime.String(),
		"{few}", fmt.Sprint(s.fewProxies), "{many}", fmt.Sprint(s.manyProxies), "{interested}", fmt.Sprint(s.interested), "{storm}", fmt.Sprint(s.stormProxies))
	for _, g := range goals {
		samples := r.samples[g.name]
		if len(samples) == 0 {
			continue
		}
		l := Line{Name: g.name, What: size.Replace(g.what), Goal: g.most, Unit: g.unit, Of: g.of, Samples: samples}
		var values []float64
		for _, s := range samples {
			values = append(values, g.value(s))
		}
		l.Median, l.Min, l.Max = median(values), slices.Min(values), slices.Max(values)
		switch {
		case g.info || quick:
		case l.Median <= g.most:
			l.Verdict = "ok"
		default:
			l.Verdict = "MISSED"
		}
		r.Lines = append(r.Lines, l)
	}
}

// value of a sample. A ratio to nothing is not a small one.
func (g goal) value(s Sample) float64 {
	if g.unit != "x" {
		return s.Ours
	}
	if s.Theirs <= 0 {
		return worst
	}
	return s.Ours / s.Theirs
}

// worst stands for a ratio that cannot be told: JSON has no infinity.
const worst = 1e9

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// table is for a terminal and for Markdown.
func (r *result) table() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d cores, %s, Linux %s; load before %s; %s, took %s\n\n", m.CPU, m.Cores, m.Memory, m.Kernel, m.LoadBefore,
		m.Time.UTC().Format("2006-01-02 15:04 MST"), r.Took)
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		fmt.Fprintf(&b, "%s: %s  \n", name, m.Versions[name])
	}
	fmt.Fprintf(&b, "%s\n\n", r.Sizes)
	rows := [][]string{{"what", "goal", "measured", "min to max", "from", ""}, nil}
	for _, l := range r.Lines {
		rows = append(rows, l.cells())
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		for i, w := range width {
			if row == nil {
				fmt.Fprintf(&b, "|%s", strings.Repeat("-", w+2))
			} else {
				fmt.Fprintf(&b, "| %-*s ", w, row[i])
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

func (l Line) cells() []string {
	goal, from := "≤ "+number(l.Goal, l.Unit), ""
	if l.Verdict == "" {
		goal = ""
	}
	var ours, theirs []float64
	for _, s := range l.Samples {
		ours, theirs = append(ours, s.Ours), append(theirs, s.Theirs)
	}
	if l.Of != "" {
		from = number(median(ours), l.Of) + " / " + number(median(theirs), l.Of)
	}
	return []string{l.What, goal, number(l.Median, l.Unit), number(l.Min, l.Unit) + " to " + number(l.Max, l.Unit), from, l.Verdict}
}

// number has three digits that count.
func number(x float64, unit string) string {
	text := fmt.Sprintf("%.3g", x)
	switch {
	case x >= worst:
		return "?"
	case x >= 100 || x <= -100:
		text = fmt.Sprintf("%.0f", x)
	}
	if unit == "x" {
		return text
	}
	return text + " " + unit
}

func (r *result) save(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// The marks between which a page has the table of a run.
const (
	tableBegins = "<!-- bench: begin -->\n"
	tableEnds   = "<!-- bench: end -->"
)

// printTable puts the table of an earlier result into a page, or on standard output.
func printTable(from, page string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var r result
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if page == "" {
		fmt.Print(r.table())
		return nil
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		return fmt.Errorf("%s: lacks the marks %q and %q", page, strings.TrimSpace(tableBegins), tableEnds)
	}
	return os.WriteFile(page, []byte(before+tableBegins+r.table()+tableEnds+after), 0o644)
}
