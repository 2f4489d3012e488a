package memory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"weft.dev/model"
	"weft.dev/scope"
)

// maxFile is how much is read of a file, bytes: 500 hosts of 500 accounts.
const maxFile = 64 << 20

// File is a scope.Memory in one file, for a server that has no store and is alone.
type File struct {
	path  string
	woken chan struct{} // holds one; there is news

	mu   sync.Mutex
	kept map[scope.Account][]model.Learned
	news map[scope.Account]bool // changed, and Watch has not told of it
}

// OpenFile reads the file; there may be none yet.
func OpenFile(path string) (*File, error) {
	f := &File{path: path, woken: make(chan struct{}, 1), kept: map[scope.Account][]model.Learned{}, news: map[scope.Account]bool{}}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: has %d bytes, more than %d; remove it, and services are learned again", path, info.Size(), maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []model.Learned
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it, and services are learned again", path, err)
	}
	for _, l := range all {
		a := scope.Account{Namespace: l.Namespace, Name: l.Account}
		f.kept[a] = append(f.kept[a], l)
	}
	return f, nil
}

// List is all that is kept.
func (f *File) List(context.Context) ([]model.Learned, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return flatten(f.kept), nil
}

// flatten are the rows of all accounts, sorted by account.
func flatten(kept map[scope.Account][]model.Learned) []model.Learned {
	all := []model.Learned{}
	for _, a := range slices.SortedFunc(maps.Keys(kept), scope.Account.Compare) {
		all = append(all, kept[a]...)
	}
	return all
}

// Watch tells of every account, and then of each change.
func (f *File) Watch(ctx context.Context, told func(scope.Account, []model.Learned)) error {
	f.mu.Lock()
	for a := range f.kept {
		f.news[a] = true
	}
	f.mu.Unlock()
	for {
		for _, a := range f.takeNews() {
			f.mu.Lock()
			kept := f.kept[a]
			f.mu.Unlock()
			told(a, kept)
		}
		select {
		case <-f.woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *File) takeNews() []scope.Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	accounts := slices.SortedFunc(maps.Keys(f.news), scope.Account.Compare)
	f.news = map[scope.Account]bool{}
	return accounts
}

// Change writes the file once for all accounts. When it cannot be written,
// nothing has changed.
func (f *File) Change(_ context.Context, accounts []scope.Account, change func(scope.Account, []model.Learned) []model.Learned) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := maps.Clone(f.kept)
	var changed []scope.Account
	for _, a := range accounts {
		now := change(a, slices.Clone(kept[a]))
		if slices.EqualFunc(now, kept[a], model.Learned.Equal) {
			continue
		}
		changed = append(changed, a)
		if kept[a] = now; len(now) == 0 {
			delete(kept, a)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := replace(f.path, flatten(kept)); err != nil {
		return err
	}
	f.kept = kept
	for _, a := range changed {
		f.news[a] = true
	}
	select {
	case f.woken <- struct{}{}:
	default:
	}
	return nil
}

// replace writes the file so that a reader, or a crash, finds the old content
// or the new one.
func replace(path string, all []model.Learned) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // once renamed, there is none
	_, err = next.Write(append(text, '\n'))
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
