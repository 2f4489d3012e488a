package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"weft.dev/source/folder"
)

// checkout writes the configuration of a commit into a folder of its own, which
// nothing changes from then on. It is on the disk when checkout returns.
func (s *Source) checkout(ctx context.Context, commit string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	blobs, err := s.repo.list(ctx, commit, s.dir, folder.MaxFiles, isConfiguration)
	if err != nil {
		return err
	}
	if len(blobs) == 0 {
		return fmt.Errorf("has no file of configuration in %s; name the folder that has them with --git-dir", s.dir)
	}
	temp := s.place("." + commit)
	if err := errors.Join(os.RemoveAll(temp), os.MkdirAll(temp, 0o700)); err != nil {
		return err
	}
	defer os.RemoveAll(temp) // if it is still there
	if err := s.fill(ctx, temp, blobs); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(s.place(commit)), os.Rename(temp, s.place(commit)))
}

// place is the folder of a commit.
func (s *Source) place(commit string) string { return filepath.Join(s.data, "commits", commit) }

// fill writes files into a folder. Of one that is too large only the size is there, which is all that
// its reader wants to know of it.
func (s *Source) fill(ctx context.Context, dir string, blobs []blob) error {
	root, err := os.OpenRoot(dir) // whatever a path is, it does not lead out
	if err != nil {
		return err
	}
	defer root.Close()
	var bytes int64
	var small []blob
	for _, b := range blobs {
		if b.size <= folder.MaxFileBytes {
			bytes += b.size
			small = append(small, b)
			continue
		}
		if err := write(root, b, nil); err != nil {
			return err
		}
	}
	if bytes > folder.MaxBytes {
		return fmt.Errorf("has more than %d bytes of configuration; remove some", folder.MaxBytes)
	}
	return s.repo.contents(ctx, small, func(b blob, from io.Reader) error { return write(root, b, from) })
}

// write writes a file, or makes one of its size.
func write(root *os.Root, b blob, from io.Reader) error {
	name := filepath.FromSlash(b.path)
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(b.path)), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if from == nil {
		err = file.Truncate(b.size)
	} else {
		_, err = io.Copy(file, from)
	}
	return errors.Join(err, file.Sync(), file.Close())
}
