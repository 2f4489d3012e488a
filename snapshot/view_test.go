package snapshot_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weft.dev/model"
	"weft.dev/snapshot"
)

// resources are some of each type, with names and bodies that a seed makes.
func resources(seed uint64) []*model.Resource {
	random := rand.New(rand.NewPCG(seed, 0))
	var all []*model.Resource
	for t := range model.NumTypes {
		for i := range random.IntN(5) {
			r := model.Resource{Type: t, Name: fmt.Sprintf("%d/%d", random.IntN(9), i), Body: make([]byte, random.IntN(300))}
			for j := range r.Body {
				r.Body[j] = byte(random.Uint32())
			}
			for range random.IntN(3) {
				r.Aliases = append(r.Aliases, fmt.Sprint("alias ", random.IntN(9)))
			}
			for range random.IntN(3) {
				r.Needs = append(r.Needs, fmt.Sprint("cluster ", random.IntN(9)))
			}
			all = append(all, model.NewResource(r))
		}
	}
	return all
}

func TestViewRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		want := resources(seed)
		data := snapshot.EncodeView(want)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
		if !bytes.Equal(data, snapshot.EncodeView(want)) {
			t.Fatalf("seed %d: another order gives other bytes", seed)
		}
		got, err := snapshot.DecodeView(data)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		slices.SortFunc(want, func(a, b *model.Resource) int {
			return strings.Compare(fmt.Sprint(a.Type+10, a.Name), fmt.Sprint(b.Type+10, b.Name))
		})
		if !slices.EqualFunc(got, want, func(a, b *model.Resource) bool { return a.Equal(b) && bytes.Equal(a.Body, b.Body) }) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}

// zipped is a stream of these bytes; behind says what follows it.
func zipped(plain, behind string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(plain))
	_ = w.Close()
	return append(b.Bytes(), behind...)
}

func TestDamagedViews(t *testing.T) {
	const magic = "weft view 1\n"
	whole := snapshot.EncodeView(resources(1))
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":          {nil, "EOF"},
		"not compressed":   {[]byte(magic), "gzip"},
		"truncated":        {whole[:len(whole)/2], "unexpected EOF"},
		"no magic":         {zipped("weft view 2\n", ""), "does not begin"},
		"unknown type":     {zipped(magic+"\x08", ""), "no type 8"},
		"a type alone":     {zipped(magic+"\x01", ""), "resource 0: it is cut off"},
		"a long name":      {zipped(magic+"\x01\x05ab", ""), "cut off"},
		"many needs":       {zipped(magic+"\x01\x01a\x00\xff\xff\xff\xff\x0f", ""), "cut off"},
		"many aliases":     {zipped(magic+"\x01\x01a\xff\xff\xff\xff\x0f", ""), "cut off"},
		"twice":            {zipped(magic+"\x01\x01a\x00\x00\x00\x01\x01a\x00\x00\x00", ""), `resource 1: Cluster "a" is not in its place`},
		"wrong order":      {zipped(magic+"\x01\x01b\x00\x00\x00\x01\x01a\x00\x00\x00", ""), "not in its place"},
		"bytes behind it":  {append(slices.Clone(whole), 1), "1 bytes follow"},
		"a stream behind":  {append(slices.Clone(whole), whole...), "bytes follow"},
		"more than may be": {zipped(strings.Repeat("a", snapshot.MaxView+1), ""), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := snapshot.DecodeView(c.data)
			if !errors.Is(err, snapshot.ErrDamaged) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want ErrDamaged that says %q", err, c.says)
			}
		})
	}
}

// What is read as a view is one: written again it reads the same. Nothing else panics.
func FuzzDecodeView(f *testing.F) {
	for seed := range uint64(4) {
		data := snapshot.EncodeView(resources(seed))
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add(zipped("weft view 1\n\x01\x81\x00a\x00\x00\x00", ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := snapshot.DecodeView(data)
		if err != nil {
			if !errors.Is(err, snapshot.ErrDamaged) {
				t.Errorf("%v is not ErrDamaged", err)
			}
			return
		}
		again, err := snapshot.DecodeView(snapshot.EncodeView(got))
		if err != nil || !slices.EqualFunc(got, again, (*model.Resource).Equal) {
			t.Errorf("%v reads as %v, %v when it is written again", got, again, err)
		}
	})
}
