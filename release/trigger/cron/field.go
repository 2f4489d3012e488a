package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// span is what a field may have.
type span struct {
	name     string
	min, max int
	names    []string // of min and those that follow
}

var (
	seconds   = span{name: "second", max: 59}
	minutes   = span{name: "minute", max: 59}
	hours     = span{name: "hour", max: 23}
	days      = span{name: "day of month", min: 1, max: 31}
	months    = span{name: "month", min: 1, max: 12, names: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")}
	weekdays  = span{name: "day of week", max: 7, names: strings.Fields("SUN MON TUE WED THU FRI SAT")}
	quartzDay = span{name: "day of week", min: 1, max: 7, names: weekdays.names}
	years     = span{name: "year", min: 1970, max: 2099}
)

// set has a bit for each value, counted from the span's least one.
type set [3]uint64

func (s *set) add(n int)     { s[n/64] |= 1 << (n % 64) }
func (s set) has(n int) bool { return n >= 0 && n < 64*len(s) && s[n/64]&(1<<(n%64)) != 0 }
func (s set) size() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2])
}

// parse reads a list of values, ranges and steps.
func (f span) parse(text string) (set, error) {
	var all set
	for part := range strings.SplitSeq(text, ",") {
		from, to, step, err := f.part(part)
		if err != nil {
			return all, err
		}
		for n := from; n <= to; n += step {
			all.add(n - f.min)
		}
	}
	return all, nil
}

func (f span) part(text string) (from, to, step int, err error) {
	values, every, stepped := strings.Cut(text, "/")
	if step = 1; stepped {
		if step, err = strconv.Atoi(every); err != nil || step < 1 || step > f.max {
			return 0, 0, 0, f.wrong(text)
		}
	}
	if values == "*" {
		return f.min, f.max, step, nil
	}
	first, last, ranged := strings.Cut(values, "-")
	if from, err = f.value(first); err != nil {
		return 0, 0, 0, err
	}
	switch {
	case ranged:
		to, err = f.value(last)
	case stepped:
		to = f.max
	default:
		to = from
	}
	if err == nil && to < from {
		err = f.wrong(text)
	}
	return from, to, step, err
}

func (f span) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		return 0, f.wrong(text)
	}
	return n, nil
}

func (f span) wrong(text string) error {
	return fmt.Errorf("%s %q: want %d to %d, as in %d, %d-%d, */5 or %d,%d", f.name, text, f.min, f.max, f.min+1, f.min+1, f.min+2, f.min+1, f.min+2)
}
