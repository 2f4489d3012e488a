package snapshots

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
)

// front stands between agents and the store, and spoils what they read.
type front struct {
	url string

	mu      sync.Mutex
	spoil   fault // nil: all is well
	spoiled int   // reads, since spoil was set
}

// fault answers a read in place of the store, which would have answered with body.
type fault func(w http.ResponseWriter, r *http.Request, body []byte)

func newFront(t *testing.T, store string) *front {
	t.Helper()
	to, err := url.Parse(store)
	check(t, err)
	f := &front{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		spoil := f.spoil
		if spoil != nil {
			f.spoiled++
		}
		f.mu.Unlock()
		if spoil == nil {
			proxy.ServeHTTP(w, r)
			return
		}
		whole := httptest.NewRecorder()
		r.Header.Del("If-None-Match") // the agent is to see what is wrong
		proxy.ServeHTTP(whole, r)
		spoil(w, r, whole.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// set begins with a fault, or ends it.
func (f *front) set(spoil fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spoil, f.spoiled = spoil, 0
}

// reads counts those that were spoiled.
func (f *front) reads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spoiled
}

func unavailable(w http.ResponseWriter, _ *http.Request, _ []byte) {
	http.Error(w, "slow down", http.StatusServiceUnavailable)
}

func truncated(w http.ResponseWriter, _ *http.Request, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body[:len(body)/2])
}

// shorter is a body that was cut before it was stored.
func shorter(w http.ResponseWriter, _ *http.Request, body []byte) { _, _ = w.Write(body[:len(body)/2]) }

// slow answers in small pieces, in the end all of it.
func slow(w http.ResponseWriter, r *http.Request, body []byte) {
	const pieces = 10
	for piece := range slices.Chunk(body, len(body)/pieces+1) {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		_, _ = w.Write(piece)
		w.(http.Flusher).Flush()
	}
}

// index has every index be this one, and views as they are.
func index(data []byte) fault {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.HasSuffix(r.URL.Path, snapshot.IndexFile) {
			body = data
		}
		_, _ = w.Write(body)
	}
}

// published is the index as it is now.
func (w *world) published() []byte {
	w.t.Helper()
	from, err := store.OpenReader(target, w.s3)
	check(w.t, err)
	data, _, err := from.Read(w.t.Context(), snapshot.IndexFile, "", snapshot.MaxIndex)
	check(w.t, err)
	return data
}
