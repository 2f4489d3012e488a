package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"sync"
	"time"

	"weft.dev/store"
)

const (
	sessionSecret = "weft-sessions" // has the sessions of all replicas
	sessionFile   = "sessions.json.gz"
	maxBook       = 768 << 10 // bytes of it; a Secret has 1 MiB at most
	maxBookText   = 64 << 20
	bookFor       = 5 * time.Second // a session that ended at another replica may go on for so long
)

// memoryBook is that of one server: one that starts anew has no sessions.
type memoryBook struct {
	mu  sync.Mutex
	all map[string]session
}

func newMemoryBook() *memoryBook { return &memoryBook{all: map[string]session{}} }

func (b *memoryBook) read() (map[string]session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.all), nil
}

func (b *memoryBook) find(name string) (session, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, ok := b.all[name]
	return one, ok, nil
}

func (b *memoryBook) write(change func(map[string]session) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return change(b.all)
}

// secretBook is that of all replicas in a cluster.
type secretBook struct {
	mu    sync.Mutex // from a read to the write that follows it
	files *store.SecretFiles
	last  map[string]session
	at    time.Time
}

func newSecretBook(client *store.Client, namespace string) *secretBook {
	return &secretBook{files: store.NewSecretFiles(client, namespace, sessionSecret)}
}

func (b *secretBook) read() (map[string]session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.refresh()
	return maps.Clone(b.last), err
}

// find takes no old word for that there is none: it may have begun at another replica just now.
func (b *secretBook) find(name string) (session, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one, ok := b.last[name]; ok && time.Since(b.at) < bookFor {
		return one, true, nil
	}
	err := b.refresh()
	one, ok := b.last[name]
	return one, ok, err
}

func (b *secretBook) refresh() error {
	text, err := b.files.Read(sessionFile)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
	}
	b.last = nil
	if err == nil {
		b.last, err = sessionsIn(text)
	}
	b.at = time.Now()
	return err
}

func (b *secretBook) write(change func(map[string]session) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return store.RetryOnConflict(func() error {
		if err := b.refresh(); err != nil {
			return err
		}
		if err := change(b.last); err != nil {
			return err
		}
		text, err := sessionText(b.last)
		if err == nil && len(text) > maxBook {
			err = errFull
		}
		if err == nil {
			err = b.files.Write(sessionFile, text)
		}
		if err != nil {
			b.last = nil // it is not what is there
		}
		return err
	})
}

func sessionText(all map[string]session) ([]byte, error) {
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	err := errors.Join(json.NewEncoder(w).Encode(all), w.Close())
	return text.Bytes(), err
}

func sessionsIn(text []byte) (map[string]session, error) {
	all := map[string]session{}
	if len(text) == 0 {
		return all, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return all, json.NewDecoder(io.LimitReader(r, maxBookText)).Decode(&all)
}
