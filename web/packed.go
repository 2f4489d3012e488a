package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// page is an answer that is the same for all who ask, packed for those who can unpack it.
type page struct {
	plain  []byte
	packed func() []byte
}

func newPage(value any) page {
	plain, _ := json.Marshal(value) // types of this package
	return page{plain, sync.OnceValue(func() []byte {
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the level is one of gzip's
		_, _ = w.Write(plain)                                // to memory
		_ = w.Close()
		return packed.Bytes()
	})}
}

func (p page) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Vary", "Accept-Encoding")
	body := p.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		body = p.packed()
	}
	_, _ = w.Write(body) // who asked has gone
}
