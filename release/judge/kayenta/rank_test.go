package kayenta

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// repeat is n points of one value.
func repeat(n int, value float64) []float64 {
	return slices.Repeat([]float64{value}, n)
}

// The interval that a user of Kayenta printed for this metric, with all its digits (spinnaker #6278).
func TestShiftDigits(t *testing.T) {
	got, err := shift(slices.Concat(repeat(7, 100), repeat(3, 1)), repeat(10, 1))
	want := interval{6.825022991538781e-05, 99, 98.99992904170193}
	if err != nil || math.Abs(got.low/want.low-1) > 1e-13 || got.high != want.high || math.Abs(got.estimate/want.estimate-1) > 1e-15 {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// The ends are where the statistic crosses the quantile. It only jumps where a point of
// one side meets one of the other, so all places can be tried.
func TestShiftByTrial(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		x, y := draw(r), draw(r)
		got, err := shift(x, y)
		if err != nil {
			t.Fatalf("%v %v: %v", x, y, err)
		}
		for _, c := range []struct{ quantile, at float64 }{{2.3263478740408408, got.low}, {-2.3263478740408408, got.high}} {
			if want := crossing(x, y, c.quantile); math.Abs(c.at-want) > 1e-4 {
				t.Fatalf("%v against %v: end at %v, tried %v", x, y, c.at, want)
			}
		}
	}
}

// draw is up to 12 points, so coarse that some are equal, at distances that no search hits by chance.
func draw(r *rand.Rand) []float64 {
	out := make([]float64, 3+r.IntN(10))
	for i := range out {
		out[i] = math.Round(r.NormFloat64()*20) / 3.7
	}
	out[0] = 100 // some distance, so that the interval has two ends
	return out
}

// crossing is the least difference of two points beyond which the statistic is at most the quantile.
func crossing(x, y []float64, quantile float64) float64 {
	var differences []float64
	for _, a := range x {
		for _, b := range y {
			differences = append(differences, a-b)
		}
	}
	slices.Sort(differences)
	for _, d := range differences {
		if plain(x, y, d+1e-9) <= quantile {
			return d
		}
	}
	return differences[len(differences)-1]
}

// plain is the statistic from counts of pairs instead of ranks.
func plain(x, y []float64, by float64) float64 {
	all := slices.Clone(y)
	wins := 0.0
	for _, a := range x {
		all = append(all, a-by)
		for _, b := range y {
			if a-by > b {
				wins++
			} else if a-by == b {
				wins += 0.5
			}
		}
	}
	n, m, ties := float64(len(x)), float64(len(y)), 0.0
	for _, v := range all { // each of t equal points adds t²-1
		t := 0.0
		for _, w := range all {
			if v == w {
				t++
			}
		}
		ties += t*t - 1
	}
	d := wins - n*m/2
	return (d - 0.5*float64(sign(d))) / math.Sqrt(n*m/12*(n+m+1-ties/(n+m)/(n+m-1)))
}

func sign(d float64) int {
	switch {
	case d > 0:
		return 1
	case d < 0:
		return -1
	}
	return 0
}

func TestShiftTied(t *testing.T) {
	if _, err := shift([]float64{5}, []float64{3}); err == nil {
		t.Error("one point on each side was compared")
	}
}

func TestPercentile(t *testing.T) {
	points := []float64{10, 20, 30, 50}
	for p, want := range map[float64]float64{0: 10, 25: 17.5, 50: 25, 90: 44, 100: 50} {
		if got := percentile(points, p); math.Abs(got-want) > 1e-12 {
			t.Errorf("percentile %v: %v, want %v", p, got, want)
		}
	}
}

// Quartiles of 1 to 9 and 100 are 3.25 and 7.75, so a factor of 3 puts the upper fence at 21.25; but
// the 99th percentile, 91.81, is above it.
func TestOutliers(t *testing.T) {
	m := Metric{Outliers: 3}
	points := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 100}
	if got := m.clean(points); !slices.Equal(got, points[:9]) {
		t.Errorf("kept %v", got)
	}
	if low, high := fences(points, 3); low != 3.25-3*4.5 || math.Abs(high-91.81) > 1e-9 {
		t.Errorf("fences %v, %v", low, high)
	}
	if got := (Metric{}).clean(points); !slices.Equal(got, points) {
		t.Errorf("without a strategy: kept %v", got)
	}
}

func TestNaN(t *testing.T) {
	points := []float64{1, math.NaN(), 3}
	if got := (Metric{}).clean(points); !slices.Equal(got, []float64{1, 3}) {
		t.Errorf("removed: %v", got)
	}
	if got := (Metric{ReplaceNaN: true}).clean(points); !slices.Equal(got, []float64{1, 0, 3}) {
		t.Errorf("replaced: %v", got)
	}
}

func TestEffects(t *testing.T) {
	// Of nine pairs, the canary's is higher in four, equal in two.
	if got := cles([]float64{1, 2, 5}, []float64{1, 2, 3}); math.Abs(got-5./9) > 1e-15 {
		t.Errorf("cles %v", got)
	}
	if got := ratio([]float64{3, 5}, []float64{2, 2}); got != 2 {
		t.Errorf("ratio %v", got)
	}
	if got := ratio([]float64{3, 5}, []float64{0, 0}); !math.IsNaN(got) {
		t.Errorf("ratio to nothing %v", got)
	}
}
