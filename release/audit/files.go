package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// fullFile is how large a file of the chain becomes, in bytes, before the next one is begun; keepFiles are
	// kept beside it. So a chain has at most fullFile*(keepFiles+1) bytes, and an entry.
	fullFile  = 8 << 20
	keepFiles = 16
	// Retired is the verb of the log's own entries: files of RetiredKind were deleted, of which the last entry had the hash Before.
	Retired     = "retire"
	RetiredKind = "Audit"
	own         = "weft"
)

// full is the name of a file that is full, by the number of its last entry.
func full(path string, last int64) string {
	ext := filepath.Ext(path)
	return fmt.Sprintf("%s-%012d%s", strings.TrimSuffix(path, ext), last, ext)
}

// Files are those of a chain, the oldest first: those that are full, and the one that is written.
func Files(path string) ([]string, error) {
	ext := filepath.Ext(path)
	all, err := filepath.Glob(strings.TrimSuffix(path, ext) + "-" + strings.Repeat("[0-9]", 12) + ext)
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	switch _, err = os.Stat(path); {
	case err == nil:
		all = append(all, path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return all, nil
}

// ReadFiles reads the chain whose newest file is at path, over all its files; see Read. Lines are counted over all.
func ReadFiles(path string) ([]Entry, []Fault, error) {
	all, err := Files(path)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	in, err := join(all)
	if err != nil {
		return nil, nil, err
	}
	return Read(in)
}

// join reads files one after the other.
func join(paths []string) (io.Reader, error) {
	var parts []io.Reader
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, bytes.NewReader(text))
	}
	return io.MultiReader(parts...), nil
}

// turn begins the next file, and deletes the oldest ones, which the chain tells before it happens.
func (l *Log) turn() error {
	if err := os.Rename(l.path, full(l.path, l.last.Seq)); err != nil {
		return err
	}
	l.file.Close()
	if l.broken = l.open(l.path); l.broken != nil {
		return l.broken
	}
	all, err := Files(l.path)
	if err != nil || len(all) <= keepFiles+1 {
		return err
	}
	gone := all[:len(all)-keepFiles-1]
	last, err := lastOf(gone[len(gone)-1])
	if err != nil {
		return err
	}
	e := Entry{Time: time.Now(), By: own, Verb: Retired, Kind: RetiredKind, Name: filepath.Base(gone[len(gone)-1]), Before: last.Hash}
	if err := l.write(e); err != nil {
		return err
	}
	for _, path := range gone {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// lastOf is the last entry of a file.
func lastOf(path string) (Entry, error) {
	in, err := join([]string{path})
	if err != nil {
		return Entry{}, err
	}
	entries, _, err := Read(in)
	if err != nil || len(entries) == 0 {
		return Entry{}, cmp.Or(err, fmt.Errorf("%s has no entry", path))
	}
	return entries[len(entries)-1], nil
}

// begins takes away the fault that the oldest entries are missing, where the chain itself tells that they were deleted.
func begins(entries []Entry, faults []Fault) []Fault {
	if len(entries) == 0 || len(faults) == 0 || faults[0].What != Missing || faults[0].Seq != entries[0].Seq || faults[0].Line != 1 {
		return faults
	}
	told := slices.ContainsFunc(entries, func(e Entry) bool {
		return e.By == own && e.Verb == Retired && e.Kind == RetiredKind && e.Before == entries[0].Previous
	})
	if !told {
		return faults
	}
	return faults[1:]
}
