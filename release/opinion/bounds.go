package opinion

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"weft.dev/api/v1alpha1"
)

// bounds of a number; nil: there is none on that side.
type bounds struct{ min, max, ratio *float64 }

func readBounds(q v1alpha1.Query, old bool) (*bounds, error) {
	var b bounds
	for _, one := range []struct {
		field, written string
		to             **float64
	}{{"min", q.Min, &b.min}, {"max", q.Max, &b.max}, {"maxRatio", q.MaxRatio, &b.ratio}} {
		if one.written == "" {
			continue
		}
		x, err := strconv.ParseFloat(one.written, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("%s: %q is no number", one.field, one.written)
		}
		*one.to = &x
	}
	switch {
	case b.min == nil && b.max == nil && b.ratio == nil:
		return nil, errors.New("it says nothing without a bound: give min, max or maxRatio")
	case b.ratio != nil && !old:
		return nil, errors.New("maxRatio: there is no other version to compare with: give min or max")
	}
	return &b, nil
}

// read is what a number says. One that is none, and a ratio to nothing, say nothing.
func (b *bounds) read(s Said) (Kind, string) {
	x, why := *s.Value, number(*s.Value)
	if math.IsNaN(x) {
		return Continue, "it is no number (NaN)"
	}
	switch {
	case b.min != nil && x < *b.min:
		return Fail, why + " is below " + number(*b.min)
	case b.max != nil && x > *b.max:
		return Fail, why + " is above " + number(*b.max)
	case b.ratio == nil:
		return Pass, why + " is within " + b.words()
	case s.Old == nil || math.IsNaN(*s.Old):
		return Continue, why + ", and the old version has no number"
	}
	return b.compare(x, *s.Old)
}

// compare is for the ratio. Of nothing to nothing there is no increase.
func (b *bounds) compare(x, old float64) (Kind, string) {
	why := fmt.Sprintf("%s, the old version %s", number(x), number(old))
	switch {
	case x == 0 && old == 0:
		return Pass, why
	case old <= 0 || math.IsInf(old, 0):
		return Continue, why + ": there is no ratio"
	case x/old > *b.ratio:
		return Fail, fmt.Sprintf("%s: %s times as much is above %s", why, number(x/old), number(*b.ratio))
	}
	return Pass, fmt.Sprintf("%s: %s times as much is within %s", why, number(x/old), b.words())
}

// words are the bounds as people say them.
func (b *bounds) words() string {
	var all []string
	for _, one := range []struct {
		before string
		x      *float64
	}{{">= ", b.min}, {"<= ", b.max}, {"ratio <= ", b.ratio}} {
		if one.x != nil {
			all = append(all, one.before+number(*one.x))
		}
	}
	return strings.Join(all, ", ")
}
