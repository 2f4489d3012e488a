package poll

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"weft.dev/model"
	"weft.dev/snapshot"
)

const (
	// DefaultInterval is between two looks at the index.
	DefaultInterval = 5 * time.Second

	backoff     = 12               // intervals, at most, between two looks while there is trouble
	requestTime = 30 * time.Second // of one file
)

// Store reads what was published at a place.
type Store interface {
	// Read returns a file of at most so many bytes, and a tag of what it is. Where the
	// tag is still known, data is nil.
	Read(ctx context.Context, name, known string, most int64) (data []byte, tag string, err error)
}

// Options are whose view is read, and from where.
type Options struct {
	Store                Store
	Target               string // the store's name: another one begins anew
	Trusted              []ed25519.PublicKey
	Namespace, Name, App string
	Interval             time.Duration // 0: DefaultInterval
	Files                Files         // of the workload
	Log                  *slog.Logger
	// Has is how many resources of a type are in use.
	Has func(model.Type) int
	// Use takes a view into use.
	Use func([]*model.Resource)
}

// Poll follows the view of one workload.
type Poll struct {
	Options
	memory memory         // as it is on disk
	index  snapshot.Index // the newest that was believed
	tag    string         // of its file

	mu    sync.Mutex
	state State
}

// State is what is known of the published configuration, for people.
type State struct {
	Sequence uint64          `json:"sequence"`           // of the index whose view was handed on; 0: none since the start
	Revision string          `json:"revision,omitempty"` // what that was compiled from
	View     snapshot.Digest `json:"view,omitempty"`
	Trouble  string          `json:"trouble,omitempty"` // why nothing newer can be had
}

// New reads what was seen before.
func New(o Options) *Poll {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	p := &Poll{Options: o}
	var err error
	if p.memory, err = remember(o.Files, o.Target); err != nil {
		o.Log.Error("which index was the newest is not known any more: the one that is published now is taken", "why", err)
	}
	return p
}

// State may be asked at any time.
func (p *Poll) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Run looks until ctx ends: with jitter, because a thousand agents must not come
// together, and less often while there is trouble.
func (p *Poll) Run(ctx context.Context) {
	wait := p.Interval
	for {
		err := p.look(ctx)
		if ctx.Err() != nil {
			return
		}
		p.say(err)
		if wait *= 2; err == nil {
			wait = p.Interval
		}
		wait = min(wait, backoff*p.Interval)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait*3/4 + rand.N(wait/2)):
		}
	}
}

// trouble is why nothing newer is taken. Of the same kind it is said once.
type trouble struct {
	kind string
	err  error
}

func (t *trouble) Error() string { return t.kind + ": " + t.err.Error() }

// say logs what has changed since the last look, and nothing else.
func (p *Poll) say(now *trouble) {
	kind := ""
	if now != nil {
		kind = now.kind
	}
	p.mu.Lock()
	before := p.state.Trouble
	p.state.Trouble = kind
	p.mu.Unlock()
	switch {
	case kind == before:
	case now == nil:
		p.Log.Info("the published configuration can be had again", "from", p.Target)
	default:
		p.Log.Error(kind+"; Envoy keeps what it has", "from", p.Target, "why", now.err)
	}
}

// look takes what is new, and remembers that before and after.
func (p *Poll) look(ctx context.Context) *trouble {
	if t := p.lookAtIndex(ctx); t != nil {
		return t
	}
	_ = p.memory.save(p.Files) // said below
	if t := p.lookAtView(ctx); t != nil {
		return t
	}
	if err := p.memory.save(p.Files); err != nil {
		return &trouble{"which published index is the newest is not on disk", err}
	}
	return nil
}

// lookAtIndex has p.index be what is published, if that can be believed.
func (p *Poll) lookAtIndex(ctx context.Context) *trouble {
	data, tag, err := p.read(ctx, snapshot.IndexFile, p.tag, snapshot.MaxIndex)
	if err != nil {
		return &trouble{"the published index cannot be read", err}
	}
	if data == nil {
		return nil
	}
	next, err := snapshot.Open(data, p.Trusted)
	if err == nil && next.Sequence < p.memory.Newest {
		err = fmt.Errorf("index %d is older than %d, which was published before", next.Sequence, p.memory.Newest)
	}
	if err != nil {
		return &trouble{"the published index is refused", err}
	}
	p.index, p.tag = next, tag
	p.memory.Newest = next.Sequence
	return nil
}

// lookAtView takes the view that the index has for this workload, unless it has been taken.
func (p *Poll) lookAtView(ctx context.Context) *trouble {
	digest, ok := p.index.Find(p.Namespace, p.Name, p.App)
	if !ok {
		return &trouble{"the published index has no view for this workload",
			fmt.Errorf("neither %s/%s nor its app %q is in index %d: the repository must name one of them", p.Namespace, p.Name, p.App, p.index.Sequence)}
	}
	if digest != p.state.View {
		data, _, err := p.read(ctx, digest.Path(), "", snapshot.MaxView)
		if err != nil {
			return &trouble{"the published view cannot be read", err}
		}
		if err := p.take(data, digest); err != nil {
			return &trouble{"the published view is refused", err}
		}
	}
	p.memory.Taken = p.index.Sequence
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Sequence, p.state.Revision, p.state.View = p.index.Sequence, p.index.Revision, digest
	return nil
}

// take hands a view on, if it is what it should be.
func (p *Poll) take(data []byte, digest snapshot.Digest) error {
	if got := snapshot.DigestOf(data); got != digest {
		return fmt.Errorf("%s holds %d bytes of digest %s", digest.Path(), len(data), got)
	}
	view, err := snapshot.DecodeView(data)
	if err != nil {
		return err
	}
	if err := p.vanishes(view); err != nil {
		return err
	}
	p.Use(view)
	return nil
}

// vanishes says what a view would take away that must not go by mistake.
func (p *Poll) vanishes(view []*model.Resource) error {
	if p.index.Removals > p.memory.Taken {
		return nil // somebody said so
	}
	has := map[model.Type]bool{}
	for _, r := range view {
		has[r.Type] = true
	}
	for _, t := range []model.Type{model.TypeCluster, model.TypeListener} {
		if n := p.Has(t); n > 0 && !has[t] {
			return fmt.Errorf("all %d resources %v would go: publish with --allow-removals if they must", n, t)
		}
	}
	return nil
}

func (p *Poll) read(ctx context.Context, name, known string, most int64) ([]byte, string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	return p.Store.Read(ctx, name, known, most)
}
