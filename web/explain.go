package web

import (
	"net/http"
	"strings"

	"weft.dev/explain"
)

// explained says where a request would go: proxy, method, url, and any number of header.
func explained(mesh Mesh, r *http.Request) (any, error) {
	query := r.URL.Query()
	request := explain.Request{Method: query.Get("method"), URL: query.Get("url"), Headers: map[string]string{}}
	for _, header := range query["header"] {
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			return nil, Invalid("header %q: want NAME: VALUE", header)
		}
		request.Headers[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	if err := request.Check(); err != nil {
		return nil, Invalid("%w", err)
	}
	return mesh.Explain(query.Get("proxy"), request)
}
