package flow

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// DefaultQueue is how many submitted stages may wait for the next commit
// before Submit blocks its caller.
const DefaultQueue = 4096

// Revision numbers the commits that changed something. 0: nothing was ever committed.
type Revision uint64

// Row is what a collection holds. Key is unique within the collection. Equal
// decides whether a recomputed row is news: two rows that differ only in what
// no reader cares for may be equal.
type Row[V any] interface {
	Key() string
	Equal(V) bool
}

// Options of a graph. The zero value is for tests: any fault of a derivation panics.
type Options struct {
	// KeepLastGood makes a panic in a derivation a counted fault: what its
	// input row gave before stays, until the row or something it read changes.
	KeepLastGood bool
	// Queue is how many submitted stages may wait; 0: DefaultQueue.
	Queue int
}

// Graph is a set of collections that change together. Wire it completely, then
// commit: constructors panic after the first commit.
type Graph struct {
	opts    Options
	commits sync.Mutex   // held by the one running commit, its observers included
	mu      sync.RWMutex // guards all rows; a commit holds it while it settles
	rev     Revision
	sealed  bool
	nodes   []node // in the order of construction, which is topological
	names   map[string]node

	queue    chan func(*Tx)
	draining atomic.Bool
	runs     atomic.Uint64
	faulty   atomic.Uint64
	told     atomic.Uint64 // newest revision that all observers have heard of
}

// node is a collection without its row type.
type node interface {
	settle() (changed bool) // takes in what is staged or dirty
	publish(Revision)       // tells observers and forgets the changes
	discard()               // forgets what is staged
	inputs(key string) []Ref
	faults() []Fault
}

// Tx is one commit's chance to stage writes. It is valid only inside the stage
// function that received it.
type Tx struct {
	g       *Graph
	refused []func() // writes that are not let in, noted when the commit settles
}

// refuse counts a write that has no effect, and has it noted.
func (tx *Tx) refuse(note func()) { tx.refused = append(tx.refused, note) }

// New makes an empty graph.
func New(o Options) *Graph {
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	return &Graph{opts: o, names: map[string]node{}, queue: make(chan func(*Tx), o.Queue)}
}

// add registers a node and returns its place in the order.
func (g *Graph) add(name string, n node) int {
	if g.sealed {
		panic(fmt.Sprintf("flow: %s: made after the first commit; wire the whole graph before it", name))
	}
	if g.names[name] != nil {
		panic(fmt.Sprintf("flow: %s: name taken by another collection of this graph", name))
	}
	g.names[name] = n
	g.nodes = append(g.nodes, n)
	return len(g.nodes) - 1
}

// Commit runs stage, settles every collection once and tells the observers.
// Stages that were submitted before are part of it and run first. It returns
// the revision that holds the result; a commit that changes nothing has the
// revision before it. If stage panics, nothing of the commit remains.
//
// Neither a stage nor an observer may call Commit: they run inside of one.
func (g *Graph) Commit(stage func(*Tx)) Revision {
	g.commits.Lock()
	defer g.commits.Unlock()
	g.sealed = true
	if !g.settle(g.stage(stage)) {
		return g.rev
	}
	for _, n := range g.nodes {
		n.publish(g.rev)
	}
	g.told.Store(uint64(g.rev))
	return g.rev
}

// stage runs the submitted stages, then last.
func (g *Graph) stage(last func(*Tx)) *Tx {
	done := false
	defer func() {
		if done {
			return
		}
		for _, n := range g.nodes {
			n.discard()
		}
	}()
	tx := &Tx{g: g}
	for range len(g.queue) {
		(<-g.queue)(tx)
	}
	last(tx)
	tx.g = nil // whoever kept it can write no more
	done = true
	return tx
}

func (g *Graph) settle(tx *Tx) (changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.nodes {
		if n.settle() {
			changed = true
		}
	}
	for _, note := range tx.refused {
		note()
	}
	g.faulty.Add(uint64(len(tx.refused)))
	if changed {
		g.rev++
	}
	return changed
}

// Submit puts stage into the next commit and returns. What is submitted while
// a commit runs goes into one commit after it: load makes batches, no timer
// does. Submit blocks while the queue is full, so an observer, which the
// commit waits for, must submit only a few stages.
func (g *Graph) Submit(stage func(*Tx)) {
	g.queue <- stage
	if g.draining.CompareAndSwap(false, true) {
		go g.drain()
	}
}

func (g *Graph) drain() {
	for {
		g.Commit(func(*Tx) {})
		g.draining.Store(false)
		// A stage that came before the store found draining set: it is ours.
		if len(g.queue) == 0 || !g.draining.CompareAndSwap(false, true) {
			return
		}
	}
}

// View reads one revision: no commit settles while read runs. Keep it short,
// and call nothing in it that commits or views.
func (g *Graph) View(read func(*Ctx)) Revision {
	g.mu.RLock()
	defer g.mu.RUnlock()
	read(&Ctx{g: g, order: len(g.nodes)})
	return g.rev
}

// Revision is that of the last commit that changed something.
func (g *Graph) Revision() Revision {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.rev
}

// Published is the newest revision that all observers have heard of: until it
// has come, what one observer learned of a revision another may not know.
func (g *Graph) Published() Revision { return Revision(g.told.Load()) }

// Stats counts since the graph was made.
type Stats struct {
	Runs   uint64 // calls of derivation functions: the work that changes caused
	Faults uint64 // panics kept and rows not taken; see Graph.Faults for those of now
	Queued int    // submitted stages that wait now
}

// Stats may be called at any time.
func (g *Graph) Stats() Stats {
	return Stats{Runs: g.runs.Load(), Faults: g.faulty.Load(), Queued: len(g.queue)}
}
