package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The commands of -control. Their answers are Traffic, ChangeSeries, ChurnReport, Arrival.
const (
	cmdIdle   = "idle"   // idle DURATION: what passing time costs
	cmdChange = "change" // change SPEC: one after another, each until all have it
	cmdChurn  = "churn"  // churn RATE DURATION SPEC: so many a second, whoever has them
	cmdAwait  = "await"  // await DURATION SPEC: somebody else makes the next change; when does everybody have it?
)

// obey connects, reports the first sync, and then answers commands until input ends.
func obey(ctx context.Context, o *options, in io.Reader, out *json.Encoder) error {
	f, err := newFleet(ctx, o)
	if err != nil {
		return err
	}
	defer f.fail(nil)
	first, err := f.initial(o)
	if err = errors.Join(err, out.Encode(first)); err != nil {
		return err
	}
	s := &series{fleet: f, options: o, next: o.firstIndex}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer, err := s.do(lines.Text())
		if err != nil {
			return fmt.Errorf("command %q: %w", lines.Text(), err)
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// series numbers changes, so that each is told from all before it.
type series struct {
	*fleet
	*options
	next int
}

func (s *series) do(line string) (any, error) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case cmdIdle:
		d, err := time.ParseDuration(rest)
		if err != nil {
			return nil, err
		}
		a := s.mark(s.pid)
		err = s.pause(d)
		return s.since(a, s.mark(s.pid)), err
	case cmdChange:
		c, err := parseChange(rest)
		if err != nil {
			return nil, err
		}
		index := s.next
		s.next += c.count
		return s.fleet.change(s.options, &c, index)
	case cmdChurn:
		return s.parseChurn(rest)
	case cmdAwait:
		return s.parseAwait(rest)
	}
	return nil, fmt.Errorf("is none of %s, %s, %s, %s", cmdIdle, cmdChange, cmdChurn, cmdAwait)
}

func (s *series) parseChurn(args string) (any, error) {
	rate, rest, _ := strings.Cut(args, " ")
	length, spec, _ := strings.Cut(rest, " ")
	perSecond, err := strconv.ParseFloat(rate, 64)
	if err != nil || perSecond <= 0 {
		return nil, fmt.Errorf("rate %q is not a positive number", rate)
	}
	d, err := time.ParseDuration(length)
	if err != nil {
		return nil, err
	}
	c, err := parseChange(spec)
	if err != nil {
		return nil, err
	}
	c.count = max(1, int(perSecond*d.Seconds()))
	index := s.next
	s.next += c.count
	return s.churn(s.options, &c, index, time.Duration(float64(time.Second)/perSecond))
}

func (s *series) parseAwait(args string) (any, error) {
	limit, spec, _ := strings.Cut(args, " ")
	d, err := time.ParseDuration(limit)
	if err != nil {
		return nil, err
	}
	c, err := parsePredicate(spec)
	if err != nil {
		return nil, err
	}
	index := s.next
	s.next++
	return s.await(&c, index, d)
}

// Arrival is when the proxies had a change that somebody else made.
type Arrival struct {
	Index int       `json:"index"`
	All   bool      `json:"all"`     // within the limit
	Left  int64     `json:"left"`    // proxies without it
	Last  time.Time `json:"last"`    // when the last one had it
	P50   float64   `json:"p50_ms"`  // after the command was given
	Ended int64     `json:"streams"` // that ended meanwhile
	Error string    `json:"last_error,omitempty"`
	Traffic
}

func (f *fleet) await(c *change, index int, limit time.Duration) (Arrival, error) {
	e, err := c.expect(index, len(f.proxies))
	if err != nil {
		return Arrival{}, err
	}
	before, a := f.errors.Load(), f.mark(0)
	f.expected.Store(e)
	r := Arrival{Index: index}
	select {
	case <-e.done:
		r.All, r.Last, r.P50 = true, e.t0.Add(slices.Max(e.lat)), quant(e.lat, .5)
	case <-time.After(limit):
	case <-f.ctx.Done():
		return r, context.Cause(f.ctx)
	}
	r.Left, r.Ended, r.Traffic = e.left.Load(), f.errors.Load()-before, f.since(a, f.mark(0))
	r.Error, _ = f.lastErr.Load().(string)
	return r, nil
}
