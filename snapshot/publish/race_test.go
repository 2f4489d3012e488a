package publish_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/snapshot"
	"weft.dev/snapshot/publish"
	"weft.dev/snapshot/store"
	"weft.dev/test/objectstore"
)

var interleavings = flag.Uint64("interleavings", 1000, "of each store on this machine; -short: 50")

// memory is a store whose tags are numbers.
type memory struct {
	mu    sync.Mutex
	count int
	files map[string]file
}

type file struct {
	data    []byte
	tag     string
	written time.Time
}

func newMemory() *memory { return &memory{files: map[string]file{}} }

func (m *memory) String() string { return "memory" }

func (m *memory) Read(_ context.Context, name, known string, _ int64) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	switch {
	case !ok:
		return nil, "", fs.ErrNotExist
	case f.tag == known:
		return nil, known, nil
	}
	return f.data, f.tag, nil
}

func (m *memory) Put(_ context.Context, name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	m.files[name] = file{data, fmt.Sprint(m.count), time.Now()}
	return nil
}

func (m *memory) Swap(ctx context.Context, name, tag string, data []byte) error {
	m.mu.Lock()
	now := m.files[name].tag
	m.mu.Unlock()
	if now != tag {
		return store.ErrChanged
	}
	return m.Put(ctx, name, data)
}

func (m *memory) List(_ context.Context, folder string) (all []store.Entry, err error) {
	for name, f := range m.files {
		if strings.HasPrefix(name, folder) {
			all = append(all, store.Entry{Name: name, Written: f.written})
		}
	}
	return all, nil
}

func (m *memory) Remove(_ context.Context, name string) error {
	delete(m.files, name)
	return nil
}

var errLost = errors.New("the answer is lost")

// turns is a store of which each call waits for its turn; some answers are lost,
// before or after what was asked for was done.
type turns struct {
	store.Writer
	arrive chan<- int // who waits
	turn   chan fault
	who    int
}

type fault int

const (
	none fault = iota
	before
	after
)

func (s turns) call(do func() error) error {
	s.arrive <- s.who
	what := <-s.turn
	if what == before {
		return errLost
	}
	err := do()
	if what == after {
		return errLost
	}
	return err
}

func (s turns) Read(ctx context.Context, name, known string, most int64) (data []byte, tag string, err error) {
	err = s.call(func() (err error) { data, tag, err = s.Writer.Read(ctx, name, known, most); return err })
	return data, tag, err
}

func (s turns) Put(ctx context.Context, name string, data []byte) error {
	return s.call(func() error { return s.Writer.Put(ctx, name, data) })
}

func (s turns) Swap(ctx context.Context, name, tag string, data []byte) error {
	return s.call(func() error { return s.Writer.Swap(ctx, name, tag, data) })
}

// race is some publishers at one store, one call at a time, in an order that a seed makes.
type race struct {
	t       *testing.T
	at      store.Writer
	random  *rand.Rand
	arrive  chan int
	ended   chan outcome
	turns   []chan fault
	tag     string           // of the index that was seen last
	history []snapshot.Index // what agents could see, in order
}

type outcome struct {
	who      int
	revision string
	err      error
}

const publishers, triesEach = 3, 2

func runRace(t *testing.T, at store.Writer, seed uint64) {
	r := &race{t: t, at: at, random: rand.New(rand.NewPCG(seed, 7)), arrive: make(chan int), ended: make(chan outcome)}
	for who := range publishers {
		r.turns = append(r.turns, make(chan fault))
		go r.publish(who, 0)
	}
	results := r.drive()
	for _, o := range results {
		seen := false
		for _, x := range r.history {
			seen = seen || x.Revision == o.revision
		}
		switch {
		case o.err == nil && !seen:
			t.Fatalf("seed %d: %s was published, and is lost", seed, o.revision)
		case errors.Is(o.err, publish.ErrStale) && seen:
			t.Fatalf("seed %d: %s was refused, and published", seed, o.revision)
		case o.err != nil && !errors.Is(o.err, publish.ErrStale) && !errors.Is(o.err, errLost):
			t.Fatalf("seed %d: %s: %v", seed, o.revision, o.err)
		}
	}
}

// publish makes one try, and says how it ended.
func (r *race) publish(who, try int) {
	revision := fmt.Sprintf("%d.%d", who, try)
	_, err := publish.Publish(r.t.Context(), turns{r.at, r.arrive, r.turns[who], who}, request(revision, "a", revision))
	r.ended <- outcome{who, revision, err}
}

// drive gives turns until everybody has made its tries. A turn is over when its
// owner waits for the next one, or has ended.
func (r *race) drive() (results []outcome) {
	waiting, tries, running := map[int]bool{}, [publishers]int{}, publishers
	for running > 0 {
		if len(waiting) == running {
			next := r.random.IntN(publishers)
			for !waiting[next] {
				next = (next + 1) % publishers
			}
			delete(waiting, next)
			r.turns[next] <- fault(max(0, r.random.IntN(20)-17))
		}
		select {
		case who := <-r.arrive:
			waiting[who] = true
		case o := <-r.ended:
			results = append(results, o)
			if tries[o.who]++; tries[o.who] < triesEach {
				go r.publish(o.who, tries[o.who])
			} else {
				running--
			}
		}
		r.look()
	}
	return results
}

// look is an agent that looks after every single call.
func (r *race) look() {
	data, tag, err := r.at.Read(r.t.Context(), snapshot.IndexFile, r.tag, snapshot.MaxIndex)
	if errors.Is(err, fs.ErrNotExist) && len(r.history) == 0 {
		return
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if data == nil { // as it was
		return
	}
	r.tag = tag
	now, err := snapshot.Open(data, trusted)
	if err != nil {
		r.t.Fatal(err)
	}
	seen := uint64(len(r.history))
	if now.Sequence == seen && now.Revision == r.history[seen-1].Revision {
		return
	}
	if now.Sequence != seen+1 {
		r.t.Fatalf("after sequence %d there is %d of %s", seen, now.Sequence, now.Revision)
	}
	for proxy, digest := range now.Views {
		if view, _, err := r.at.Read(r.t.Context(), digest.Path(), "", snapshot.MaxView); err != nil || snapshot.DigestOf(view) != digest {
			r.t.Fatalf("sequence %d: the view of %s is not there: %v", now.Sequence, proxy, err)
		}
	}
	r.history = append(r.history, now)
}

func TestRaces(t *testing.T) {
	if testing.Short() {
		*interleavings = 50
	}
	for name, open := range map[string]func(*testing.T) store.Writer{
		"memory": func(*testing.T) store.Writer { return newMemory() },
		"folder": func(t *testing.T) store.Writer { return open(t, t.TempDir(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range *interleavings {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					t.Parallel()
					runRace(t, open(t), seed)
				})
			}
		})
	}
	if testing.Short() {
		return
	}
	t.Run("s3", func(t *testing.T) {
		objectstore.Enter(t)
		endpoint := objectstore.Start(t)
		for seed := range uint64(5) {
			runRace(t, open(t, fmt.Sprintf("s3://%s/%d", objectstore.Bucket, seed), endpoint), seed)
		}
	})
}

func open(t *testing.T, target, endpoint string) store.Writer {
	t.Helper()
	s, err := store.OpenWriter(target, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
