package relay

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/identity"
)

// Whatever stands under a true checksum is read without harm, and what is read
// is read the same after it was written again.
func FuzzCache(f *testing.F) {
	whole, err := New(map[string]map[string]*resource{clusters: {"a": named("a", "1"), "b": named("b", "2")}}).encode()
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(whole, []byte("\n"))
	for _, seed := range [][]byte{body, body[:len(body)-1], {}, {0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, append(bytes.Clone(body), body...), {2, 0x12, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := Cache{identity.Dir(t.TempDir())}
		if err := c.Save(append([]byte(header(body)+"\n"), body...)); err != nil {
			t.Fatal(err)
		}
		held, err := c.Load()
		if err != nil {
			if len(held) > 0 {
				t.Errorf("%v, and yet %v", err, held)
			}
			return
		}
		checkRoundTrip(t, c, held)
	})
}

func checkRoundTrip(t *testing.T, c Cache, held map[string]map[string]*resource) {
	t.Helper()
	data, err := New(held).encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(data); err != nil {
		t.Fatal(err)
	}
	again, err := c.Load()
	same := func(a, b map[string]*resource) bool {
		return maps.EqualFunc(a, b, func(a, b *resource) bool { return proto.Equal(a, b) })
	}
	if err != nil || !maps.EqualFunc(held, again, same) {
		t.Errorf("%d types are read back as %d, %v", len(held), len(again), err)
	}
}

// A mesh of thousands of services fits.
func TestLargeCache(t *testing.T) {
	one := named("a", "1")
	one.Resource = &anypb.Any{Value: []byte(strings.Repeat("x", 20<<20))}
	checkRoundTrip(t, Cache{identity.Dir(t.TempDir())}, map[string]map[string]*resource{clusters: {"a": one}})
}
