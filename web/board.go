package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"weft.dev/metrics"
	"weft.dev/metrics/board"
)

// Series is what is known of the past in numbers. An error says why nothing is.
type Series interface {
	// Lines answer PromQL, a value for each step; times are whole steps.
	Lines(ctx context.Context, query string, over metrics.Span) ([]metrics.Line, error)
	// Values of a label, of series that match, sorted.
	Values(ctx context.Context, label, match string, over metrics.Span) ([]string, error)
	Interval() time.Duration // between two samples
}

const (
	usualRange = time.Hour
	mostRange  = 31 * 24 * time.Hour
	perPanel   = 240 // points of a line, at most
	mostLines  = 12  // of a panel
	mostMarks  = 50
)

// Board is a dashboard, with what its panels show.
type Board struct {
	Name      string     `json:"name"`
	Title     string     `json:"title"`
	Others    []Named    `json:"others"` // all there are
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Step      float64    `json:"step"` // seconds between two values
	Variables []Variable `json:"variables"`
	Panels    []Panel    `json:"panels"`
	Marks     []Mark     `json:"marks"`         // what happened meanwhile, the oldest first
	Why       string     `json:"why,omitempty"` // nothing, or not everything, is shown
}

// Named is a dashboard by its name.
type Named struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

// Variable is what is chosen on a dashboard.
type Variable struct {
	Name   string   `json:"name"`
	Value  string   `json:"value"`
	Values []string `json:"values"`
}

// Panel is values over time.
type Panel struct {
	Title string `json:"title"`
	Help  string `json:"help,omitempty"`
	Unit  string `json:"unit"` // as Grafana names it
	Lines []Line `json:"lines"`
	More  int    `json:"more"` // lines that found no room
}

// Line is a series: values, each at a number of steps from the beginning.
type Line struct {
	Name   string    `json:"name"`
	At     []int     `json:"at"`
	Values []float64 `json:"values"`
}

// showBoard draws one of board.All: its variables are the query's, the first value that there is, else.
func showBoard(mesh Mesh, r *http.Request, now time.Time) (any, error) {
	name := r.PathValue("name")
	all := board.All()
	i := slices.IndexFunc(all, func(b board.Board) bool { return b.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("dashboard %s: %w", name, ErrNotFound)
	}
	if at, err := timeOf(r); err != nil {
		return nil, err
	} else if !at.IsZero() {
		now = at
	}
	over, err := spanOver(r, mesh.Series.Interval(), now)
	if err != nil {
		return nil, err
	}
	d := &drawing{mesh: mesh, over: over, chosen: []string{"$__rate_interval", max(4*mesh.Series.Interval(), over.Step).String()}}
	shown := Board{
		Name: name, Title: all[i].Title, From: over.From.UTC(), To: over.To.UTC(), Step: over.Step.Seconds(),
		Variables: []Variable{}, Panels: []Panel{},
	}
	for _, b := range all {
		shown.Others = append(shown.Others, Named{b.Name, b.Title})
	}
	for _, v := range all[i].Variables {
		shown.Variables = append(shown.Variables, d.choose(r, v))
	}
	for _, p := range all[i].Panels {
		shown.Panels = append(shown.Panels, d.panel(r.Context(), p))
	}
	shown.Marks = orEmpty(d.marks(r.Context(), shown.Variables))
	shown.Why = cmp.Or(d.why, d.full(r.Context()))
	return shown, nil
}

// spanOver is the time that is asked for, in whole steps: so the next picture has the same points.
func spanOver(r *http.Request, interval time.Duration, now time.Time) (metrics.Span, error) {
	back := usualRange
	if text := r.URL.Query().Get("range"); text != "" {
		var err error
		if back, err = time.ParseDuration(text); err != nil || back < time.Minute || back > mostRange {
			return metrics.Span{}, Invalid("range %q: want a duration from 1m to %s, e.g. 6h", text, mostRange)
		}
	}
	step := max(interval, back/perPanel).Round(time.Second)
	to := now.Truncate(step)
	return metrics.Span{From: to.Add(-back.Truncate(step)), To: to, Step: step}, nil
}

// drawing is one board while it is drawn. The first error that there is is that of all.
type drawing struct {
	mesh   Mesh
	over   metrics.Span
	chosen []string // old and new, of texts in queries
	why    string
}

func (d *drawing) in(query string) string { return strings.NewReplacer(d.chosen...).Replace(query) }

// quoted is a value between the quotes of a query.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (d *drawing) choose(r *http.Request, v board.Variable) Variable {
	values, err := d.mesh.Series.Values(r.Context(), v.Label, d.in(v.Match), d.over)
	d.failed(err)
	chosen := r.URL.Query().Get(v.Name)
	if chosen == "" && len(values) > 0 {
		chosen = values[0]
	}
	d.chosen = append(d.chosen, "$"+v.Name, quoted.Replace(chosen))
	return Variable{v.Name, chosen, orEmpty(values)}
}

func (d *drawing) failed(err error) {
	if err != nil && d.why == "" {
		d.why = err.Error()
	}
}

func (d *drawing) panel(ctx context.Context, p board.Panel) Panel {
	shown := Panel{Title: p.Title, Help: p.Help, Unit: string(p.Unit)}
	for _, q := range p.Queries {
		for _, l := range d.lines(ctx, q.Expr) {
			shown.Lines = append(shown.Lines, Line{legend(q.Legend, l.Labels), l.At, l.Values})
		}
	}
	slices.SortStableFunc(shown.Lines, func(a, b Line) int { return cmp.Compare(slices.Max(b.Values), slices.Max(a.Values)) })
	shown.More = max(0, len(shown.Lines)-mostLines)
	shown.Lines = first(shown.Lines, mostLines)
	return shown
}

// lines are none where there was an error before: it would be the same one.
func (d *drawing) lines(ctx context.Context, query string) []metrics.Line {
	if d.why != "" {
		return nil
	}
	lines, err := d.mesh.Series.Lines(ctx, d.in(query), d.over)
	d.failed(err)
	return lines
}

// legend has the values of labels in it.
func legend(text string, labels map[string]string) string {
	var named []string
	for label, value := range labels {
		named = append(named, "{{"+label+"}}", value)
	}
	text = strings.NewReplacer(named...).Replace(text)
	for { // of a label that it has not
		before, rest, found := strings.Cut(text, "{{")
		_, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			return strings.TrimSpace(text)
		}
		text = before + after
	}
}

// marks are the releases of the namespace that is chosen, of all where none is, and when proxies began to refuse.
func (d *drawing) marks(ctx context.Context, chosen []Variable) []Mark {
	marks := releaseMarks(slices.DeleteFunc(slices.Clone(d.mesh.Releases()), func(r Release) bool {
		return slices.ContainsFunc(chosen, func(v Variable) bool { return v.Name == "namespace" && v.Value != r.Namespace })
	}), d.over.From)
	for _, l := range d.lines(ctx, "sum(weft_resources_refused)") {
		for i, n := range l.Values {
			if n > 0 && (i == 0 || l.Values[i-1] == 0) {
				at := d.over.From.Add(time.Duration(l.At[i]) * d.over.Step).UTC()
				marks = append(marks, Mark{at, Bad, "proxies refuse what they are sent", "fleet"})
			}
		}
	}
	slices.SortStableFunc(marks, func(a, b Mark) int { return a.Time.Compare(b.Time) })
	return marks[max(0, len(marks)-mostMarks):]
}

// full says that there is more than the budget has room for.
func (d *drawing) full(ctx context.Context) string {
	for _, l := range d.lines(ctx, "max(weft_metrics_series_refused)") {
		if n := l.Values[len(l.Values)-1]; n > 0 {
			return fmt.Sprintf("The budget of metrics is full: %.0f series found no room, and what they count is not shown. weft serve --metrics-series raises it.", n)
		}
	}
	return d.why
}
