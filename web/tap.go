package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"weft.dev/tap"
)

// TapPath is where requests are looked at. A POST: proxies begin to tell for it.
const TapPath = "tap"

// tapPace is how often a line is written at least, so that who looks knows of how many proxies, and that it goes on.
const tapPace = time.Second

// Tapped is a line of what passes.
type Tapped struct {
	tap.Batch
	Proxies int `json:"proxies"` // that tell
	Known   int `json:"known"`   // those that there are
}

// tapped streams requests as lines of JSON, until who asked is gone.
func tapped(mesh Mesh) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		of := r.URL.Query().Get("of")
		listening, err := mesh.Tap(r.Context(), of)
		if err != nil {
			reply(w, r, func(*http.Request) (any, error) { return nil, err })
			return
		}
		defer listening.Leave()
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Cache-Control", "no-store")
		writeTapped(w, r, listening)
	}
}

func writeTapped(w http.ResponseWriter, r *http.Request, from *tap.Listener) {
	lines, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	tick := time.NewTicker(tapPace)
	defer tick.Stop()
	for {
		var line Tapped
		line.Proxies, line.Known = from.Proxies()
		select {
		case line.Batch = <-from.Batches:
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		if lines.Encode(line) != nil || flush() != nil {
			return // who asked is gone
		}
	}
}

// request is what is kept of one by its id.
func request(mesh Mesh, r *http.Request) (any, error) {
	id := r.PathValue("id")
	found := mesh.Request(id)
	if len(found) == 0 {
		return nil, fmt.Errorf("request %q: %w: what passes is kept for some minutes, of proxies that somebody looks at with weft tap, if the request has an x-request-id", id, ErrNotFound)
	}
	return found, nil
}
