package scope

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"weft.dev/flow"
	"weft.dev/model"
)

// LookEvery is how often counted calls are looked at.
const LookEvery = time.Minute

// Memory keeps what accounts learned, for all servers of a mesh.
type Memory interface {
	// List is all that is kept.
	List(ctx context.Context) ([]model.Learned, error)
	// Watch tells, from one goroutine, what is kept of each account, and of one again whenever that
	// changed, by whomever, until ctx ends.
	Watch(ctx context.Context, told func(Account, []model.Learned)) error
	// Change makes of what is kept of each account what change makes of it. Change may be called again
	// for an account, with what somebody else wrote meanwhile; equal rows are not written.
	Change(ctx context.Context, accounts []Account, change func(Account, []model.Learned) []model.Learned) error
}

// Call is that a workload of an account called a host.
type Call struct {
	Account Account
	Host    string
}

// RecorderOptions are what a Recorder works with.
type RecorderOptions struct {
	Graph   *flow.Graph
	Scopes  *Scopes
	Learned *flow.Source[model.Learned] // the one that Scopes reads; the recorder alone writes it
	Memory  Memory
	Calls   func(since time.Time) []Call // counted since then; nil: nobody counts
	Now     func() time.Time
	Log     *slog.Logger
}

// Recorder writes into a Memory what accounts call, and keeps the rows of
// Learned as the Memory has them.
type Recorder struct {
	o     RecorderOptions
	began time.Time
	woken chan struct{} // holds one; asks have changed

	mu     sync.Mutex // never held while something is submitted: observers take it
	kept   map[Account][]model.Learned
	wanted map[Account]map[string]bool
	called map[Account]map[string]bool // not yet written
	dirty  map[Account]bool            // asked for something new
	looked time.Time
}

// NewRecorder wires a recorder, which works while it Runs. Part of the wiring
// of the graph.
func NewRecorder(o RecorderOptions) *Recorder {
	r := &Recorder{
		o: o, began: o.Now(), looked: o.Now(), woken: make(chan struct{}, 1),
		kept: map[Account][]model.Learned{}, wanted: map[Account]map[string]bool{},
		called: map[Account]map[string]bool{}, dirty: map[Account]bool{},
	}
	if o.Scopes.wanted != nil {
		o.Scopes.wanted.Observe(r.asksChanged)
	}
	return r
}

// Load reads the memory. Until it is done nothing should be served: proxies
// would lose what they know.
func (r *Recorder) Load(ctx context.Context) error {
	all, err := r.o.Memory.List(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	for _, l := range all {
		a := Account{l.Namespace, l.Account}
		r.kept[a] = append(r.kept[a], l)
	}
	r.mu.Unlock()
	r.o.Graph.Commit(func(tx *flow.Tx) { r.o.Learned.Replace(tx, "", all) })
	return nil
}

// Run works until ctx ends. Call Load before.
func (r *Recorder) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- r.o.Memory.Watch(ctx, r.told) }()
	look := time.NewTicker(LookEvery)
	defer look.Stop()
	for {
		select {
		case err := <-watched:
			return err
		case <-r.woken:
			r.write(ctx, r.takeDirty())
		case <-look.C:
			r.look()
			r.write(ctx, r.everyAccount())
		}
	}
}

// asksChanged runs within a commit, and only takes note.
func (r *Recorder) asksChanged(_ flow.Revision, changes []flow.Change[want]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		if c.New == nil {
			mark(r.wanted, c.Old.Account, c.Old.Host, false)
			continue
		}
		mark(r.wanted, c.New.Account, c.New.Host, true)
		r.dirty[c.New.Account] = true
	}
	select {
	case r.woken <- struct{}{}:
	default: // it will look at all of dirty
	}
}

// mark adds or removes a host of an account.
func mark(of map[Account]map[string]bool, a Account, host string, add bool) {
	if !add {
		if delete(of[a], host); len(of[a]) == 0 {
			delete(of, a)
		}
		return
	}
	if of[a] == nil {
		of[a] = map[string]bool{}
	}
	of[a][host] = true
}

func (r *Recorder) takeDirty() []Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	accounts := slices.SortedFunc(maps.Keys(r.dirty), Account.Compare)
	r.dirty = map[Account]bool{}
	return accounts
}

func (r *Recorder) everyAccount() []Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	accounts := slices.Collect(maps.Keys(r.kept))
	accounts = slices.AppendSeq(accounts, maps.Keys(r.wanted))
	accounts = slices.AppendSeq(accounts, maps.Keys(r.called))
	slices.SortFunc(accounts, Account.Compare)
	return slices.Compact(accounts)
}

// look takes in what was counted. A report is an agent's word: it counts only
// for accounts that learn, and for services that there are.
func (r *Recorder) look() {
	if r.o.Calls == nil {
		return
	}
	now := r.o.Now()
	calls := r.o.Calls(r.looked)
	r.looked = now
	for _, c := range calls {
		n, _ := r.o.Scopes.accounts.Get(c.Account.String())
		if _, exists := r.o.Scopes.names.services.Get(c.Host); !n.Learns || !exists {
			continue
		}
		r.mu.Lock()
		mark(r.called, c.Account, c.Host, true)
		r.mu.Unlock()
	}
}

// write changes the memory where what was seen makes it another. What fails is
// tried again at the next look: what was seen stays noted.
func (r *Recorder) write(ctx context.Context, accounts []Account) {
	now := r.o.Now().UTC().Truncate(time.Second) // as a memory keeps it
	forget := now.Sub(r.began) >= RefreshEvery   // by then others have said what is in use
	change := func(a Account, kept []model.Learned) []model.Learned {
		return learn(a, kept, r.evidence(a), now, forget)
	}
	due := slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool {
		kept := r.keptOf(a)
		return slices.EqualFunc(change(a, kept), kept, model.Learned.Equal)
	})
	if len(due) > 0 {
		if err := r.o.Memory.Change(ctx, due, change); err != nil {
			if ctx.Err() == nil {
				r.o.Log.Warn("what workloads call is not written down yet", "accounts", len(due), "error", err)
			}
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range accounts {
		delete(r.called, a)
	}
}

// evidence is a copy: asks go on.
func (r *Recorder) evidence(a Account) evidence {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := evidence{wanted: map[string]bool{}, called: map[string]bool{}}
	for host := range r.wanted[a] {
		e.wanted[host] = true
	}
	for host := range r.called[a] {
		e.called[host] = true
	}
	return e
}

func (r *Recorder) keptOf(a Account) []model.Learned {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept[a]
}

// told makes the rows of an account those that the memory has.
func (r *Recorder) told(a Account, now []model.Learned) {
	now = slices.SortedFunc(slices.Values(now), compareHosts)
	r.mu.Lock()
	before := r.kept[a]
	if r.kept[a] = now; len(now) == 0 {
		delete(r.kept, a)
	}
	r.mu.Unlock()
	if slices.EqualFunc(before, now, model.Learned.Equal) {
		return
	}
	r.o.Graph.Submit(func(tx *flow.Tx) {
		for _, l := range before {
			if _, still := slices.BinarySearchFunc(now, l, compareHosts); !still {
				r.o.Learned.Delete(tx, l.Key())
			}
		}
		for _, l := range now {
			r.o.Learned.Set(tx, l)
		}
	})
}
