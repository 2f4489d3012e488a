package compile

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// interner makes equal resources one pointer, for as long as somebody holds it:
// a thousand scopes whose inbound cluster is the same share its bytes.
type interner struct {
	mu    sync.Mutex
	known map[identity]weak.Pointer[model.Resource]
}

// identity is what makes two resources one. Provenance is part of it: equal
// bytes that other objects caused are another resource to a person who asks.
type identity struct {
	kind    model.Type
	name    string
	version uint64
	from    string
}

func newInterner() *interner {
	return &interner{known: map[identity]weak.Pointer[model.Resource]{}}
}

// resource encodes m and returns the one resource of that content.
func (in *interner) resource(t model.Type, name string, m proto.Message, needs []string, from ...model.Key) *model.Resource {
	return in.share(model.NewResource(model.Resource{Type: t, Name: name, Body: encode(m), Needs: needs, From: slices.Clone(from)}))
}

// share returns the one resource that r is.
func (in *interner) share(r *model.Resource) *model.Resource {
	id := identity{kind: r.Type, name: r.Name, version: r.Version, from: keyList(r.From)}
	in.mu.Lock()
	defer in.mu.Unlock()
	if known, ok := in.known[id]; ok {
		if shared := known.Value(); shared != nil {
			return shared
		}
	}
	in.known[id] = weak.Make(r)
	runtime.AddCleanup(r, in.forget, id)
	return r
}

func (in *interner) forget(id identity) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if known, ok := in.known[id]; ok && known.Value() == nil {
		delete(in.known, id)
	}
}

func keyList(keys []model.Key) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k.String())
		b.WriteByte('\n')
	}
	return b.String()
}
