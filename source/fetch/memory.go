package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// forgotten is how long something is kept that nobody has fetched since.
const forgotten = 30 * 24 * time.Hour

// Memory keeps good answers for the next start: a server that comes back while those are away whom it asks is none the worse.
type Memory interface {
	// Recall is what was kept under a key; "": nothing.
	Recall(key string) (value string, fetched time.Time)
	Keep(key, value string, fetched time.Time)
}

// folder is a Memory of a file for each thing, with its digest before it. Nothing in it is secret; who could write it could
// have the server do anything.
type folder struct {
	dir string
	log *slog.Logger
	mu  sync.Mutex
}

// Folder is a Memory in a folder, which need not exist.
func Folder(dir string, log *slog.Logger) Memory { return &folder{dir: dir, log: log} }

func (f *folder) file(key string) string { return filepath.Join(f.dir, digest(key)) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (f *folder) Recall(key string) (string, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := os.ReadFile(f.file(key))
	info, missing := os.Stat(f.file(key))
	if errors.Is(err, os.ErrNotExist) {
		return "", time.Time{}
	}
	sum, value, _ := strings.Cut(string(text), "\n")
	if err = errors.Join(err, missing); err == nil && sum != digest(value) {
		err = errors.New("it is not what was written; remove it")
	}
	if err != nil {
		f.log.Warn("what was fetched before is not remembered", "file", f.file(key), "why", err)
		return "", time.Time{}
	}
	return value, info.ModTime()
}

// Keep writes a file. What is not written is asked for again.
func (f *folder) Keep(key, value string, fetched time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := os.MkdirAll(f.dir, 0o700)
	if err == nil {
		err = replace(f.file(key), digest(value)+"\n"+value, fetched)
	}
	if err != nil {
		f.log.Warn("what was fetched is not remembered", "file", f.file(key), "why", err)
	}
	f.forget(fetched)
}

func (f *folder) forget(now time.Time) {
	entries, _ := os.ReadDir(f.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > forgotten {
			_ = os.Remove(filepath.Join(f.dir, e.Name()))
		}
	}
}

func replace(name, text string, at time.Time) error {
	draft, err := os.CreateTemp(filepath.Dir(name), "draft")
	if err != nil {
		return err
	}
	_, err = draft.WriteString(text)
	if err = errors.Join(err, draft.Close()); err == nil {
		err = errors.Join(os.Chtimes(draft.Name(), at, at), os.Rename(draft.Name(), name))
	}
	if err != nil {
		_ = os.Remove(draft.Name())
	}
	return err
}
