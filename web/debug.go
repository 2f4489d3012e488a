package web

import (
	"io"
	"net/http"
	"runtime/pprof"
)

// What weft bug-report asks of a server, as text. A POST: only administrators may.
const (
	DebugLog        = "debug/log"        // its last lines
	DebugGoroutines = "debug/goroutines" // where each of them is
)

func debug(mux *http.ServeMux, log func() string) {
	text := func(path string, write func(io.Writer) error) {
		mux.HandleFunc("POST "+Prefix+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_ = write(w) // who asked has gone
		})
	}
	text(DebugLog, func(w io.Writer) error {
		_, err := io.WriteString(w, log())
		return err
	})
	text(DebugGoroutines, func(w io.Writer) error { return pprof.Lookup("goroutine").WriteTo(w, 1) })
}
