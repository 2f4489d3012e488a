package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile is held by whoever swaps.
const lockFile = ".lock"

// folder is a folder of a file system. The tag of a file is the sum of its bytes.
type folder struct{ dir string }

func (f folder) String() string { return f.dir }

func (f folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f folder) Read(_ context.Context, name, known string, most int64) ([]byte, string, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	data, err := readAll(file, most)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", file.Name(), err)
	}
	if tag := tagOf(data); tag != known {
		return data, tag, nil
	}
	return nil, known, nil
}

func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// readAll never gives nil without an error.
func readAll(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return data, err
}

// Put writes beside the name first: nobody ever reads half of a file.
func (f folder) Put(_ context.Context, name string, data []byte) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // it has its name, or is of no use
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

func (f folder) Swap(ctx context.Context, name, tag string, data []byte) error {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(f.path(lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("%s: %w", lock.Name(), err)
	}
	now, err := os.ReadFile(f.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && tag == "":
	case errors.Is(err, fs.ErrNotExist), err == nil && tagOf(now) != tag:
		return fmt.Errorf("%s: %w", f.path(name), ErrChanged)
	case err != nil:
		return err
	}
	return f.Put(ctx, name, data)
}

func (f folder) List(_ context.Context, name string) ([]Entry, error) {
	files, err := os.ReadDir(f.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Entry
	for _, file := range files {
		if info, err := file.Info(); err == nil && info.Mode().IsRegular() { // else it has just gone
			all = append(all, Entry{name + file.Name(), info.ModTime()})
		}
	}
	return all, nil
}

func (f folder) Remove(_ context.Context, name string) error {
	if err := os.Remove(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
