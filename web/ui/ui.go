// Package ui is the web UI: pages that read the JSON API beside them.
//
// Input: a request below Prefix. Output: what `make ui` built, or, in a checkout
// where nobody did, a page that says so. It must not know what the pages show.
package ui

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// Prefix of every path. The pages name everything relative to it, so they work below any other path, too.
const Prefix = "/weft/ui/"

// dist.html stands in for the folder dist, which is built and not kept.
//
//go:embed dist*
var built embed.FS

const (
	// policy lets the pages load and ask nothing but their own server, and be in no other page.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// forever is for files whose names change with their content.
	forever = "public, max-age=31536000, immutable"
)

// file is one of the UI, ready to be sent.
type file struct {
	kind          string
	plain, packed []byte
}

func ready(name string, content []byte) file {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is one of gzip's
	_, _ = w.Write(content)                                    // to memory
	_ = w.Close()
	return file{mime.TypeByExtension(path.Ext(name)), content, packed.Bytes()}
}

// pages are what was built: the page by which everything begins, and its assets by path.
type pages struct {
	page   []byte
	assets map[string]file
}

// load reads the folder dist, or else what stands in for it.
func load(from fs.FS) pages {
	p := pages{assets: map[string]file{}}
	_ = fs.WalkDir(from, "dist/assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(from, name)
		p.assets[strings.TrimPrefix(name, "dist/")] = ready(name, content)
		return err
	}) // of what is embedded, nothing fails but that it is not there
	var err error
	if p.page, err = fs.ReadFile(from, "dist/index.html"); err != nil {
		p.page, _ = fs.ReadFile(from, "dist.html")
	}
	return p
}

// Handler serves the UI.
func Handler() http.Handler {
	read := sync.OnceValue(func() pages { return load(built) }) // most servers are never looked at
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { read().ServeHTTP(w, r) })
}

// ServeHTTP has a page at every path that is no asset: which one, the page reads from its path.
func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "pages are read only", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	name := strings.TrimPrefix(r.URL.Path, Prefix)
	asset, ok := p.assets[name]
	switch {
	case ok:
		w.Header().Set("Cache-Control", forever)
		asset.send(w, r)
	case strings.HasPrefix(name, "assets/"): // of another build
		http.NotFound(w, r)
	default:
		w.Header().Set("Cache-Control", "no-cache")
		ready(".html", at(p.page, name)).send(w, r)
	}
}

// at is the page as it is below a path: its assets are beside the uppermost one.
func at(page []byte, name string) []byte {
	up := strings.Repeat("../", strings.Count(name, "/"))
	return bytes.ReplaceAll(page, []byte(`"./`), []byte(`"./`+up))
}

func (f file) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Vary", "Accept-Encoding")
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		body = f.packed
	}
	_, _ = w.Write(body) // who asked has gone
}
