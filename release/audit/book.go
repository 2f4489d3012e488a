package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

const (
	// keepChapters are kept of a Book, each with at most MaxChapter entries.
	keepChapters = 4000
	MaxChapter   = 500
)

// Chapter is a part of a chain: its entries, one JSON text a line.
type Chapter struct {
	N    int64 // 1, 2, ...
	Text []byte
}

// Chapters are where a Book is kept, which are written once.
type Chapters interface {
	// Read gives all that there are.
	Read(ctx context.Context) ([]Chapter, error)
	// Write fails if there is one of that number.
	Write(ctx context.Context, c Chapter) error
	Delete(ctx context.Context, n int64) error
}

// Book is a chain in chapters. Of two who write at once, one fails, and has to open it anew.
type Book struct {
	in      Chapters
	numbers []int64          // of its chapters
	ends    map[int64]string // hash of the last entry of each
	last    Entry
}

// ReadBook reads a chain, and says what is wrong with it; see Read.
func ReadBook(ctx context.Context, in Chapters) ([]Entry, []Fault, error) {
	all, err := in.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	var parts []io.Reader
	for _, c := range ordered(all) {
		parts = append(parts, bytes.NewReader(c.Text))
	}
	return Read(io.MultiReader(parts...))
}

func ordered(all []Chapter) []Chapter {
	slices.SortFunc(all, func(a, b Chapter) int { return int(a.N - b.N) })
	return all
}

// OpenBook goes on with a chain, and gives what is in it.
func OpenBook(ctx context.Context, in Chapters) (*Book, []Entry, error) {
	all, err := in.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	b := &Book{in: in, ends: map[int64]string{}}
	var parts []io.Reader
	for _, c := range ordered(all) {
		entries, _, err := read(bytes.NewReader(c.Text))
		if err != nil || len(entries) == 0 {
			return nil, nil, fmt.Errorf("audit: chapter %d has no entry: nothing is appended to a chain that is broken", c.N)
		}
		b.ends[c.N] = entries[len(entries)-1].Hash
		b.numbers = append(b.numbers, c.N)
		parts = append(parts, bytes.NewReader(c.Text))
	}
	entries, faults, err := Read(io.MultiReader(parts...))
	if err != nil {
		return nil, nil, err
	}
	if len(faults) > 0 {
		return nil, nil, fmt.Errorf("audit: %s: nothing is appended to a chain that is broken", faults[0].Text)
	}
	if len(entries) > 0 {
		b.last = entries[len(entries)-1]
	}
	return b, entries, nil
}

// Append writes the next chapter, of at most MaxChapter entries; Seq and the hashes are the book's own. Chapters that are
// too old go once it is written, and it tells so.
func (b *Book) Append(ctx context.Context, entries []Entry, now time.Time) error {
	gone := b.numbers[:max(0, len(b.numbers)+1-keepChapters)]
	if len(gone) > 0 {
		n := gone[len(gone)-1]
		entries = append(slices.Clone(entries), Entry{Time: now, By: own, Verb: Retired, Kind: RetiredKind, Name: fmt.Sprint("chapter ", n), Before: b.ends[n]})
	}
	next, last := Chapter{N: 1}, b.last
	if len(b.numbers) > 0 {
		next.N = b.numbers[len(b.numbers)-1] + 1
	}
	for _, e := range entries {
		last = e.after(last)
		line, err := json.Marshal(last)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		next.Text = append(append(next.Text, line...), '\n')
	}
	if err := b.in.Write(ctx, next); err != nil {
		return fmt.Errorf("audit: chapter %d: %w", next.N, err)
	}
	b.last, b.ends[next.N] = last, last.Hash
	b.numbers = append(b.numbers, next.N)
	for _, n := range gone {
		if err := b.in.Delete(ctx, n); err != nil {
			return fmt.Errorf("audit: delete chapter %d: %w", n, err)
		}
	}
	b.numbers = b.numbers[len(gone):]
	return nil
}
