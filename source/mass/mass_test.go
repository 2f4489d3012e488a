package mass

import "testing"

func TestTooMuch(t *testing.T) {
	for _, c := range []struct {
		gone, all int
		want      bool
	}{
		{0, 0, false}, {2, 2, false}, {3, 3, true}, {3, 6, false}, {4, 6, true},
		{9, 60, false}, {10, 60, true}, {10, 67, false}, {15, 100, false}, {16, 100, true}, {1000, 1000, true},
	} {
		if got := TooMuch(c.gone, c.all); got != c.want {
			t.Errorf("%d of %d: %v, want %v", c.gone, c.all, got, c.want)
		}
	}
}
