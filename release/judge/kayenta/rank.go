package kayenta

import (
	"errors"
	"math"
	"slices"
)

// confidence of the interval. Kayenta has a setting for it, which nothing reads.
const confidence = 0.98

// interval is where the shift of x against y lies: an interval of 98% and an
// estimate, as by R's wilcox.test without its exact form.
type interval struct{ low, high, estimate float64 }

var errTied = errors.New("all points are tied")

// shift is by how much x is higher than y (Mann-Whitney with ties and continuity corrected).
func shift(x, y []float64) (interval, error) {
	least, most := slices.Min(x)-slices.Max(y), slices.Max(x)-slices.Min(y)
	if math.IsNaN(standardised(x, y, least)) {
		return interval{}, errTied
	}
	alpha := 1 - float64(confidence)
	quantile := math.Sqrt2 * math.Erfinv(1-alpha)
	root := func(quantile float64) float64 {
		f := func(by float64) float64 { return standardised(x, y, by) - quantile }
		atLeast, atMost := f(least), f(most)
		switch {
		case quantile != 0 && atLeast <= 0:
			return least
		case quantile != 0 && atMost >= 0:
			return most
		}
		return brent(least, most, atLeast, atMost, f)
	}
	return interval{root(quantile), root(-quantile), root(0)}, nil
}

// standardised is the rank sum of x after a shift, in standard deviations from what it would
// be without any difference; NaN where all points are tied.
func standardised(x, y []float64, by float64) float64 {
	moved := make([]float64, len(x))
	for i, v := range x {
		moved[i] = v - by
	}
	sum, ties := rankSum(moved, y)
	n, m := float64(len(x)), float64(len(y))
	d := sum - n*(n+1)/2 - n*m/2
	switch {
	case d > 0:
		d -= 0.5
	case d < 0:
		d += 0.5
	}
	return d / math.Sqrt(n*m/12*(n+m+1-ties/((n+m)*(n+m-1))))
}

// rankSum is the sum of x's ranks among x and y, ties at their mean, and the sum of t³-t
// over the ties' sizes. What is not a number is above all that is.
func rankSum(x, y []float64) (sum, ties float64) {
	type point struct {
		value float64
		mine  bool
	}
	all := make([]point, 0, len(x)+len(y))
	for _, v := range x {
		all = append(all, point{maximal(v), true})
	}
	for _, v := range y {
		all = append(all, point{maximal(v), false})
	}
	slices.SortFunc(all, func(a, b point) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	for from := 0; from < len(all); {
		to, mine := from, 0
		for ; to < len(all) && all[to].value == all[from].value; to++ {
			if all[to].mine {
				mine++
			}
		}
		t := float64(to - from)
		sum += float64(mine) * float64(from+1+to) / 2
		ties += t*t*t - t
		from = to
	}
	return sum, ties
}

func maximal(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}
