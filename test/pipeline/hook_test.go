package pipeline

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
)

// hook is what webhooks call.
type hook struct {
	*httptest.Server
	stop  chan struct{} // closed when the script ends
	mu    sync.Mutex
	count map[string]int
}

func newHook() *hook {
	h := &hook{stop: make(chan struct{}), count: map[string]int{}}
	h.Server = httptest.NewServer(h)
	return h
}

func (h *hook) Close() {
	close(h.stop)
	h.Server.Close()
}

func (h *hook) calls(path string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[path]
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what did not arrive is not there
	h.mu.Lock()
	h.count[r.URL.Path]++
	n := h.count[r.URL.Path]
	h.mu.Unlock()
	switch r.URL.Path {
	case "/fail":
		w.WriteHeader(http.StatusInternalServerError)
	case "/hang", "/slow":
		if n == 1 {
			select {
			case <-h.stop:
			case <-r.Context().Done():
			}
		}
	case "/job":
		fmt.Fprintf(w, `{"state": %q}`, map[bool]string{true: "done", false: "running"}[n >= 3])
		return
	case "/prometheus/api/v1/query": // whose every query is a number
		form, _ := url.ParseQuery(string(body))
		fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "scalar", "result": [1, %q]}}`, form.Get("query"))
		return
	case "/verdict":
		fmt.Fprintf(w, `{"verdict": "pass", "text": %q}`, body)
		return
	case "/echo":
		fmt.Fprintf(w, `{"method": %q, "body": %q, "token": %q}`, r.Method, body, r.Header.Get("X-Token"))
		return
	}
	fmt.Fprintln(w, `{"ok": true}`)
}
