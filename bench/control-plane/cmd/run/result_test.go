package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func line(t *testing.T, r *result, name string) Line {
	for _, l := range r.Lines {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("no line %q", name)
	return Line{}
}

// TestJudge: the median of the ratios decides, not the ratio of the medians.
func TestJudge(t *testing.T) {
	var r result
	for _, s := range []Sample{{1, 10}, {6, 10}, {50, 100}} {
		r.add("sync cpu", s.Ours, s.Theirs)
	}
	r.add("endpoint cpu", 3, 0) // the peer took no time at all: that proves nothing
	r.add("nothing", 0, 0)
	r.add("route bytes", 5001, 550_000)
	r.add("sync time", 9, 1)
	r.judge(full, false)
	for name, want := range map[string]struct {
		median  float64
		verdict string
	}{
		"sync cpu": {.5, "ok"}, "endpoint cpu": {worst, "MISSED"}, "nothing": {0, "ok"}, "route bytes": {5001, "MISSED"}, "sync time": {9, ""},
	} {
		if l := line(t, &r, name); l.Median != want.median || l.Verdict != want.verdict {
			t.Errorf("%s: %v %q, want %v", name, l.Median, l.Verdict, want)
		}
	}
	if l := line(t, &r, "sync cpu"); l.Min != .1 || l.Max != .6 {
		t.Errorf("%v to %v", l.Min, l.Max)
	}
	if len(r.Lines) != 5 {
		t.Errorf("%d lines: one that was not measured is no line", len(r.Lines))
	}
}

func TestGoalsAreOfTheirSizes(t *testing.T) {
	var r result
	for _, g := range goals {
		r.add(g.name, 1, 1)
	}
	r.judge(small, true)
	for _, l := range r.Lines {
		if strings.ContainsAny(l.What, "{}") || l.Verdict != "" {
			t.Errorf("%+v", l)
		}
	}
	if text := r.table(); !strings.Contains(text, "20 → 60 proxies, the same 5 interested") || strings.Contains(text, "≤") {
		t.Error(text)
	}
}

func TestCounts(t *testing.T) {
	var r result
	r.expect(2, 2, "fine")
	r.carries("fine", map[string]float64{"eds": 1}, "eds")
	if len(r.Miscounts) != 0 {
		t.Error(r.Miscounts)
	}
	r.expect(1, 2, "short")
	r.carries("none", nil, "eds")
	r.carries("twice", map[string]float64{"eds": 2}, "eds")
	r.carries("more", map[string]float64{"eds": 1, "cds": 1}, "eds")
	r.carries("other", map[string]float64{"cds": 1}, "eds")
	if len(r.Miscounts) != 5 || r.wrong() == nil {
		t.Error(r.Miscounts, r.wrong())
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(experiments) {
		t.Error(all, err)
	}
	if some, err := choose("storm,slope"); err != nil || len(some) != 2 || some[0].name != "storm" {
		t.Error(some, err)
	}
	if _, err := choose("storm,typo"); err == nil || !strings.Contains(err.Error(), "slope") {
		t.Error(err)
	}
}

func TestSaveAndPrint(t *testing.T) {
	r := result{Machine: Machine{CPU: "Example 3000", Cores: 2, Time: time.Unix(0, 0), Versions: map[string]string{"weft": "v1"}}}
	r.add("endpoint time", 2, 100)
	r.judge(full, false)
	dir := t.TempDir()
	saved, page := filepath.Join(dir, "results", "1.json"), filepath.Join(dir, "page.md")
	if err := r.save(saved); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte("Before.\n"+tableBegins+"old\n"+tableEnds+"\nAfter.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // printing again changes nothing
		if err := printTable(saved, page); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"Before.\n", "\nAfter.\n", "Example 3000", "weft: v1", "| ≤ 0.03 | 0.02     | 0.02 to 0.02 | 2 ms / 100 ms | ok |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "old") {
		t.Error("the old table is still there")
	}
	if err := os.WriteFile(page, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := printTable(saved, page); err == nil || !strings.Contains(err.Error(), "marks") {
		t.Error(err)
	}
}

func TestSteady(t *testing.T) {
	values := []float64{100, 80, 80, 70, 70, 70}
	got, err := steady(t.Context(), time.Nanosecond, func() float64 {
		v := values[0]
		if len(values) > 1 {
			values = values[1:]
		}
		return v
	})
	if err != nil || got != 70 {
		t.Error(got, err)
	}
	grows := 1.0
	if got, err := steady(t.Context(), time.Nanosecond, func() float64 { grows *= 2; return grows }); err != nil || got != grows {
		t.Error(got, err) // it is not waited for forever
	}
}

// TestNarrow: namespaces see as many services as they should, and only nhot the one that changes.
func TestNarrow(t *testing.T) {
	b := &bench{sizes: full}
	scopes := b.narrow()
	if len(scopes) != full.scopes+1 {
		t.Fatalf("%d namespaces", len(scopes))
	}
	for _, s := range scopes {
		hot := strings.Contains(s.Namespace, "hot")
		sees := false
		for _, i := range s.Services {
			sees = sees || i == 1
		}
		if len(s.Services) != full.scopeHosts || sees != hot {
			t.Errorf("%+v", s)
		}
	}
	for _, s := range b.stormScopes() {
		if s.Namespace != "nwitness" && s.Services[0] != 1 {
			t.Errorf("%+v does not see the change", s)
		}
	}
}
