// Package ledger keeps the audit of a cluster whose API server is not weft's: what weft accepted there and did.
//
// Input: Decisions, Freezes, PipelineRuns and Releases, as they change. Output: entries of a chain (audit.Book). What
// is seen again, as by the next leader, is in it once. The objects are asked, and not who wrote them: what came and went
// while nobody led is missing, and the cluster's own audit has it.
package ledger

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/audit"
)

// Told is the stored objects of one kind, as store.Resource is.
type Told[T any] interface {
	// Watch tells of every object that there is, and then of each change, until ctx ends. Namespace "" is all.
	Watch(ctx context.Context, namespace string, changed func(o *T, deleted bool)) error
}

// Options of a ledger; all are required.
type Options struct {
	Decisions Told[v1alpha1.Decision]
	Freezes   Told[v1alpha1.Freeze]
	Releases  Told[v1alpha1.Release]
	Runs      Told[v1alpha1.PipelineRun]
	Chapters  audit.Chapters
	Now       func() time.Time
	Log       *slog.Logger
}

// writeEvery is how long what was seen may wait for its chapter: one is written for all of it.
const writeEvery = 30 * time.Second

// Ledger is written by one process at a time, the leader.
type Ledger struct {
	Options

	mu      sync.Mutex
	pending map[string]audit.Entry // by key
	known   map[string]bool        // keys of what is in the book
	oldest  time.Time              // of a book that does not begin at its beginning: what is older was in it

	book *audit.Book // nil: it has to be read
}

func New(o Options) *Ledger {
	return &Ledger{Options: o, pending: map[string]audit.Entry{}, known: map[string]bool{}}
}

// Run works until ctx ends. What cannot be written is tried again: nothing else waits for it.
func (l *Ledger) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return l.Decisions.Watch(ctx, "", whileThere(l, ofDecision))
	})
	group.Go(func() error {
		return l.Freezes.Watch(ctx, "", func(o *v1alpha1.Freeze, deleted bool) { l.see(ofFreeze(o, deleted, l.Now())) })
	})
	group.Go(func() error {
		return l.Releases.Watch(ctx, "", whileThere(l, ofRelease))
	})
	group.Go(func() error {
		return l.Runs.Watch(ctx, "", whileThere(l, ofRun))
	})
	group.Go(func() error { return l.write(ctx) })
	return group.Wait()
}

// whileThere sees what objects say until they are deleted: then all was seen.
func whileThere[T any](l *Ledger, entries func(*T) []audit.Entry) func(*T, bool) {
	return func(o *T, deleted bool) {
		if !deleted {
			l.see(entries(o))
		}
	}
}

// see takes in what was not seen before.
func (l *Ledger) see(entries []audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if k := key(e); !l.known[k] {
			l.pending[k] = e
		}
	}
}

func (l *Ledger) write(ctx context.Context) error {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := l.flush(ctx); err != nil && ctx.Err() == nil {
			l.book = nil // somebody else may have written
			l.Log.Warn("what weft did is not in the audit yet", "error", err, "retry", writeEvery)
		}
	}
}

// flush writes what is pending.
func (l *Ledger) flush(ctx context.Context) error {
	if l.book == nil {
		book, entries, err := audit.OpenBook(ctx, l.Chapters)
		if err != nil {
			return err
		}
		l.book = book
		l.recall(entries)
	}
	for {
		next := l.next()
		if len(next) == 0 {
			return nil
		}
		if err := l.book.Append(ctx, next, l.Now()); err != nil {
			return err
		}
		l.recall(next)
	}
}

// recall notes what is in the book.
func (l *Ledger) recall(entries []audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(entries) > 0 && entries[0].Seq > 1 {
		l.oldest = entries[0].Time
	}
	for _, e := range entries {
		l.known[key(e)] = true
		delete(l.pending, key(e))
	}
}

// next is a chapter of what is pending, the oldest first.
func (l *Ledger) next() (all []audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, e := range l.pending {
		if l.known[k] || e.Time.Before(l.oldest) {
			delete(l.pending, k)
			continue
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b audit.Entry) int { return compare(a, b) })
	return all[:min(len(all), audit.MaxChapter)]
}
