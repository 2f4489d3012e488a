package snapshot_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"strings"
	"testing"

	"weft.dev/snapshot"
)

// keyOf is always the same one for a name.
func keyOf(name byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{name}, ed25519.SeedSize))
}

func trust(names ...byte) (all []ed25519.PublicKey) {
	for _, name := range names {
		all = append(all, keyOf(name).Public().(ed25519.PublicKey))
	}
	return all
}

func example() snapshot.Index {
	return snapshot.Index{Format: snapshot.Format, Sequence: 7, Removals: 3, Revision: "<&>\u2028", Views: map[string]snapshot.Digest{
		"shop/frontend": snapshot.DigestOf([]byte("a")), "shop/web-1": snapshot.DigestOf([]byte("b")),
	}}
}

func TestIndexRoundTrip(t *testing.T) {
	want := example()
	data := want.Sign(keyOf('a'))
	for _, trusted := range [][]ed25519.PublicKey{trust('a'), trust('b', 'a')} {
		if got, err := snapshot.Open(data, trusted); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	if !bytes.Equal(data, example().Sign(keyOf('a'))) {
		t.Error("two equal indexes are other bytes")
	}
}

func TestFind(t *testing.T) {
	x := example()
	for _, c := range []struct {
		namespace, name, app string
		want                 snapshot.Digest
	}{
		{"shop", "web-1", "frontend", x.Views["shop/web-1"]},
		{"shop", "web-2", "frontend", x.Views["shop/frontend"]},
		{"shop", "web-2", "", ""},
		{"other", "web-1", "frontend", ""},
	} {
		if got, ok := x.Find(c.namespace, c.name, c.app); got != c.want || ok != (c.want != "") {
			t.Errorf("%v: got %q, %v", c, got, ok)
		}
	}
}

func TestIndexesThatAreNone(t *testing.T) {
	whole := string(example().Sign(keyOf('a')))
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"empty":            {"", snapshot.ErrDamaged},
		"an empty object":  {"{}", snapshot.ErrUntrusted},
		"an empty list":    {"[]", snapshot.ErrDamaged},
		"truncated":        {whole[:len(whole)/2], snapshot.ErrDamaged},
		"no end":           {whole[:len(whole)-2], snapshot.ErrDamaged},
		"something behind": {whole + "{}", snapshot.ErrDamaged},
		"unsigned":         {`{"key":"","signature":"","index":{"format":1,"sequence":1,"views":{}}}`, snapshot.ErrUntrusted},
		"foreign":          {string(example().Sign(keyOf('b'))), snapshot.ErrUntrusted},
		"changed":          {strings.Replace(whole, `"sequence":7`, `"sequence":8`, 1), snapshot.ErrUntrusted},
		"formatted":        {strings.Replace(whole, `"format":1,`, `"format": 1,`, 1), snapshot.ErrUntrusted},
		"too long":         {strings.Repeat(" ", snapshot.MaxIndex) + whole, snapshot.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := snapshot.Open([]byte(c.data), trust('a')); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestNobodySignsNonsense(t *testing.T) {
	for name, change := range map[string]func(*snapshot.Index){
		"no proxies":        func(x *snapshot.Index) { x.Views = nil },
		"no sequence":       func(x *snapshot.Index) { x.Sequence, x.Removals = 0, 0 },
		"removals to come":  func(x *snapshot.Index) { x.Removals = 8 },
		"proxy of no name":  func(x *snapshot.Index) { x.Views["shop/"] = x.Views["shop/web-1"] },
		"a digest too long": func(x *snapshot.Index) { x.Views["shop/web-1"] += "0" },
		"no digest":         func(x *snapshot.Index) { x.Views["shop/web-1"] = snapshot.Digest(strings.Repeat("/", 64)) },
	} {
		t.Run(name, func(t *testing.T) {
			x := example()
			change(&x)
			defer func() {
				if recover() == nil {
					t.Error("it was signed")
				}
			}()
			x.Sign(keyOf('a'))
		})
	}
}

// What Open takes was signed by the key, byte by byte.
func FuzzOpen(f *testing.F) {
	whole := example().Sign(keyOf('a'))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.Replace(whole, []byte(`"views":{`), []byte(`"views":{"a/b":"",`), 1))
	f.Add([]byte(`{"index":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := snapshot.Open(data, trust('a'))
		switch {
		case err == nil && !reflect.DeepEqual(x, example()):
			t.Errorf("%q was taken, and nobody signed it", data)
		case err != nil && !errors.Is(err, snapshot.ErrDamaged) && !errors.Is(err, snapshot.ErrUntrusted):
			t.Errorf("%v is of no kind", err)
		}
	})
}
