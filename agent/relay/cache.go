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
	"slices"

	"google.golang.org/protobuf/encoding/protodelim"
)

const (
	cacheFile    = "config"
	previousFile = "config.previous"
	cacheHeader  = "weft config 1 "
)

// Cache keeps what Envoy accepted in a folder, in two files: the newest, and the
// last one that was in use for a while. The second one is whole even where the
// first one was written in the middle of a start. A damaged file is never taken
// for an empty one.
type Cache struct{ Files }

// Files keeps small files. Write replaces the whole file or leaves it as it was.
type Files interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// Load reads what Save wrote last, or what Settle did. Nothing saved yet is no
// error; the warning says what was damaged.
func (c Cache) Load() (held map[string]map[string]*resource, warning error) {
	held, err := c.read(cacheFile)
	if err == nil {
		return held, nil
	}
	settled, err2 := c.read(previousFile)
	for _, one := range []error{err, err2} {
		if !errors.Is(one, fs.ErrNotExist) {
			warning = errors.Join(warning, one)
		}
	}
	return settled, warning
}

func (c Cache) read(name string) (map[string]map[string]*resource, error) {
	data, err := c.Read(name)
	if err != nil {
		return nil, err
	}
	head, body, _ := bytes.Cut(data, []byte("\n"))
	if string(head) != header(body) {
		return nil, fmt.Errorf("%s: damaged (its checksum does not fit its %d bytes)", name, len(data))
	}
	held := map[string]map[string]*resource{}
	for in := bytes.NewReader(body); ; {
		var p response
		err := protodelim.UnmarshalOptions{MaxSize: int64(len(body))}.UnmarshalFrom(in, &p)
		if errors.Is(err, io.EOF) {
			return held, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
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

// Save writes what is in use now. Settle says that it has been for a while.
func (c Cache) Save(data []byte) error   { return c.Write(cacheFile, data) }
func (c Cache) Settle(data []byte) error { return c.Write(previousFile, data) }

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
