// Package publish puts views, and an index of them, where agents look.
//
// What must stay true: an index never names a view that is not there; of two
// publishers who have read the same index one wins, and the other changes nothing
// that an agent sees; sequences only grow. Views come first and the index last, by
// compare-and-swap; the index that it replaces is kept, so that its views are.
//
// Input: views, a key and a store. Whether a commit follows another one it is told.
package publish

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
)

// ErrStale is of a publisher that is not the newest: somebody has published meanwhile, or something newer.
var ErrStale = errors.New("something newer is published")

const (
	uploads     = 8           // at a time
	requestTime = time.Minute // of one file
)

// Request is what is to be published.
type Request struct {
	Proxies  map[string]snapshot.Digest // by "namespace/name"
	Views    map[snapshot.Digest][]byte // all that Proxies name
	Revision string                     // commit of what was compiled; "": unknown
	Key      ed25519.PrivateKey
	// Trusted are the keys by which the index that is there may be signed, beside Key.
	Trusted []ed25519.PublicKey
	// Follows is nil if Revision comes after the one that is published.
	Follows func(ctx context.Context, published string) error
	// Check is nil if the views may be used. It is asked of those that are not in
	// use already, and only once nothing else stands against the request.
	Check func(ctx context.Context, views []snapshot.Digest) error
	// AllowRemovals: what the guard against removals would refuse is meant.
	AllowRemovals bool
	// Force: an older revision may replace a newer one, and views are written
	// again that should be there.
	Force bool
}

// Result is what is published now.
type Result struct {
	Sequence uint64 `json:"sequence"`
	Revision string `json:"revision,omitempty"`
	Proxies  int    `json:"proxies"`
	Uploaded int    `json:"uploaded"` // views that were not there
	Changed  bool   `json:"changed"`  // there is a new index
}

// Publish makes the request what agents get. ErrStale: it is not the newest;
// *RemovalError: it would take away more than a change does by mistake.
func Publish(ctx context.Context, to store.Writer, r Request) (Result, error) {
	before, err := r.current(ctx, to)
	if err != nil {
		return Result{}, err
	}
	result := Result{Sequence: before.Sequence, Revision: r.Revision, Proxies: len(r.Proxies)}
	if !r.Force && before.Sequence > 0 && before.Revision == r.Revision && maps.Equal(before.Views, r.Proxies) {
		return result, nil
	}
	if err := r.check(ctx, to, before.Index); err != nil {
		return Result{}, err
	}
	fresh := r.fresh(before.Index)
	if err := r.Check(ctx, fresh); err != nil {
		return Result{}, err
	}
	if err := r.upload(ctx, to, fresh); err != nil {
		return Result{}, err
	}
	next := snapshot.Index{Sequence: before.Sequence + 1, Removals: before.Removals, Revision: r.Revision, Views: r.Proxies}
	if r.AllowRemovals {
		next.Removals = next.Sequence
	}
	result.Sequence, result.Uploaded, result.Changed = next.Sequence, len(fresh), true
	return result, replace(ctx, to, before, next.Sign(r.Key))
}

// published is the index that is there, with its bytes and their tag; none: all is zero.
type published struct {
	snapshot.Index
	data []byte
	tag  string
}

func (r Request) current(ctx context.Context, from store.Writer) (p published, err error) {
	p.data, p.tag, err = read(ctx, from, snapshot.IndexFile, snapshot.MaxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return published{}, nothingBefore(ctx, from)
	}
	if err != nil {
		return p, err
	}
	p.Index, err = snapshot.Open(p.data, append(slices.Clone(r.Trusted), r.Key.Public().(ed25519.PublicKey)))
	if err != nil {
		return p, fmt.Errorf("what %s has is not replaced: %w; trust the key that signed it, or put the newest of %s in its place", from, err, replacedFolder)
	}
	return p, nil
}

// nothingBefore wants a place without an index to be a new one: where it was lost,
// sequences would begin again, and agents would wait for ever for a higher one.
func nothingBefore(ctx context.Context, at store.Writer) error {
	lister, ok := at.(store.Lister)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	old, err := lister.List(ctx, replacedFolder)
	if err == nil && len(old) > 0 {
		err = fmt.Errorf("%s has lost its %s: put the newest of %s in its place", at, snapshot.IndexFile, replacedFolder)
	}
	return err
}

func (r Request) check(ctx context.Context, from store.Writer, before snapshot.Index) error {
	if before.Sequence == 0 {
		return nil
	}
	if !r.Force && before.Revision != "" && r.Revision != "" {
		if err := r.Follows(ctx, before.Revision); err != nil {
			return err
		}
	}
	if r.AllowRemovals {
		return nil
	}
	return r.removals(ctx, from, before)
}

// fresh are the views that the index before does not have; what it has is there.
func (r Request) fresh(before snapshot.Index) (all []snapshot.Digest) {
	have := map[snapshot.Digest]bool{}
	for _, digest := range before.Views {
		have[digest] = !r.Force
	}
	for _, digest := range slices.Sorted(maps.Keys(r.Views)) {
		if !have[digest] {
			all = append(all, digest)
		}
	}
	return all
}

func (r Request) upload(ctx context.Context, to store.Writer, fresh []snapshot.Digest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, digest := range fresh {
		group.Go(func() error { return put(ctx, to, digest.Path(), r.Views[digest]) })
	}
	return group.Wait()
}

// replace keeps the index before, and swaps it. When the answer is lost, what is
// there says who won.
func replace(ctx context.Context, to store.Writer, before published, next []byte) error {
	if err := probe(ctx, to); err != nil {
		return err
	}
	if before.Sequence > 0 {
		if err := put(ctx, to, replacedName(before.Sequence), before.data); err != nil {
			return err
		}
	}
	err := swap(ctx, to, snapshot.IndexFile, before.tag, next)
	if err == nil {
		return nil
	}
	if now, _, again := read(ctx, to, snapshot.IndexFile, snapshot.MaxIndex); again == nil && bytes.Equal(now, next) {
		return nil
	}
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%s: %w: sequence %d, which this was to follow, is not the newest any more; render and publish again: %w", to, ErrStale, before.Sequence, err)
	}
	return err
}

const (
	probeFile = "probe"
	noTag     = `"0"`
)

// probe wants the place to refuse to replace what is not there as it is said to
// be. There are web servers that do not care, and where one is, nobody wins a race.
func probe(ctx context.Context, at store.Writer) error {
	if err := put(ctx, at, probeFile, nil); err != nil {
		return err
	}
	err := swap(ctx, at, probeFile, noTag, nil)
	if err == nil {
		return fmt.Errorf("%s: it replaces files whatever If-Match says: two publishers at once would undo each other; use a place that keeps to it", at)
	}
	if errors.Is(err, store.ErrChanged) {
		return nil
	}
	return err
}

func read(ctx context.Context, from store.Reader, name string, most int64) ([]byte, string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	return from.Read(ctx, name, "", most)
}

func put(ctx context.Context, to store.Writer, name string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	return to.Put(ctx, name, data)
}

func swap(ctx context.Context, to store.Writer, name, tag string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	return to.Swap(ctx, name, tag, data)
}
