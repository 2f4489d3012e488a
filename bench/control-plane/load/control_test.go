package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestCommands drives a fleet by commands against a server that the commands change.
func TestCommands(t *testing.T) {
	addr, by := lists(t)
	fill(t, "vhds", by)
	ctl := httptest.NewServer(changer(by, "vhds"))
	defer ctl.Close()
	spec := "type=vhds,name=svc-0,contains=m-{i}-end"
	in, commands := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Main(t.Context(), []string{"-server", addr, "-n", "20", "-settle", "10ms", "-gap", "10ms", "-control"}, in, out)
		out.CloseWithError(io.EOF)
		ended <- err
	}()
	from := json.NewDecoder(answers)
	ask := func(into any, command string) {
		t.Helper()
		if command != "" {
			if _, err := io.WriteString(commands, command+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		if err := from.Decode(into); err != nil {
			t.Fatal(command, err, <-ended)
		}
	}
	var first InitialSync
	if ask(&first, ""); first.Unsynced != 0 || first.Held["vhds"].Min != services {
		t.Errorf("first sync: %+v", first)
	}
	var idle Traffic
	if ask(&idle, "idle 50ms"); len(idle.Msgs) != 0 || idle.Seconds < 0.05 {
		t.Errorf("idle: %+v", idle)
	}
	var series ChangeSeries
	if ask(&series, "change count=3,"+spec+",http="+ctl.URL+"/?marker=m-{i}-end"); series.Failed != 0 || series.Resources["vhds"] != 1 {
		t.Errorf("changes: %+v", series)
	}
	var churn ChurnReport
	ask(&churn, "churn 200 100ms "+spec+",http="+ctl.URL+"/?marker=m-{i}-end")
	if churn.Changes != 20 || churn.Missing != 0 || len(churn.Slices) != churnSlices || churn.P50 <= 0 || churn.P99 < churn.P50 {
		t.Errorf("churn: %+v", churn)
	}
	answered := make(chan struct{})
	go func() { // the next number is 3 + 20 + 1; it is made anew until the command has been heard
		for n := 0; ; n++ {
			if err := by[vhds].UpdateResource("out/svc-0", vhost(0, fmt.Sprint("m-24-end", n))); err != nil {
				t.Error(err)
			}
			select {
			case <-answered:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	var arrival Arrival
	if ask(&arrival, "await 10s "+spec); !arrival.All || arrival.Index != 24 || arrival.Left != 0 {
		t.Errorf("await: %+v", arrival)
	}
	close(answered)
	commands.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestCommandsRefused(t *testing.T) {
	addr, by := lists(t)
	fill(t, "rds", by)
	for command, want := range map[string]string{
		"jump":                             "none of idle",
		"idle soon":                        "duration",
		"churn fast 1s type=rds,cmd=true":  "positive",
		"churn 10 1s type=rds,cmd=true":    "{i}",
		"change type=rds,contains=x":       "makes the change",
		"await 1s type=nothing,contains=x": "type=nothing",
	} {
		err := Main(t.Context(), []string{"-server", addr, "-n", "1", "-settle", "1ms", "-control"}, strings.NewReader(command+"\n"), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), command) {
			t.Errorf("%s: %v, want %s", command, err, want)
		}
	}
}

func TestGroups(t *testing.T) {
	o, err := parse([]string{"-n", "4", "-groups", "3", "-ns", "n{group}"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range o.n {
		p, err := o.proxy(i)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.node.Id)
	}
	if got := strings.Join(ids, " "); got != "n0/p-00000 n1/p-00001 n2/p-00002 n0/p-00003" {
		t.Error(got)
	}
}

func TestParseRefuses(t *testing.T) {
	for flags, want := range map[string]string{
		"-n 0":                    "-n",
		"-groups 0":               "-groups",
		"-order random":           "-order",
		"-sotw -initial-versions": "delta",
		"-join x -sotw":           "-join",
		"-control -change cmd=t,type=rds,contains=x": "-control",
		"stray": "stray",
	} {
		if _, err := parse(strings.Fields(flags)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", flags, err, want)
		}
	}
}

// TestChurnSeen: a proxy has a change once it has it or a later one.
func TestChurnSeen(t *testing.T) {
	spec, err := parsePredicate("type=eds,name=hot,addr=11.7.{hi}.{lo}:8080")
	if err != nil {
		t.Fatal(err)
	}
	number, err := spec.reader()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	c := &churn{typ: eds, name: "hot", number: number, first: 600}
	c.made = make([]atomic.Int64, 6)
	for i := range c.made {
		c.made[i].Store(now.Add(-10 * time.Millisecond).UnixNano())
	}
	show := func(t, had int, name, address string) int {
		body := append([]byte("10.11.7.9 "), socketAddress(address, 8080)...)
		return c.seen(t, []resource{{name: name, body: body}}, had, now)
	}
	for _, x := range []struct {
		typ, had      int
		name, address string
		want          int
	}{
		{cds, 0, "hot", "11.7.2.101", 0},  // not the type
		{eds, 0, "cold", "11.7.2.101", 0}, // not the resource
		{eds, 0, "hot", "11.7.2.100", 0},  // 599: from before
		{eds, 0, "hot", "11.7.2.101", 1},  // 600: the first
		{eds, 1, "hot", "11.7.2.101", 1},  // again
		{eds, 1, "hot", "11.7.2.104", 4},  // skipped two
		{eds, 4, "hot", "11.7.2.102", 4},  // an old one
		{eds, 4, "hot", "11.7.2.250", 6},  // more than there are
		{eds, 4, "hot", "11.8.2.104", 4},  // another address
	} {
		if got := show(x.typ, x.had, x.name, x.address); got != x.want {
			t.Errorf("%+v: has %d", x, got)
		}
	}
	r := c.report()
	if r.P50 < 10 || r.P50 > 10.3 || r.Max < r.P50 {
		t.Errorf("%+v", r)
	}
}

func TestExpandPair(t *testing.T) {
	for i := range 2000 {
		hi, rest, _ := leadingNumber([]byte(Expand("{hi}.{lo}", i)))
		lo, _, ok := leadingNumber(rest[1:])
		if !ok || lo < 1 || lo > 255 || unexpand(hi, lo) != i {
			t.Fatalf("%d: %d %d", i, hi, lo)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h, other histogram
	for i := range 1000 {
		(&h).add(int64(i+1) * int64(time.Millisecond))
	}
	other.add(int64(time.Hour))
	for q, want := range map[float64]float64{.5: 500, .99: 990, 1: 1000} {
		if got := h.quantile(q); math.Abs(got-want) > want*0.025 {
			t.Errorf("quantile %v: %v ms, want %v", q, got, want)
		}
	}
	h.merge(&other)
	if got := h.quantile(1); got < 60*60*1000 {
		t.Errorf("an hour is %v ms", got)
	}
	if got := new(histogram).quantile(.5); got != 0 {
		t.Errorf("nothing is %v ms", got)
	}
}

func TestProcCounts(t *testing.T) {
	before := cpuSeconds(os.Getpid())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
	}
	if used := cpuSeconds(os.Getpid()) - before; used <= 0 {
		t.Errorf("spinning took %v s", used)
	}
	if p := ProcStat(os.Getpid()); p.RSSMiB <= 0 || p.HWMMiB < p.RSSMiB {
		t.Errorf("%+v", p)
	}
}
