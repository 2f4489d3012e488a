package identity

import (
	"errors"
	"os"
	"path/filepath"
)

// Files keeps small files that only their owner may read. Write replaces the
// whole file or leaves it as it was, and has reached the disk when it returns.
// Read of a missing file is an error that is fs.ErrNotExist.
type Files interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// Dir is a folder of files with mode 0600; the folder, 0700, is made when needed.
type Dir string

func (d Dir) Read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(string(d), name)) }

func (d Dir) Write(name string, data []byte) (err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(string(d), "."+name+"-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), filepath.Join(string(d), name)); err != nil {
		return err
	}
	return syncDir(string(d))
}

// syncDir makes a rename survive a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// DataDir is where weft keeps its state on this machine unless it is told
// otherwise: $WEFT_DATA, or weft in the user's data directory.
func DataDir() string {
	if dir := os.Getenv("WEFT_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "weft")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "weft-data"
	}
	return filepath.Join(home, ".local", "share", "weft")
}
