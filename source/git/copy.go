package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Place is a folder of a repository, as it is at a revision.
type Place struct {
	URL      string // of the repository, as git takes it; a password in it is shown to nobody
	Revision string // branch, tag, refs/..., or a commit, where the server gives those
	Dir      string // folder of the repository, with slashes; empty: all of it
}

// Files take what is in a folder.
type Files interface {
	File(name string, from io.Reader) error
	// Link is a link and where it leads, or a submodule and what it is; neither is followed.
	Link(name, to string) error
}

// maxLink is how long what a link says may be.
const maxLink = 4 << 10

// Copy gives all of a folder to files, at most so many, and returns the commit. Nothing is
// kept; temp is a folder to work in.
func Copy(ctx context.Context, p Place, temp string, most int, files Files) (commit string, err error) {
	where, err := parseAddress(p.URL)
	if err == nil {
		err = checkRef(p.Revision)
	}
	dir, dirErr := cleanDir(p.Dir)
	if err = errors.Join(err, dirErr); err != nil {
		return "", err
	}
	cache, err := os.MkdirTemp(temp, "checkout-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(cache)
	// Who allowed an address has not allowed what it leads to.
	r := &repository{cache: cache, address: where, ref: p.Revision, depth: 1, config: []string{"http.followRedirects=false"}}
	if commit, err = r.fetch(ctx); err != nil {
		return "", err
	}
	blobs, err := r.list(ctx, commit, dir, most, func(blob) bool { return true })
	if err == nil && len(blobs) == 0 {
		err = fmt.Errorf("has nothing in %s", dir)
	}
	if err == nil {
		err = r.give(ctx, blobs, files)
	}
	if err != nil {
		return "", fmt.Errorf("commit %s: %w", brief(commit), err)
	}
	return commit, nil
}

// give tells of submodules, and then of all else.
func (r *repository) give(ctx context.Context, blobs []blob, files Files) error {
	var there []blob
	for _, b := range blobs {
		if b.mode != submodule {
			there = append(there, b)
		} else if err := files.Link(b.path, "submodule "+b.id); err != nil {
			return err
		}
	}
	return r.contents(ctx, there, func(b blob, from io.Reader) error {
		if b.mode != link {
			return files.File(b.path, from)
		}
		var to strings.Builder
		if _, err := io.Copy(&to, io.LimitReader(from, maxLink)); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, from)
		return errors.Join(err, files.Link(b.path, to.String()))
	})
}
