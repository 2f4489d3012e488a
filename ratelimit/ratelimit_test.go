package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"testing"
	"time"

	entryv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	servicev3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"weft.dev/model"
)

var began = time.Unix(1_800_000_000, 0)

// reference is a bucket of fractions: it has so many requests, and fills evenly.
type reference struct {
	rate Rate
	has  *big.Rat
	at   int64
}

func (r *reference) take(hits uint32, now int64) bool {
	filled := new(big.Rat).SetFrac64(now-r.at, r.rate.gap())
	r.has.Add(r.has, filled)
	if most := new(big.Rat).SetInt64(int64(r.rate.Burst)); r.has.Cmp(most) > 0 {
		r.has = most
	}
	r.at = now
	want := new(big.Rat).SetInt64(int64(hits))
	if r.has.Cmp(want) < 0 {
		return false
	}
	r.has.Sub(r.has, want)
	return true
}

// One time stands for a bucket that is counted in fractions, whatever comes when.
func TestBucketIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{
			Requests: rapid.Uint32Range(1, 1_000_000).Draw(t, "requests"), Burst: rapid.Uint32Range(1, 50).Draw(t, "burst"),
			Per: rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "per"),
		}
		m, now := NewMemory(1000), began
		ref := reference{rate, new(big.Rat).SetInt64(int64(rate.Burst)), now.UnixNano()}
		for range rapid.IntRange(1, 100).Draw(t, "asks") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3*rate.gap()).Draw(t, "after")))
			hits := rapid.Uint32Range(1, 3).Draw(t, "hits")
			got, err := m.Take(t.Context(), []Ask{{Budget: "b", Rate: rate, Hits: hits}}, now)
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			if want := ref.take(hits, now.UnixNano()); got[0].Allowed != want {
				t.Fatalf("at %v: allowed %v, want %v (%v)", now, got[0].Allowed, want, ref.has)
			}
			if !got[0].Allowed && hits <= rate.Burst { // who waits as long as is said is let in, and not a moment sooner
				sooner := Ask{Budget: "b", Rate: rate, Hits: hits}
				if d, _ := m.Take(t.Context(), []Ask{sooner}, now.Add(got[0].Wait-1)); d[0].Allowed {
					t.Fatalf("let in before %v had passed", got[0].Wait)
				}
				now = now.Add(got[0].Wait)
				ref.take(hits, now.UnixNano())
				if d, _ := m.Take(t.Context(), []Ask{sooner}, now); !d[0].Allowed {
					t.Fatalf("not let in after %v", got[0].Wait)
				}
			}
		}
	})
}

// In any window there are never more than what the bucket holds and what comes to it meanwhile.
func TestNoDoubleBurstAtAnEdge(t *testing.T) {
	m, rate := NewMemory(10), Rate{Requests: 10, Per: time.Minute, Burst: 10}
	allowed := 0
	for at := 59 * time.Second; at < 61*time.Second; at += 10 * time.Millisecond { // around the edge of a minute
		d, _ := m.Take(t.Context(), []Ask{{Budget: "b", Rate: rate, Hits: 1}}, began.Truncate(time.Minute).Add(at))
		if d[0].Allowed {
			allowed++
		}
	}
	if allowed != 10 {
		t.Errorf("%d requests within two seconds, want the 10 that the bucket holds", allowed)
	}
}

// What one refuses does not count for those behind it, unless it is on trial.
func TestRefusalsCountOnce(t *testing.T) {
	m := NewMemory(10)
	own, all := Ask{Budget: "own", Rate: Rate{1, time.Hour, 1}, Hits: 1}, Ask{Budget: "all", Rate: Rate{10, time.Hour, 10}, Hits: 1}
	for range 50 {
		_, _ = m.Take(t.Context(), []Ask{own, all}, began)
	}
	if d, _ := m.Take(t.Context(), []Ask{all}, began); !d[0].Allowed || d[0].Remaining != 8 {
		t.Errorf("%+v: one of 51 requests came to the second budget, and this one", d)
	}
	own.Shadow = true
	if d, _ := m.Take(t.Context(), []Ask{own, all}, began); len(d) != 2 || d[0].Allowed || !d[1].Allowed {
		t.Errorf("%+v: a limit on trial ends nothing", d)
	}
}

// A million budgets have their place, and those beyond take that of others, one each, in bounded memory.
func TestMillionBudgets(t *testing.T) {
	const most = 1_000_000
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	m, rate := NewMemory(most), Rate{Requests: 1, Per: time.Hour, Burst: 1}
	fill := func(name string, now time.Time, budgets int) {
		for i := range budgets {
			_, _ = m.Take(t.Context(), []Ask{{Budget: fmt.Sprint(name, i), Rate: rate, Hits: 1}}, now)
		}
	}
	fill("a", began, most)
	took := int64(heap()-before) / most
	t.Logf("%d budgets of %d bytes", m.Len(), took)
	if m.Len() > most || m.Len() < most*98/100 || took > 120 {
		t.Errorf("%d budgets of %d bytes, want almost %d of at most 120", m.Len(), took, most)
	}
	fill("b", began.Add(time.Minute), most/10) // shards that others fill up have room left
	if evicted := int(m.Evicted()); evicted < most/10 || evicted > most/10+most/100 || m.Len() > most {
		t.Errorf("%d budgets, and %d evicted by %d that found no room", m.Len(), evicted, most/10)
	}
	evicted := m.Evicted()
	fill("c", began.Add(3*time.Hour), most/10) // all are full by now: nobody lost anything
	if m.Evicted() != evicted || m.Len() > most {
		t.Errorf("%d were evicted that were not full", m.Evicted()-evicted)
	}
	runtime.KeepAlive(m)
}

// crew are servers that share budgets.
func crew(names ...string) map[string]*Shared {
	all := map[string]*Shared{}
	for _, name := range names {
		all[name] = &Shared{Own: NewMemory(1000), Self: name}
		all[name].Others = func() (others []string) {
			for _, o := range names {
				if o != name {
					others = append(others, o)
				}
			}
			return others
		}
		all[name].Ask = func(ctx context.Context, who string, asks []Ask, now time.Time) ([]Decision, error) {
			if all[who] == nil {
				return nil, errors.New("gone")
			}
			return all[who].Own.Take(ctx, asks, now)
		}
	}
	return all
}

// Whichever server is asked, together they let in what one would.
func TestServersAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		servers := crew("weft-0", "weft-1", "weft-2")
		alone, now := NewMemory(1000), began
		for range rapid.IntRange(1, 60).Draw(t, "asks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "after")) * time.Millisecond)
			var asks []Ask
			for range rapid.IntRange(1, 3).Draw(t, "budgets") {
				asks = append(asks, Ask{Budget: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "budget"), Rate: Rate{1, time.Second, 2}, Hits: 1, Shadow: rapid.Bool().Draw(t, "shadow")})
			}
			at := servers[rapid.SampledFrom([]string{"weft-0", "weft-1", "weft-2"}).Draw(t, "at")]
			got, err := at.Take(t.Context(), asks, now)
			want, _ := alone.Take(t.Context(), asks, now)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%v, %v; want %v", got, err, want)
			}
		}
	})
}

// A server that is gone takes its budgets with it, and nobody else's; while the others still think that it is
// there, each counts for itself.
func TestServerGone(t *testing.T) {
	names, moved := []string{"weft-0", "weft-1", "weft-2"}, 0
	s, share := crew(names...)["weft-0"], map[string]int{}
	for i := range 3000 {
		budget := fmt.Sprint("budget", i)
		before := s.owner([]string{"weft-1", "weft-2"}, budget)
		share[before]++
		if after := s.owner([]string{"weft-1"}, budget); before != "weft-2" && after != before {
			moved++
		}
	}
	if moved > 0 || share["weft-0"] < 850 || share["weft-1"] < 850 || share["weft-2"] < 850 {
		t.Errorf("%d moved that were not of who is gone; shares %v", moved, share)
	}
	servers := crew(names...)
	delete(servers, "weft-2")
	s, allowed := servers["weft-0"], 0
	for i := range 300 {
		d, err := s.Take(t.Context(), []Ask{{Budget: fmt.Sprint("budget", i), Rate: Rate{1, time.Hour, 1}, Hits: 1}}, began)
		if err == nil && d[0].Allowed {
			allowed++
		}
	}
	if allowed != 300 || s.Alone() < 60 {
		t.Errorf("%d let in, %d of them counted alone", allowed, s.Alone())
	}
}

func asking(limit string, entries ...string) *servicev3.RateLimitRequest {
	d := &entryv3.RateLimitDescriptor{Entries: []*entryv3.RateLimitDescriptor_Entry{{Key: model.LimitEntry, Value: limit}}}
	for i, value := range entries {
		d.Entries = append(d.Entries, &entryv3.RateLimitDescriptor_Entry{Key: fmt.Sprint("k", i), Value: value})
	}
	return &servicev3.RateLimitRequest{Domain: model.LimitDomain, Descriptors: []*entryv3.RateLimitDescriptor{d}}
}

func TestService(t *testing.T) {
	now := began
	s := New(Options{Store: NewMemory(10), Now: func() time.Time { return now }, Limit: func(id model.LimitID) (Limit, bool) {
		l := Limit{Rate: Rate{60, time.Minute, 2}, Name: "l", Shadow: id == "shadow"}
		return l, id != "none"
	}})
	may := func(id model.LimitID) bool { return id != "theirs" }
	ask := func(r *servicev3.RateLimitRequest) (*servicev3.RateLimitResponse, error) {
		body, _ := proto.Marshal(r)
		answer, err := s.Answer(t.Context(), may, body)
		var out servicev3.RateLimitResponse
		return &out, errors.Join(err, proto.Unmarshal(answer, &out))
	}
	var last *servicev3.RateLimitResponse
	for range 3 {
		last, _ = ask(asking("mine", "a"))
	}
	status := last.Statuses[0]
	if last.OverallCode != servicev3.RateLimitResponse_OVER_LIMIT || status.DurationUntilReset.AsDuration() != time.Second || status.CurrentLimit.RequestsPerUnit != 60 {
		t.Errorf("the third of two at once: %v", last)
	}
	if other, _ := ask(asking("mine", "b")); other.OverallCode != servicev3.RateLimitResponse_OK || other.Statuses[0].LimitRemaining != 1 {
		t.Errorf("another key: %v", other)
	}
	if one, two := budgetOf("x", asking("x", "a", "b").Descriptors[0]), budgetOf("x", asking("x", "a\n1:k1=b").Descriptors[0]); one == two {
		t.Errorf("two combinations of values share a budget: %q", one)
	}
	for range 3 {
		last, _ = ask(asking("shadow"))
	}
	if last.OverallCode != servicev3.RateLimitResponse_OK || last.Statuses[0].CurrentLimit != nil {
		t.Errorf("a limit on trial: %v", last)
	}
	if gone, err := ask(asking("none")); err != nil || gone.OverallCode != servicev3.RateLimitResponse_OK {
		t.Errorf("a limit that is gone: %v, %v", gone, err)
	}
	if _, err := ask(asking("theirs")); err == nil {
		t.Error("a proxy asked for the limit of another one, and was answered")
	}
	if _, err := ask(&servicev3.RateLimitRequest{Domain: "other"}); err == nil {
		t.Error("another domain was answered")
	}
	want := fmt.Sprint(map[model.LimitID]model.LimitCounts{"mine": {Allowed: 3, Limited: 1}, "shadow": {Allowed: 2, Shadow: 1}})
	if got := fmt.Sprint(s.Counted()); got != want || s.Counted() != nil {
		t.Errorf("counted %s, want %s", got, want)
	}
}

// No bytes stop it.
func FuzzAnswer(f *testing.F) {
	body, _ := proto.Marshal(asking("mine", "a"))
	f.Add(body)
	s := New(Options{Store: NewMemory(10), Now: func() time.Time { return began }, Limit: func(model.LimitID) (Limit, bool) { return Limit{Rate: Rate{1, time.Second, 1}}, true }})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = s.Answer(t.Context(), func(model.LimitID) bool { return true }, body)
	})
}

func BenchmarkTake(b *testing.B) {
	m := NewMemory(1_000_000)
	rate := Rate{Requests: 100, Per: time.Second, Burst: 100}
	for i := range b.N {
		_, _ = m.Take(b.Context(), []Ask{{Budget: "tenant" + fmt.Sprint(i%100_000), Rate: rate, Hits: 1}}, began.Add(time.Duration(i)))
	}
}
