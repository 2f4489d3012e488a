package flow

import "fmt"

// Read is how something was read.
type Read string

const (
	ReadRow   Read = "row"   // Key is a row's key
	ReadIndex Read = "index" // Key is a value of an index: all rows filed under it
	ReadAll   Read = "all"   // the whole collection
)

// Ref is something that a row came from. It may name what was not there: a row
// that was looked for is a reason, too.
type Ref struct {
	Collection, Key string
	How             Read
}

func (r Ref) String() string {
	switch r.How {
	case ReadIndex:
		return r.Collection + "[*=" + r.Key + "]"
	case ReadAll:
		return r.Collection + "[*]"
	}
	return r.Collection + "[" + r.Key + "]"
}

// Fault is something that the graph did not take. All faults are our mistakes,
// or two origins that disagree; people's mistakes are rows.
type Fault struct {
	Collection string
	Key        string // of the row; empty: the input gave no row
	Input      string // what was not taken came from here
	Text       string
}

func (f Fault) String() string {
	return fmt.Sprintf("%s[%s] from %s: %s", f.Collection, f.Key, f.Input, f.Text)
}

// Inputs is what a row came from: its input first, then all that was read
// beside it, in the order of reading. Nil for rows of sources and for rows that
// do not exist. Ask again with a result to walk to the sources.
func (g *Graph) Inputs(collection, key string) []Ref {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := g.names[collection]
	if n == nil {
		return nil
	}
	return n.inputs(key)
}

// Faults are those of now, in the order of collections.
func (g *Graph) Faults() []Fault {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var all []Fault
	for _, n := range g.nodes {
		all = append(all, n.faults()...)
	}
	return all
}

func (d *derivation[O]) inputs(key string) []Ref {
	e := d.rows[key]
	if e == nil {
		return nil
	}
	refs := []Ref{d.input(e.from)}
	for _, dep := range d.made[e.from].deps {
		refs = append(refs, Ref{Collection: dep.from.collection, Key: dep.key, How: dep.from.how})
	}
	return refs
}

func (d *derivation[O]) faults() []Fault {
	var all []Fault
	for _, input := range sortedKeys(d.broken) {
		all = append(all, Fault{Collection: d.name, Input: d.input(input).String(), Text: d.broken[input]})
	}
	for _, key := range sortedKeys(d.also) {
		for _, input := range d.also[key] {
			all = append(all, notTaken(d.name, key, d.input(input), d.input(d.rows[key].from)))
		}
	}
	return all
}

// notTaken is the fault of an input that gave a row of another's key.
func notTaken(collection, key string, input, owner Ref) Fault {
	return Fault{Collection: collection, Key: key, Input: input.String(), Text: "row not taken: " + owner.String() + " gives the same key"}
}
