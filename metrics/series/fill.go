package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"weft.dev/metrics"
	"weft.dev/model"
)

// Of the store itself.
var (
	heldSeries    = &metrics.Family{Name: "weft_metrics_series", Kind: metrics.Gauge, Help: "Series in the memory of this server; --metrics-series is the budget."}
	refusedSeries = &metrics.Family{Name: "weft_metrics_series_refused", Kind: metrics.Gauge, Help: "Series that the last sample had and that found no room in the budget."}
	ownFamilies   = []*metrics.Family{heldSeries, refusedSeries}
)

// quiet is how long a figure may stand still until it is no longer sampled: what nobody
// calls any more leaves room in the budget.
const quiet = time.Hour

// filler turns figures into samples. A counter that begins, or moves again, gets two: what
// it stood at one interval ago, too, so that rate() counts its first calls. One that was never
// met in this process stood at zero: so a restart of the server is a reset for rate().
type filler struct {
	options Options
	known   map[string]*known
	before  time.Time // when the last sample was taken; at first, when counters began
	buffer  []byte
	full    bool // the budget was, at the last sample
}

// known is a figure that was met.
type known struct {
	family  *metrics.Family
	labels  labels.Labels
	sampled bool
	ref     storage.SeriesRef // 0: the store is to find it by its labels
	value   float64           // that it stood at; of a histogram its count
	buckets []uint64          // of a histogram
	moved   time.Time         // when the value changed last
	seen    time.Time
}

// bounds of histograms, seconds. Prometheus shares the slice.
var bounds = func() (all []float64) {
	for _, ms := range model.LatencyBounds {
		all = append(all, ms/1000)
	}
	return all
}()

func newFiller(options Options, now time.Time) *filler {
	return &filler{options: options, known: map[string]*known{}, before: now}
}

// batch is one sample of everything.
type batch struct {
	*filler
	appender storage.AppenderV2
	now      time.Time
	room     int // series that may be new
	refused  int
	err      error // of a figure; the others are stored
}

func (f *filler) fill(ctx context.Context, db *tsdb.DB, now time.Time) error {
	held := int(db.Head().NumSeries())
	b := &batch{filler: f, appender: db.AppenderV2(ctx), now: now, room: f.options.Series - max(held, len(ownFamilies))}
	for _, source := range f.options.Sources {
		source(b.add)
	}
	b.room = len(ownFamilies) // what says that there is no room has some
	b.add(metrics.Figure{Family: refusedSeries, Value: float64(b.refused)})
	b.add(metrics.Figure{Family: heldSeries, Value: float64(held)})
	b.end()
	b.before = now
	f.say(b.refused, f.options.Log)
	return errors.Join(b.appender.Commit(), b.err)
}

// say logs when the budget becomes full and when it no longer is.
func (f *filler) say(refused int, log *slog.Logger) {
	if full := refused > 0; full != f.full {
		f.full = full
		if full {
			log.Warn("the budget of metrics is full: no figure of new edges is kept; raise --metrics-series", "budget", f.options.Series, "refused", refused)
		} else {
			log.Warn("the budget of metrics has room again", "budget", f.options.Series)
		}
	}
}

func (b *batch) add(f metrics.Figure) {
	b.buffer = append(b.buffer[:0], f.Family.Name...)
	for _, text := range f.Labels {
		b.buffer = append(append(b.buffer, 0), text...)
	}
	value := valueOf(f)
	k := b.known[string(b.buffer)]
	if k == nil {
		if k = b.meet(f); !b.admit(k) {
			b.refused++
			return // nothing is kept of it: there may be any number
		}
		b.known[string(b.buffer)] = k
	}
	k.seen = b.now
	if value != k.value {
		k.moved = b.now
	}
	switch {
	case f.Family.Kind != metrics.Gauge && b.now.Sub(k.moved) > quiet:
		b.stop(k)
	case k.sampled || b.admit(k):
		b.store(k, value, f.Buckets, b.now)
	default:
		b.refused++
	}
	k.value, k.buckets = value, append(k.buckets[:0], f.Buckets...)
}

// meet begins a figure. While there is no room it may have been refused before: what it
// counted until now is not of this interval.
func (b *batch) meet(f metrics.Figure) *known {
	k := &known{family: f.Family, labels: labelsOf(f), moved: b.now}
	if b.full {
		k.value, k.buckets = valueOf(f), slices.Clone(f.Buckets)
	}
	return k
}

// admit has a figure sampled, if there is room.
func (b *batch) admit(k *known) bool {
	k.ref, _ = b.appender.(storage.GetRef).GetRef(k.labels, k.labels.Hash())
	if k.ref == 0 {
		if b.room <= 0 {
			return false
		}
		b.room--
	}
	k.sampled = true
	if k.family.Kind != metrics.Gauge {
		b.store(k, k.value, k.buckets, b.before)
	}
	return true
}

func (b *batch) store(k *known, value float64, buckets []uint64, at time.Time) {
	var h *histogram.Histogram
	if k.family.Kind == metrics.Histogram {
		h = histogramOf(buckets)
	}
	b.append(k, value, h, at)
}

func (b *batch) append(k *known, value float64, h *histogram.Histogram, at time.Time) {
	ref, err := b.appender.Append(k.ref, k.labels, 0, at.UnixMilli(), value, h, nil, storage.AOptions{})
	if errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
		return // it stopped one interval ago
	}
	if err != nil {
		b.err = fmt.Errorf("%s: %w", k.labels, err) // one of them says it
		return
	}
	k.ref = ref
}

// stop has queries see at once that a figure is sampled no more.
func (b *batch) stop(k *known) {
	if k.sampled {
		b.append(k, math.Float64frombits(value.StaleNaN), nil, b.now)
		k.sampled = false
	}
}

// end stops what was there before and now is not.
func (b *batch) end() {
	for key, k := range b.known {
		if !k.seen.Equal(b.now) {
			b.stop(k)
			delete(b.known, key)
		}
	}
}

// valueOf is that of a histogram, too: its count.
func valueOf(f metrics.Figure) float64 {
	for _, n := range f.Buckets {
		f.Value += float64(n)
	}
	return f.Value
}

// histogramOf has one series for all its buckets.
func histogramOf(buckets []uint64) *histogram.Histogram {
	h := &histogram.Histogram{
		Schema: histogram.CustomBucketsSchema, CustomValues: bounds, Sum: model.LatencySum(buckets),
		PositiveSpans: []histogram.Span{{Length: uint32(len(bounds) + 1)}}, PositiveBuckets: make([]int64, len(bounds)+1),
	}
	var last int64
	for i, n := range buckets {
		h.Count += n
		h.PositiveBuckets[i] = int64(n) - last
		last = int64(n)
	}
	return h
}

func labelsOf(f metrics.Figure) labels.Labels {
	b := labels.NewScratchBuilder(len(f.Labels) + 1)
	b.Add(labels.MetricName, f.Family.Name)
	for i, text := range f.Labels {
		if text != "" {
			b.Add(f.Family.Labels[i], text)
		}
	}
	b.Sort()
	return b.Labels()
}
