package agent

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weft.dev/model"
)

// Full statistics end by themselves, however long they were asked for; asked again they go on.
func TestFullEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set []string
		began := time.Now()
		f := &full{set: func(on bool) { set = append(set, fmt.Sprint(time.Since(began), on)) }}
		f.ask(10 * time.Minute)
		time.Sleep(5 * time.Minute)
		f.ask(10 * time.Minute)
		if f.ends() != began.Add(15*time.Minute) {
			t.Errorf("ends %s", f.ends())
		}
		time.Sleep(time.Hour)
		if !f.ends().IsZero() {
			t.Errorf("ends %s, want that it has", f.ends())
		}
		f.ask(time.Duration(1 << 62))
		time.Sleep(model.MaxFullStats)
		synctest.Wait()
		f.ask(time.Minute)
		f.ask(0)
		time.Sleep(time.Hour)
		want := []string{"0s true", "5m0s true", "15m0s false", "1h5m0s true", "2h5m0s false", "2h5m0s true", "2h5m0s false"}
		if !slices.Equal(set, want) {
			t.Errorf("set %v, want %v", set, want)
		}
	})
}
