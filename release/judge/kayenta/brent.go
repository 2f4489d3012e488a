package kayenta

import "math"

// Of the search for a root: both are R's for this test.
const (
	tolerance = 1e-4
	maxSteps  = 1001
)

// brent is a zero of f between a and b, where it has these values, by Brent's method. Each
// operation is the one that Kayenta does, in its order: f has jumps, and where on a jump
// the search ends decides verdicts.
func brent(a, b, fa, fb float64, f func(float64) float64) float64 {
	if fa == 0 {
		return a
	}
	if fb == 0 {
		return b
	}
	c, fc := a, fa
	for range maxSteps {
		before := b - a
		if math.Abs(fc) < math.Abs(fb) { // b is the best guess so far
			a, b, c = b, c, b
			fa, fb, fc = fb, fc, fb
		}
		near := 2*epsilon*math.Abs(b) + tolerance/2
		step := (c - b) / 2
		if math.Abs(step) <= near || fb == 0 {
			return b
		}
		if math.Abs(before) >= near && math.Abs(fa) > math.Abs(fb) {
			p, q := interpolate(a, b, c, fa, fb, fc)
			if p < 0.75*(c-b)*q-math.Abs(near*q)/2 && p < math.Abs(before*q/2) {
				step = p / q
			}
		}
		if math.Abs(step) < near {
			if step > 0 {
				step = near
			} else {
				step = -near
			}
		}
		a, fa = b, fb
		b += step
		if fb = f(b); fb > 0 && fc > 0 || fb < 0 && fc < 0 {
			c, fc = a, fa
		}
	}
	return b
}

const epsilon = 0x1p-52

// interpolate is the step p/q from b to where a line, or a parabola on its side, is zero; p is not negative.
func interpolate(a, b, c, fa, fb, fc float64) (p, q float64) {
	t := fb / fa
	if a == c {
		p, q = (c-b)*t, 1-t
	} else {
		r, s := fa/fc, fb/fc
		p = t * ((c-b)*r*(r-s) - (b-a)*(s-1))
		q = (r - 1) * (s - 1) * (t - 1)
	}
	if p > 0 {
		return p, -q
	}
	return -p, q
}
