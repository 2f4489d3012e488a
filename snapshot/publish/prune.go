package publish

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"weft.dev/snapshot"
	"weft.dev/snapshot/store"
)

const (
	// replacedFolder has the indexes that were replaced, each written when it was.
	replacedFolder = "indexes/"
	// KeepFor is how long what nothing published names is kept: an agent may have
	// read the index before this one, and fetch its view only now.
	KeepFor = 7 * 24 * time.Hour
)

func replacedName(sequence uint64) string { return fmt.Sprintf("%s%d.json", replacedFolder, sequence) }

// Prune removes the views that neither the index names nor one that was replaced
// within KeepFor, and what is older than that of the indexes themselves.
func Prune(ctx context.Context, at store.Writer, trusted []ed25519.PublicKey, now time.Time) (removed int, err error) {
	lister, ok := at.(store.Lister)
	if !ok {
		return 0, fmt.Errorf("%s: its files cannot be listed, so nothing is removed", at)
	}
	needed := map[string]bool{}
	if err := need(ctx, at, snapshot.IndexFile, trusted, needed); err != nil {
		return 0, err
	}
	old := func(e store.Entry) bool { return now.Sub(e.Written) > KeepFor }
	replaced, err := lister.List(ctx, replacedFolder)
	if err != nil {
		return 0, err
	}
	for _, e := range replaced {
		if old(e) {
			continue
		}
		if err := need(ctx, at, e.Name, trusted, needed); err != nil {
			return 0, err
		}
	}
	views, err := lister.List(ctx, snapshot.ViewFolder)
	if err != nil {
		return 0, err
	}
	for _, e := range append(views, replaced...) {
		if !old(e) || needed[e.Name] {
			continue
		}
		if err := lister.Remove(ctx, e.Name); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// need notes the views of an index. One that somebody else signed is not understood, so nothing is removed.
func need(ctx context.Context, from store.Reader, name string, trusted []ed25519.PublicKey, needed map[string]bool) error {
	data, _, err := read(ctx, from, name, snapshot.MaxIndex)
	if err != nil {
		return err
	}
	index, err := snapshot.Open(data, trusted)
	if err != nil {
		return fmt.Errorf("%s: nothing is removed: %w", name, err)
	}
	for _, digest := range index.Views {
		needed[digest.Path()] = true
	}
	return nil
}
