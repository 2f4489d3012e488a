package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/encoding/protodelim"

	"weft.dev/identity"
)

const (
	cacheFile    = "config"
	previousFile = "config.previous"
	damagedFile  = "config.damaged"
	cacheHeader  = "weft config 1 "
)

// Cache keeps what Envoy accepted in a folder, in two generations: a damaged
// newer one is set aside for the older one. It is never taken for an empty one.
type Cache struct{ Dir identity.Dir }

// Load reads what Save wrote last. Nothing saved yet is no error; the warning
// says what was damaged.
func (c Cache) Load() (held map[string]map[string]*resource, warning error) {
	held, err := c.read(cacheFile)
	if err == nil {
		return held, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else {
		// Out of the way, or the next Save would make it the previous generation.
		err = errors.Join(err, os.Rename(c.path(cacheFile), c.path(damagedFile)))
	}
	held, older := c.read(previousFile)
	if older != nil && !errors.Is(older, fs.ErrNotExist) {
		err = errors.Join(err, older)
	}
	return held, err
}

func (c Cache) path(name string) string { return filepath.Join(string(c.Dir), name) }

func (c Cache) read(name string) (map[string]map[string]*resource, error) {
	data, err := c.Dir.Read(name)
	if err != nil {
		return nil, err
	}
	head, body, _ := bytes.Cut(data, []byte("\n"))
	if string(head) != header(body) {
		return nil, fmt.Errorf("%s: damaged (its checksum does not fit its %d bytes)", c.path(name), len(data))
	}
	held := map[string]map[string]*resource{}
	for in := bytes.NewReader(body); ; {
		var p response
		err := protodelim.UnmarshalFrom(in, &p)
		if errors.Is(err, io.EOF) {
			return held, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.path(name), err)
		}
		held[p.TypeUrl] = map[string]*resource{}
		for _, one := range p.Resources {
			held[p.TypeUrl][one.Name] = one
		}
	}
}

func header(body []byte) string {
	sum := sha256.Sum256(body)
	return cacheHeader + hex.EncodeToString(sum[:])
}

// Save writes a new generation; the one before it becomes the previous one.
func (c Cache) Save(data []byte) error {
	if err := os.Rename(c.path(cacheFile), c.path(previousFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.Dir.Write(cacheFile, data)
}

// encode is what Save writes for the relay.
func (r *Relay) encode() ([]byte, error) {
	var body bytes.Buffer
	for _, url := range r.urls() {
		k := r.kinds[url]
		if !k.known {
			continue
		}
		p := &response{TypeUrl: url}
		for _, name := range slices.Sorted(maps.Keys(k.held)) {
			p.Resources = append(p.Resources, k.held[name])
		}
		if _, err := protodelim.MarshalTo(&body, p); err != nil {
			return nil, err
		}
	}
	return append([]byte(header(body.Bytes())+"\n"), body.Bytes()...), nil
}
