package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// changesPace is how often a page is told at most.
	changesPace = 250 * time.Millisecond
	// mostStreams of changes may be open at a time, one a page.
	mostStreams = 500
)

// Change says that there is something new to read, and of what.
type Change struct {
	Revision uint64    `json:"revision"` // of the mesh
	Releases uint64    `json:"releases"` // grows with each change of a release
	Time     time.Time `json:"time"`     // of the server, in whole seconds: so often rates are others
}

// changes streams what is new, as server-sent events, until the page is left.
func changes(mesh Mesh) http.HandlerFunc {
	var open atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if open.Add(1) > mostStreams {
			open.Add(-1)
			http.Error(w, `{"error":"too many pages are open: close some"}`, http.StatusTooManyRequests)
			return
		}
		defer open.Add(-1)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		stream(w, r, func() Change {
			return Change{mesh.Status().Revision, mesh.ReleasesChanged(), time.Now().UTC().Truncate(time.Second)}
		})
	}
}

func stream(w http.ResponseWriter, r *http.Request, read func() Change) {
	flush := http.NewResponseController(w).Flush
	tick := time.NewTicker(changesPace)
	defer tick.Stop()
	var told Change
	for {
		if now := read(); now != told {
			told = now
			text, _ := json.Marshal(now) // numbers and a time
			if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil || flush() != nil {
				return
			}
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
