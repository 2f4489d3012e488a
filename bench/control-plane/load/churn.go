package load

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ChurnReport is how far behind an open-loop writer the proxies are. Changes replace one
// another, so a proxy may skip some: it has a change once it has that one or a later one.
type ChurnReport struct {
	Changes   int     `json:"changes"`
	Rate      float64 `json:"changes_per_s"` // as made
	WriterLag float64 `json:"writer_lag_ms_max"`
	P50       float64 `json:"p50_ms"` // over all changes and proxies
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	Missing   int64   `json:"missing"` // changes times proxies that have not had them in time
	// Slices are the same over time, by when a change was made.
	Slices []Slice `json:"slices"`
	Traffic
}

// Slice is a part of a churn.
type Slice struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

const churnSlices = 6

// churn is an open-loop series under way.
type churn struct {
	typ    int
	name   string
	number reader
	first  int            // index of the first change
	made   []atomic.Int64 // when, unix nanoseconds; 0: not yet
	slices [churnSlices]histogram
}

// seen notes what a response shows to a proxy that has had some changes, and returns how many it has now.
func (c *churn) seen(t int, rs []resource, had int, now time.Time) int {
	if c.typ != anyType && c.typ != t {
		return had
	}
	for i := range rs {
		if !strings.Contains(rs[i].name, c.name) {
			continue
		}
		last, ok := c.number.read(rs[i].body)
		if !ok || last < c.first {
			continue
		}
		for ; had <= last-c.first && had < len(c.made); had++ {
			c.slices[had*churnSlices/len(c.made)].add(now.UnixNano() - c.made[had].Load())
		}
	}
	return had
}

// churn makes changes at a fixed pace, whoever has them, and then waits for everybody.
func (f *fleet) churn(o *options, spec *change, index int, every time.Duration) (ChurnReport, error) {
	number, err := spec.reader()
	if err != nil {
		return ChurnReport{}, err
	}
	c := &churn{typ: spec.typ, name: spec.name, number: number, first: index, made: make([]atomic.Int64, spec.count)}
	for _, p := range f.proxies {
		p.mu.Lock()
		p.caught = 0
		p.mu.Unlock()
	}
	a := f.mark(o.pid)
	f.churning.Store(c)
	start := time.Now()
	var lag time.Duration
	for i := range c.made {
		due := start.Add(time.Duration(i) * every)
		if err := f.pause(time.Until(due)); err != nil {
			return ChurnReport{}, err
		}
		lag = max(lag, time.Since(due))
		if err := spec.prepare(index + i); err != nil {
			return ChurnReport{}, err
		}
		c.made[i].Store(time.Now().UnixNano())
		if err := spec.publish(index + i); err != nil {
			return ChurnReport{}, err
		}
	}
	took := time.Since(start)
	_, err = f.wait(o.changeTimeout, func() bool { return f.behind(spec.count) == 0 })
	if err == nil {
		err = f.quiet(o.gap)
	}
	r := c.report()
	r.Changes, r.Rate, r.WriterLag = spec.count, float64(spec.count)/took.Seconds(), ms(lag)
	r.Missing, r.Traffic = f.behind(spec.count), f.since(a, f.mark(o.pid))
	f.churning.Store(nil)
	return r, err
}

// behind is how many changes times proxies are not there yet.
func (f *fleet) behind(count int) (n int64) {
	for _, p := range f.proxies {
		p.mu.Lock()
		n += int64(count - p.caught)
		p.mu.Unlock()
	}
	return
}

func (c *churn) report() (r ChurnReport) {
	var all histogram
	for i := range c.slices {
		s := &c.slices[i]
		r.Slices = append(r.Slices, Slice{s.quantile(.5), s.quantile(.99)})
		all.merge(s)
	}
	r.P50, r.P99, r.Max = all.quantile(.5), all.quantile(.99), all.quantile(1)
	return
}

// histogram counts durations in buckets that are 2% wide, from 10 us to above 10 minutes.
type histogram struct {
	mu    sync.Mutex
	count [histogramBuckets]int64
}

const (
	histogramBuckets = 1024
	histogramFirst   = 10 * time.Microsecond
	histogramGrowth  = 1.02
)

func (h *histogram) add(ns int64) {
	bucket := math.Ceil(math.Log(float64(max(ns, 1))/float64(histogramFirst)) / math.Log(histogramGrowth))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count[int(min(max(bucket, 0), histogramBuckets-1))]++
}

func (h *histogram) merge(other *histogram) {
	other.mu.Lock()
	defer other.mu.Unlock()
	for i, n := range other.count {
		h.count[i] += n
	}
}

// quantile is in milliseconds: the upper end of the bucket.
func (h *histogram) quantile(q float64) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var total, below int64
	for _, n := range h.count {
		total += n
	}
	for i, n := range h.count {
		below += n
		if total > 0 && float64(below) >= q*float64(total) {
			return ms(time.Duration(float64(histogramFirst) * math.Pow(histogramGrowth, float64(i))))
		}
	}
	return 0
}

// reader finds a change's number in a resource: what stands where a text has {i} or {hi}.{lo}.
type reader struct {
	prefix []byte
	pair   bool
}

// reader of the change's own predicate.
func (c *change) reader() (reader, error) {
	text := c.contains
	if c.addr != "" {
		text = c.addr
	}
	for mark, pair := range map[string]bool{"{hi}.{lo}": true, "{i}": false} {
		if prefix, _, ok := strings.Cut(text, mark); ok && prefix != "" {
			return reader{[]byte(prefix), pair}, nil
		}
	}
	return reader{}, fmt.Errorf("a churn reads the number of a change from {i} or {hi}.{lo} after some text; %q has neither", text)
}

// read returns the highest number in a resource's bytes.
func (r reader) read(body []byte) (index int, found bool) {
	for {
		at := bytes.Index(body, r.prefix)
		if at < 0 {
			return index, found
		}
		body = body[at+len(r.prefix):]
		n, rest, ok := leadingNumber(body)
		if ok && r.pair {
			var lo int
			if lo, _, ok = leadingNumber(bytes.TrimPrefix(rest, []byte("."))); ok {
				n = unexpand(n, lo)
			}
		}
		if ok {
			index, found = max(index, n), true
		}
	}
}

func leadingNumber(b []byte) (n int, rest []byte, ok bool) {
	end := 0
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(string(b[:end]))
	return n, b[end:], err == nil
}
