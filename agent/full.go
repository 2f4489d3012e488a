package agent

import (
	"sync"
	"time"

	"weft.dev/model"
)

// full has Envoy keep full statistics for a while. Who asked may be gone by the end of it.
type full struct {
	set func(on bool)

	mu    sync.Mutex
	until time.Time // zero: it is off
	timer *time.Timer
}

// ask switches it on for so long from now; 0: off.
func (f *full) ask(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.set(d > 0)
	if f.until = (time.Time{}); d <= 0 {
		return
	}
	d = min(d, model.MaxFullStats)
	until := time.Now().Add(d)
	f.until = until
	f.timer = time.AfterFunc(d, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.until.Equal(until) { // else it was asked again just now
			f.until = time.Time{}
			f.set(false)
		}
	})
}

// ends is when it is off again, zero where it is.
func (f *full) ends() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.until
}
