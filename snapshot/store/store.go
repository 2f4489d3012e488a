// Package store keeps files at a place that programs share: a folder, a web
// server or S3.
//
// One file of them is replaced by compare-and-swap: of two writers who have read
// the same, one wins and the other is told so. All else is written once.
//
// The package knows bytes and names, not what they are. What only writes is
// linked into no program that only reads.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// ErrChanged is of a file that is not any more, or not yet, as the writer knows it.
var ErrChanged = errors.New("somebody else has written it")

// Reader reads files. Its String is where they are, without a password.
type Reader interface {
	fmt.Stringer
	// Read gives a file of at most so many bytes, and a tag of what it holds. Where
	// it still has the tag that is known, data is nil. fs.ErrNotExist: there is none.
	Read(ctx context.Context, name, known string, most int64) (data []byte, tag string, err error)
}

// Writer also writes them.
type Writer interface {
	Reader
	// Put writes a file, whatever there was.
	Put(ctx context.Context, name string, data []byte) error
	// Swap writes a file that has this tag; "": that is not there. Else it is ErrChanged.
	Swap(ctx context.Context, name, tag string, data []byte) error
}

// Lister also knows what is there, and takes it away.
type Lister interface {
	Writer
	// List is all of a folder, whose name ends with a slash.
	List(ctx context.Context, folder string) ([]Entry, error)
	// Remove takes away a file, if there is one.
	Remove(ctx context.Context, name string) error
}

// Entry is one file of a folder.
type Entry struct {
	Name    string // as Read takes it
	Written time.Time
}

// OpenReader is the place of a target: FOLDER, http(s)://HOST/PATH or
// s3://BUCKET/PREFIX. endpoint is the URL of an S3 API; "": that of Amazon.
func OpenReader(target, endpoint string) (Reader, error) { return open(target, endpoint) }

// OpenWriter is OpenReader for who writes. What it gives may be a Lister.
func OpenWriter(target, endpoint string) (Writer, error) { return open(target, endpoint) }

func open(target, endpoint string) (Writer, error) {
	u, err := url.Parse(target)
	switch {
	case target == "":
		return nil, errors.New("no place is named: want FOLDER, http(s)://HOST/PATH or s3://BUCKET/PREFIX")
	case err != nil || u.Scheme == "":
		return folder{target}, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return web{base: u}, nil
	case u.Scheme == "s3" && u.Host != "":
		return openS3(u, endpoint)
	}
	return nil, fmt.Errorf("%s: want FOLDER, http(s)://HOST/PATH or s3://BUCKET/PREFIX", u.Redacted())
}
