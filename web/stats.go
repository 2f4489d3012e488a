package web

import (
	"net/http"
	"time"

	"weft.dev/model"
)

// StatsPath is where full statistics of a proxy are switched.
const StatsPath = "stats"

// StatsRequest has a workload's proxy keep full statistics.
type StatsRequest struct {
	Workload string `json:"workload"` // NAMESPACE/NAME
	For      string `json:"for"`      // a duration from now; 0s: no longer
}

// FullStats is a workload whose proxy keeps full statistics.
type FullStats struct {
	Workload string    `json:"workload"`
	Until    time.Time `json:"until"`
}

// switchStats answers with all that are switched then.
func switchStats(mesh Mesh, r *http.Request) (any, error) {
	var request StatsRequest
	if err := read(r, &request); err != nil {
		return nil, Invalid("full statistics: %w", err)
	}
	d, err := time.ParseDuration(request.For)
	if err != nil || d < 0 || d > model.MaxFullStats {
		return nil, Invalid("full statistics for %q: want a duration of at most %s, e.g. 10m; 0s ends it", request.For, model.MaxFullStats)
	}
	if err := mesh.SwitchStats(r.Context(), request.Workload, d); err != nil {
		return nil, err
	}
	return orEmpty(mesh.FullStats()), nil
}
