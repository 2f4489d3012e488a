package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrUntrusted is of an index that nobody signed whom the reader trusts.
var ErrUntrusted = errors.New("not signed by a trusted key")

const (
	// IndexFile is the name of the index.
	IndexFile = "index.json"
	// MaxIndex is how long an index may be, bytes: a hundred thousand proxies.
	MaxIndex = 16 << 20
	// Format is the one that this program writes, and the only one that it reads.
	Format = 1
)

// Index says which view each proxy has.
type Index struct {
	Format int `json:"format"`
	// Sequence counts what was published at a place, from 1. Readers refuse one
	// that is lower than what they have seen.
	Sequence uint64 `json:"sequence"`
	// Removals is the sequence of the last index for which somebody said that
	// much may vanish: whoever holds an older one may lose all that it has.
	Removals uint64 `json:"removals,omitempty"`
	// Revision is the commit of what was compiled; "": it was no commit.
	Revision string            `json:"revision,omitempty"`
	Views    map[string]Digest `json:"views"` // by proxy, "namespace/name"
}

// Find is the view of a proxy: that of its own workload if there is one, else
// that of its app.
func (x Index) Find(namespace, name, app string) (Digest, bool) {
	for _, one := range []string{name, app} {
		if d, ok := x.Views[namespace+"/"+one]; ok {
			return d, true
		}
	}
	return "", false
}

// envelope is an index as it is stored. The signature is of signedPrefix and the
// bytes of Index as they stand there.
type envelope struct {
	Key       string          `json:"key"` // KeyID, for people
	Signature []byte          `json:"signature"`
	Index     json.RawMessage `json:"index"`
}

// signedPrefix keeps a signature from being one of something else.
const signedPrefix = "weft snapshot index\n"

// Sign is the index as it is stored, of this format. An index that Open would
// refuse is a mistake of the caller, and panics.
func (x Index) Sign(key ed25519.PrivateKey) []byte {
	x.Format = Format
	if err := x.check(); err != nil {
		panic("snapshot: " + err.Error())
	}
	index := mustJSON(x)
	return append(mustJSON(envelope{
		Key: KeyID(key.Public().(ed25519.PublicKey)), Signature: ed25519.Sign(key, signed(index)), Index: index,
	}), '\n')
}

func signed(index []byte) []byte { return append([]byte(signedPrefix), index...) }

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("snapshot: " + err.Error())
	}
	return data
}

// Open verifies and reads an index. ErrUntrusted: it is whole, and somebody else's; ErrDamaged: it is no index.
func Open(data []byte, trusted []ed25519.PublicKey) (Index, error) {
	var e envelope
	if err := strictJSON(data, &e); err != nil {
		return Index{}, fmt.Errorf("index: %w: %w", ErrDamaged, err)
	}
	if !verified(e, trusted) {
		return Index{}, fmt.Errorf("index: %w: it says that key %.16q signed it, trusted are %s", ErrUntrusted, e.Key, keyIDs(trusted))
	}
	var x Index
	err := strictJSON(e.Index, &x)
	if err == nil {
		err = x.check()
	}
	if err != nil {
		return Index{}, fmt.Errorf("index: %w: %w", ErrDamaged, err)
	}
	return x, nil
}

func verified(e envelope, trusted []ed25519.PublicKey) bool {
	message := signed(e.Index)
	for _, key := range trusted {
		if ed25519.Verify(key, message, e.Signature) {
			return true
		}
	}
	return false
}

// strictJSON reads one value with nothing in it that is not known.
func strictJSON(data []byte, into any) error {
	if len(data) > MaxIndex {
		return fmt.Errorf("%d bytes, more than %d", len(data), MaxIndex)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

func (x Index) check() error {
	switch {
	case x.Format != Format:
		return fmt.Errorf("it has format %d, this program reads %d", x.Format, Format)
	case x.Sequence == 0 || x.Removals > x.Sequence:
		return fmt.Errorf("it has sequence %d, and removals in %d", x.Sequence, x.Removals)
	case len(x.Views) == 0:
		return errors.New("it has no proxies")
	}
	for proxy, digest := range x.Views {
		namespace, name, _ := strings.Cut(proxy, "/")
		if namespace == "" || name == "" || !digest.valid() {
			return fmt.Errorf("proxy %.100q has view %.100q; want namespace/name and 64 hex digits", proxy, digest)
		}
	}
	return nil
}
