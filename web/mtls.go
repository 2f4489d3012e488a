package web

import (
	"net/http"
	"time"

	"weft.dev/metrics"
)

// MTLSPath is that of the plan of who can be strict: ?quiet=10m&idle=true.
const MTLSPath = "mtls"

func mtlsPlan(mesh Mesh, r *http.Request) (any, error) {
	query := r.URL.Query()
	quiet, err := time.ParseDuration(query.Get("quiet"))
	if err != nil || quiet <= 0 || quiet > metrics.Remember {
		return nil, Invalid("quiet %q: want a duration of at most %s, e.g. 10m", query.Get("quiet"), metrics.Remember)
	}
	return mesh.MTLS(quiet, query.Get("idle") == "true"), nil
}
