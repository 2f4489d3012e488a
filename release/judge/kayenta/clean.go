package kayenta

import (
	"math"
	"slices"
)

// clean is the points that are compared.
func (m Metric) clean(points []float64) []float64 {
	var out []float64
	for _, v := range points {
		switch {
		case !math.IsNaN(v):
			out = append(out, v)
		case m.ReplaceNaN:
			out = append(out, 0)
		}
	}
	if m.Outliers == 0 || len(out) == 0 {
		return out
	}
	low, high := fences(out, m.Outliers)
	return slices.DeleteFunc(out, func(v float64) bool { return v < low || v > high })
}

// fences are where outliers begin: factor interquartile ranges beyond the quartiles, and
// never within the first and the last hundredth.
func fences(points []float64, factor float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(points))
	q1, q3 := percentile(sorted, 25), percentile(sorted, 75)
	return min(percentile(sorted, 1), q1-factor*(q3-q1)), max(percentile(sorted, 99), q3+factor*(q3-q1))
}

// percentile is linear between the sorted points (R's type 7).
func percentile(sorted []float64, p float64) float64 {
	at := p / 100 * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// mean in two passes.
func mean(points []float64) float64 {
	n, sum := float64(len(points)), 0.0
	for _, v := range points {
		sum += v
	}
	rough, rest := sum/n, 0.0
	for _, v := range points {
		rest += v - rough
	}
	return rough + rest/n
}

// constant reports whether all points are equal.
func constant(points []float64) bool {
	return !slices.ContainsFunc(points, func(v float64) bool { return v != points[0] })
}

// sameValues reports whether both have the same points, in any order.
func sameValues(a, b []float64) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// noise is a source of normal numbers, the same for the same seed (splitmix64 and Box-Muller).
type noise uint64

func (n *noise) uniform() float64 {
	*n += 0x9e3779b97f4a7c15
	z := uint64(*n)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (float64((z^z>>31)>>11) + 0.5) * 0x1p-53
}

// blur adds noise of a hundred-thousandth of their size to points that are all equal.
func (n *noise) blur(points []float64) []float64 {
	out := make([]float64, len(points))
	for i, v := range points {
		out[i] = v + v*1e-5*math.Sqrt(-2*math.Log(n.uniform()))*math.Cos(2*math.Pi*n.uniform())
	}
	return out
}
