package jail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"weft.dev/release/bake"
)

// Limits of what one bake may read.
const (
	MaxFiles = 10_000
	MaxBytes = 64 << 20
)

// Copy reads a folder. Links in it are noted and not followed, and what Git keeps for
// itself is left out. Errors name what is in the way.
func Copy(dir string) (bake.Tree, error) {
	root, err := os.OpenRoot(dir) // whatever changes meanwhile, nothing outside is read
	if err != nil {
		return bake.Tree{}, err
	}
	defer root.Close()
	c := NewCollector()
	err = copyFolder(root, ".", c)
	return c.Tree, err
}

func copyFolder(root *os.Root, dir string, c *Collector) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(256) // a folder may have any number
		for _, e := range entries {
			if err := copyEntry(root, path.Join(dir, e.Name()), e, c); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func copyEntry(root *os.Root, name string, e fs.DirEntry, c *Collector) error {
	switch {
	case e.Name() == ".git":
		return nil
	case e.IsDir():
		return copyFolder(root, name, c)
	case e.Type()&fs.ModeSymlink != 0:
		to, err := root.Readlink(name)
		if err == nil {
			err = c.Link(name, to)
		}
		return err
	case !e.Type().IsRegular():
		return notAFile(name)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, notAFile(name))
	}
	return c.File(name, f)
}

func notAFile(name string) error {
	return fmt.Errorf("%s is neither a file nor a folder; remove it", name)
}

// Collector makes a Tree, within the limits.
type Collector struct {
	bake.Tree
	bytes int64
	names map[string]string // in lower case -> as it is
}

// NewCollector begins with an empty tree.
func NewCollector() *Collector {
	return &Collector{Tree: bake.Tree{Files: map[string][]byte{}, Links: map[string]string{}}, names: map[string]string{}}
}

// File adds a file.
func (c *Collector) File(name string, from io.Reader) error {
	if err := c.add(name); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(from, MaxBytes-c.bytes+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if c.bytes += int64(len(data)); c.bytes > MaxBytes {
		return fmt.Errorf("there are more than %d MB; name a smaller folder", MaxBytes>>20)
	}
	c.Files[name] = data
	return nil
}

// Link adds a link, and what it says.
func (c *Collector) Link(name, to string) error {
	if err := c.add(name); err != nil {
		return err
	}
	c.Links[name] = to
	return nil
}

func (c *Collector) add(name string) error {
	if name == "." || !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("%q is no name for a file; rename it", name)
	}
	folded := strings.ToLower(name)
	if other, is := c.names[folded]; is {
		return fmt.Errorf("%s and %s differ in nothing but case; rename one", other, name)
	}
	if c.names[folded] = name; len(c.names) > MaxFiles {
		return fmt.Errorf("there are more than %d files; name a smaller folder", MaxFiles)
	}
	return nil
}
