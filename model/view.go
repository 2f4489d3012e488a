package model

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// Layer is a part of a view that several views may share. Key: Name.
type Layer struct {
	Name      string
	Resources [NumTypes][]*Resource // each sorted by name

	runs [NumTypes]atomic.Pointer[[]byte]
}

// NewLayer sorts resources into a layer. Two of one type and name are a
// mistake of the compiler, and panic.
func NewLayer(name string, resources ...*Resource) *Layer {
	l := &Layer{Name: name}
	for _, r := range resources {
		l.Resources[r.Type] = append(l.Resources[r.Type], r)
	}
	for t, all := range l.Resources {
		slices.SortFunc(all, func(a, b *Resource) int { return cmp.Compare(a.Name, b.Name) })
		for i := 1; i < len(all); i++ {
			if all[i-1].Name == all[i].Name {
				panic(fmt.Sprintf("layer %s: two resources %v %q", name, Type(t), all[i].Name))
			}
		}
	}
	return l
}

func (l *Layer) Key() string { return l.Name }

// Equal says whether both have equal resources.
func (l *Layer) Equal(o *Layer) bool {
	if l == o {
		return true
	}
	if l.Name != o.Name {
		return false
	}
	for t := range NumTypes {
		if !slices.EqualFunc(l.Resources[t], o.Resources[t], (*Resource).Equal) {
			return false
		}
	}
	return true
}

// Run is Head and Body of each resource of a type, one after the other. It is put
// together when somebody asks, and then kept, in memory of its own.
func (l *Layer) Run(t Type) []byte {
	if run := l.runs[t].Load(); run != nil {
		return *run
	}
	run := make([]byte, 0, l.Size(t))
	for _, r := range l.Resources[t] {
		run = append(append(run, r.Head...), r.Body...)
	}
	l.runs[t].Store(&run)
	return run
}

// Size is how long Run is, in bytes.
func (l *Layer) Size(t Type) (bytes int) {
	for _, r := range l.Resources[t] {
		bytes += r.Size()
	}
	return bytes
}

// search finds the place of a name, or where it would be.
func (l *Layer) search(t Type, name string) (int, bool) {
	return slices.BinarySearchFunc(l.Resources[t], name, func(r *Resource, name string) int { return cmp.Compare(r.Name, name) })
}

// Outline says of which layers the view of a scope is made. It changes when
// what the scope may receive does, and not when a layer's content changes: one
// change of a layer that a thousand views share touches none of them. Key: Scope.
type Outline struct {
	Scope string // key of the scope
	// Layers are few: what is the scope's own, and the services that it knows.
	Layers []string
	// Shelves are for scopes that know everything: each is ShelfSize layers,
	// named by ShelfLayer, and holds a resource in the layer of its name.
	Shelves []string
}

func (o *Outline) Key() string { return o.Scope }

// Equal compares names, not what the layers hold.
func (o *Outline) Equal(p *Outline) bool {
	return o == p || o.Scope == p.Scope && slices.Equal(o.Layers, p.Layers) && slices.Equal(o.Shelves, p.Shelves)
}

// LayerNames are those of all layers.
func (o *Outline) LayerNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range o.Layers {
			if !yield(name) {
				return
			}
		}
		for _, shelf := range o.Shelves {
			for i := range ShelfSize {
				if !yield(ShelfLayer(shelf, i)) {
					return
				}
			}
		}
	}
}

// View is the outline with its layers, as find knows them; those that it does
// not know are empty.
func (o *Outline) View(find func(layer string) *Layer) *View {
	var layers []*Layer
	for name := range o.LayerNames() {
		layers = append(layers, find(name))
	}
	return o.Of(layers)
}

// Of is View where the layers are found: one for each of LayerNames, nil where there is none.
func (o *Outline) Of(layers []*Layer) *View {
	v := &View{Scope: o.Scope}
	for _, l := range layers[:len(o.Layers)] {
		if l != nil {
			v.Layers = append(v.Layers, l)
		}
	}
	for shelf := range slices.Chunk(layers[len(o.Layers):], ShelfSize) {
		shelf = slices.Clone(shelf)
		for i, l := range shelf {
			if l == nil {
				shelf[i] = NoLayer
			}
		}
		v.Shelves = append(v.Shelves, shelf)
	}
	return v
}

// NoLayer is where there is none.
var NoLayer = &Layer{}

// ShelfSize is how many layers share the resources of a whole mesh, so that a
// change rebuilds and compares a small part of them.
const ShelfSize = 64

// ShelfIndex is the layer of a shelf that holds the resources of a name, the same on every
// server. It is asked for every name of every request, so it takes eight bytes at a time.
func ShelfIndex(name string) int {
	const odd = 0x9e3779b97f4a7c15
	h := uint64(len(name))
	for ; len(name) >= 8; name = name[8:] {
		h = (h ^ word(name)) * odd
		h ^= h >> 32
	}
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * odd
	}
	return int(h >> 58 % ShelfSize)
}

// word is the first eight bytes of a text: the compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// ShelfLayer names a layer of a shelf.
func ShelfLayer(shelf string, i int) string { return fmt.Sprintf("%s/%02x", shelf, i) }

// View is all that the proxies of one scope receive, at one revision. No two
// layers of it have a resource of one type and name.
type View struct {
	Scope   string // key of the scope
	Layers  []*Layer
	Shelves [][]*Layer // ShelfSize layers each

	whole  sync.Once
	closed bool
	lists  [NumTypes]list
}

// list is a type of a view in one piece.
type list struct {
	once   sync.Once
	all    []*Resource
	layers []Span
}

// Span is a layer's resources of a type in the list of all.
type Span struct {
	*Layer
	From, To int
}

// List is All of a type, and which part of it is whose. It is made when somebody asks, and shared.
func (v *View) List(t Type) ([]*Resource, []Span) {
	l := &v.lists[t]
	l.once.Do(func() {
		l.all = make([]*Resource, 0, v.Count(t))
		for layer := range v.EachLayer() {
			from := len(l.all)
			l.all = append(l.all, layer.Resources[t]...)
			l.layers = append(l.layers, Span{layer, from, len(l.all)})
		}
	})
	return l.all, l.layers
}

// Closed says whether the view has every cluster that its resources need.
func (v *View) Closed() bool {
	v.whole.Do(func() {
		for t := range NumTypes {
			for r := range v.All(t) {
				for _, cluster := range r.Needs {
					if v.Find(TypeCluster, cluster) == nil {
						return
					}
				}
			}
		}
		v.closed = true
	})
	return v.closed
}

// Find returns the resource of a name, or nil.
func (v *View) Find(t Type, name string) *Resource {
	r, _, _ := v.find(t, name)
	return r
}

// Place is Find with the resource's place in List.
func (v *View) Place(t Type, name string) (*Resource, int) {
	r, layer, at := v.find(t, name)
	if r == nil {
		return nil, 0
	}
	_, layers := v.List(t)
	return r, layers[layer].From + at
}

// find returns also the layer's place among EachLayer, and the resource's in it.
func (v *View) find(t Type, name string) (r *Resource, layer, at int) {
	if len(v.Shelves) > 0 {
		i := ShelfIndex(name)
		for j, shelf := range v.Shelves {
			if at, found := shelf[i].search(t, name); found {
				return shelf[i].Resources[t][at], len(v.Layers) + j*ShelfSize + i, at
			}
		}
	}
	for i, l := range v.Layers {
		if at, found := l.search(t, name); found {
			return l.Resources[t][at], i, at
		}
	}
	return nil, 0, 0
}

// All yields every resource of a type, layer by layer, by name.
func (v *View) All(t Type) iter.Seq[*Resource] {
	return func(yield func(*Resource) bool) {
		for l := range v.EachLayer() {
			for _, r := range l.Resources[t] {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Count is how many resources of a type there are.
func (v *View) Count(t Type) (n int) {
	for l := range v.EachLayer() {
		n += len(l.Resources[t])
	}
	return n
}

// EachLayer yields the layers, those of shelves last.
func (v *View) EachLayer() iter.Seq[*Layer] {
	return func(yield func(*Layer) bool) {
		for _, l := range v.Layers {
			if !yield(l) {
				return
			}
		}
		for _, shelf := range v.Shelves {
			for _, l := range shelf {
				if !yield(l) {
					return
				}
			}
		}
	}
}

// Assignment says which view the proxies of replicas receive. Key: Replicas. It exists for as
// long as they do, connected or not.
type Assignment struct {
	Replicas  string // ID
	Scope     string
	Instances []*Instance // the proxies
}

func (a Assignment) Key() string { return a.Replicas }

func (a Assignment) Equal(o Assignment) bool {
	return a.Replicas == o.Replicas && a.Scope == o.Scope && slices.EqualFunc(a.Instances, o.Instances, (*Instance).equal)
}

// Families are those of the instances, as in Replicas.
func (a Assignment) Families() []string { return families(a.Instances) }

// ScopeOf finds the scope of a proxy among the assignments of its family; "": there is none.
func ScopeOf(family []Assignment, proxy string) string {
	for _, a := range family {
		if _, found := instanceOf(a.Instances, proxy); found {
			return a.Scope
		}
	}
	return ""
}

// Moved are the proxies, by key, that receive another view by a change of an assignment.
func Moved(old, now *Assignment) (all []string) {
	if old == nil {
		old = &Assignment{}
	}
	if now == nil {
		now = &Assignment{}
	}
	differ := func(a, b *Assignment) {
		for _, i := range a.Instances {
			if _, stays := instanceOf(b.Instances, i.Workload); !stays || old.Scope != now.Scope {
				all = append(all, i.Workload)
			}
		}
	}
	differ(old, now)
	differ(now, old)
	slices.Sort(all)
	return slices.Compact(all)
}
