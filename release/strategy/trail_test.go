package strategy

import (
	"testing"
	"time"

	"weft.dev/release"
)

// However long a run is, so much is kept: its beginning, what is newest, each share, in order.
func TestTrail(t *testing.T) {
	var m memory
	began := time.Unix(1000, 0)
	m.see(began, release.Verdict{})
	if len(m.Trail) > 0 {
		t.Errorf("nothing was answered yet: %v", m.Trail)
	}
	const looks = 20_000
	for i := range looks {
		m.Weight = int32(5 * (1 + i/(looks/4)))
		n := uint64(i + 1)
		for range 2 { // the second time nothing came
			m.see(began.Add(time.Duration(i)*time.Second), release.Verdict{New: release.Counts{Requests: n, Errors: n / 10}, Old: release.Counts{Requests: 9 * n}})
		}
		if len(m.Trail) > mostSeen {
			t.Fatalf("%d looks are kept after %d", len(m.Trail), i)
		}
		if last := m.Trail[len(m.Trail)-1]; last.New != (Answered{n, n / 10}) || last.Weight != m.Weight {
			t.Fatalf("the newest look is %+v after %d", last, i)
		}
	}
	shares := map[int32]int{}
	for i, one := range m.Trail {
		shares[one.Weight]++
		if i > 0 && !one.At.After(m.Trail[i-1].At) {
			t.Errorf("look %d is of %s, after %s", i, one.At, m.Trail[i-1].At)
		}
	}
	if first := m.Trail[0]; !first.At.Equal(began) || len(shares) != 4 || len(m.Trail) < mostSeen/3 {
		t.Errorf("kept is from %s on, of the shares %v, %d looks", first.At, shares, len(m.Trail))
	}
}
