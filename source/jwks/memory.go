package jwks

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weft.dev/model"
)

// Memory keeps good keys for the next start: a server that comes back while an issuer is
// away does not refuse its tokens.
type Memory interface {
	Recall(source string) (keys string, fetched time.Time)
	Keep(source, keys string, fetched time.Time)
}

// file is a Memory in one file. It is public keys; who could write it could have
// the server do anything.
type file struct {
	name string
	log  *slog.Logger
	mu   sync.Mutex
	all  map[string]kept
}

type kept struct {
	Keys    string    `json:"keys"`
	Fetched time.Time `json:"fetched"`
}

// File is a Memory in a file, which need not exist.
func File(name string, log *slog.Logger) Memory {
	f := &file{name: name, log: log, all: map[string]kept{}}
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, &f.all)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("keys of issuers are not remembered", "file", name, "why", err)
		f.all = map[string]kept{}
	}
	return f
}

func (f *file) Recall(source string) (string, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.all[source]
	keys, _, err := model.ParseKeys([]byte(k.Keys))
	if err != nil {
		return "", time.Time{}
	}
	return keys, k.Fetched
}

// Keep writes the file. What is not written is asked for again.
func (f *file) Keep(source, keys string, fetched time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all[source] = kept{keys, fetched}
	for name, k := range f.all {
		if fetched.Sub(k.Fetched) > 30*24*time.Hour {
			delete(f.all, name) // nobody has wanted it for long
		}
	}
	text, err := json.Marshal(f.all)
	if err == nil {
		err = replace(f.name, text)
	}
	if err != nil {
		f.log.Warn("keys of issuers are not remembered", "file", f.name, "why", err)
	}
}

func replace(name string, text []byte) error {
	draft, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name))
	if err != nil {
		return err
	}
	_, err = draft.Write(text)
	if err = errors.Join(err, draft.Close()); err == nil {
		err = os.Rename(draft.Name(), name)
	}
	if err != nil {
		_ = os.Remove(draft.Name())
	}
	return err
}

func compareKeys(a, b model.KeySource) int { return strings.Compare(a.Key(), b.Key()) }
