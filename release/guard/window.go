package guard

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // not every machine has the zones

	"weft.dev/api/v1alpha1"
)

// span is a time of some days, in minutes of the wall's clock; it may end the next day.
type span struct {
	days     [7]bool // on which it starts
	from, to int     // to is larger: beyond 24:00 it is the next day
}

const (
	dayMinutes = 24 * 60
	// maxAhead is how far ahead a window's next opening is looked for, in days.
	maxAhead = 9
)

var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// parseSpan reads "Mon-Thu 10:00-16:00"; without days it is every day's.
func parseSpan(text string) (s span, err error) {
	days, hours, has := strings.Cut(text, " ")
	if !has {
		days, hours = "Sun-Sat", text
	}
	if s.days, err = parseDays(days); err != nil {
		return s, fmt.Errorf("%q: %w", text, err)
	}
	from, to, _ := strings.Cut(hours, "-")
	if s.from, err = parseClock(from); err == nil {
		s.to, err = parseClock(to)
	}
	if err == nil && s.from == dayMinutes {
		err = fmt.Errorf("a day starts at 00:00")
	}
	if err != nil {
		return s, fmt.Errorf("%q: %w", text, err)
	}
	if s.to <= s.from {
		s.to += dayMinutes
	}
	return s, nil
}

func parseDays(text string) (days [7]bool, err error) {
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(dayNames, first), slices.Index(dayNames, last)
		if from < 0 || to < 0 {
			return days, fmt.Errorf("want days such as Mon-Thu or Sat,Sun, have %q", part)
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

// parseClock reads 00:00 to 24:00.
func parseClock(text string) (int, error) {
	var hour, minute int
	n, err := fmt.Sscanf(text, "%02d:%02d", &hour, &minute)
	if err != nil || n != 2 || len(text) != len("00:00") || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > dayMinutes {
		return 0, fmt.Errorf("want hours such as 10:00-16:00, from 00:00 to 24:00, have %q", text)
	}
	return hour*60 + minute, nil
}

// window is a Window as read.
type window struct {
	zone  *time.Location
	spans []span
	later time.Duration // than the start of a span it opens, for who asks
}

// readWindow reads a window for one who asks, named by a seed.
func readWindow(w v1alpha1.Window, seed string) (r window, err error) {
	if r.zone, err = time.LoadLocation(w.TimeZone); err != nil || w.TimeZone == "" || w.TimeZone == "Local" {
		return r, fmt.Errorf("timeZone %q is not known: want one such as Europe/Berlin or UTC", w.TimeZone)
	}
	shortest := dayMinutes
	for _, text := range w.Open {
		s, err := parseSpan(text)
		if err != nil {
			return r, err
		}
		shortest = min(shortest, s.to-s.from)
		r.spans = append(r.spans, s)
	}
	if w.Jitter == nil || w.Jitter.Duration <= 0 {
		return r, nil
	}
	if w.Jitter.Duration >= time.Duration(shortest)*time.Minute {
		return r, fmt.Errorf("jitter %s is as long as a time that is open: want less", w.Jitter.Duration)
	}
	hash := fnv.New64a()
	hash.Write([]byte(seed))
	r.later = time.Duration(hash.Sum64() % uint64(w.Jitter.Duration)).Truncate(time.Second)
	return r, nil
}

// within reports whether the clock on the wall shows a time of the window. A time that comes
// twice is in it twice, one that does not come never.
func (w window) within(t time.Time) bool {
	local := t.In(w.zone)
	minute, day := local.Hour()*60+local.Minute(), int(local.Weekday())
	return slices.ContainsFunc(w.spans, func(s span) bool {
		return s.days[day] && s.from <= minute && minute < s.to || s.days[(day+6)%7] && minute+dayMinutes < s.to
	})
}

// open is within, after so long as it opens later.
func (w window) open(t time.Time) bool { return w.within(t) && w.within(t.Add(-w.later)) }

// next is when the window opens after t; zero: not within maxAhead.
func (w window) next(t time.Time) (first time.Time) {
	try := func(at time.Time) {
		for _, at := range []time.Time{at, at.Add(w.later)} {
			if at.After(t) && (first.IsZero() || at.Before(first)) && w.open(at) {
				first = at
			}
		}
	}
	// The clock on the wall may have been moved just now, or will be: the hours of before and after that.
	local := t.In(w.zone)
	_, offset := local.Zone()
	offsets := []int{offset}
	for _, moved := range bounds(local) {
		try(moved)
		_, before := moved.Add(-time.Second).Zone()
		_, after := moved.Zone()
		offsets = append(offsets, before, after)
	}
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)
	year, month, day := local.Date()
	for d := -1; d <= maxAhead; d++ {
		midnight := time.Date(year, month, day+d, 0, 0, 0, 0, time.UTC)
		for _, s := range w.spans {
			start := midnight.Add(time.Duration(s.from) * time.Minute)
			for _, offset := range offsets {
				try(start.Add(-time.Duration(offset) * time.Second))
			}
		}
	}
	return first
}

// bounds are when the clock was moved last before t, and will be next.
func bounds(t time.Time) []time.Time {
	last, next := t.ZoneBounds()
	return slices.DeleteFunc([]time.Time{last, next}, time.Time.IsZero)
}

// windowsGate is open where one of the windows is; of none it always is. What cannot be read is closed.
func windowsGate(of string, all []v1alpha1.Window, seed string, now time.Time) (why string, until time.Time) {
	if len(all) == 0 {
		return "", time.Time{}
	}
	var texts []string
	for _, one := range all {
		w, err := readWindow(one, seed)
		if err != nil {
			return fmt.Sprintf("the windows of %s cannot be read: %v", of, err), time.Time{}
		}
		if w.open(now) {
			return "", time.Time{}
		}
		if next := w.next(now); !next.IsZero() && (until.IsZero() || next.Before(until)) {
			until = next
		}
		texts = append(texts, fmt.Sprintf("%s %s", strings.Join(one.Open, ", "), one.TimeZone))
	}
	return fmt.Sprintf("outside of the windows of %s (%s)", of, strings.Join(texts, "; ")), until
}
