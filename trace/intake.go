package trace

import (
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

const (
	// MaxRate is how many spans a second are taken, and maxBurst at once.
	MaxRate  = 20_000
	maxBurst = 2 * MaxRate
)

// Intake takes spans for a store.
type Intake struct {
	store *Store
	rate  *rate.Limiter
	onto  *Exporter // nil: nobody else gets spans
	disk  *Journal  // nil: they are in memory alone
	now   func() time.Time
}

// NewIntake makes one.
func NewIntake(store *Store, now func() time.Time) *Intake {
	return &Intake{store: store, rate: rate.NewLimiter(MaxRate, maxBurst), now: now}
}

// Keep has a journal keep what is taken, and takes what it has. It is part of the wiring.
func (t *Intake) Keep(j *Journal) error {
	err := j.replay(func(at time.Time, proxy bool, of *tracev1.ResourceSpans) {
		from := sourceOf(of.Resource)
		var taken []*Span
		for _, in := range of.ScopeSpans {
			for _, one := range in.Spans {
				if s, _, ok := read(one, from, proxy); ok {
					taken = append(taken, s)
				}
			}
		}
		t.store.Add(taken, at)
	})
	t.store.Trim(t.now())
	t.disk = j
	return err
}

// SendOn has spans sent on. It is part of the wiring.
func (t *Intake) SendOn(e *Exporter) { t.onto = e }

// FromProxy takes what an agent reports of its proxy. The error says that it cannot be read.
func (t *Intake) FromProxy(from Source, report model.SpanReport) error {
	t.store.count(func(c *Counts) { c.Lost += report.Dropped })
	var request collectorv1.ExportTraceServiceRequest
	if err := proto.Unmarshal(report.Messages, &request); err != nil {
		return err
	}
	resource := from.resource()
	for _, of := range request.ResourceSpans {
		of.Resource, of.SchemaUrl = resource, ""
		for _, in := range of.ScopeSpans {
			for _, one := range in.Spans {
				refine(one)
			}
		}
		t.take(of, from, true)
	}
	return nil
}

// fromApplication takes what applications send by OTLP, and says how many spans it dropped.
func (t *Intake) fromApplication(request *collectorv1.ExportTraceServiceRequest) (dropped int64) {
	for _, of := range request.ResourceSpans {
		dropped += t.take(of, sourceOf(of.Resource), false)
	}
	return dropped
}

// take stores and sends on what is not too much.
func (t *Intake) take(of *tracev1.ResourceSpans, from Source, proxy bool) (dropped int64) {
	var taken []*Span
	var change Counts
	now := t.now()
	for _, in := range of.ScopeSpans {
		kept := in.Spans[:0]
		for _, one := range in.Spans {
			if !t.rate.AllowN(now, 1) {
				change.TooMany++
				continue
			}
			s, cuts, ok := read(one, from, proxy)
			if !ok {
				change.Invalid++
				continue
			}
			change.Cut += cuts
			taken, kept = append(taken, s), append(kept, one)
		}
		in.Spans = kept
	}
	t.store.Add(taken, now)
	if n := uint64(len(taken)); n > 0 {
		if t.disk != nil && t.disk.write(now, proxy, of) != nil {
			change.Unwritten = n
		}
		if t.onto != nil && !t.onto.add(of) {
			change.Unsent = n
		}
	}
	t.store.count(func(c *Counts) {
		c.TooMany, c.Invalid = c.TooMany+change.TooMany, c.Invalid+change.Invalid
		c.Cut, c.Unsent = c.Cut+change.Cut, c.Unsent+change.Unsent
		c.Unwritten += change.Unwritten
	})
	return int64(change.TooMany + change.Invalid)
}
