package process

import (
	"os"
	"path/filepath"
	"syscall"
)

// Fetched is a folder that all checkouts of a machine share, of something that tests need
// and no checkout has. The first who asks has it made by fetch, whole or not at all.
func Fetched(name string, fetch func(into string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	place := filepath.Join(cache, "weft", "test", name)
	return place, locked(place, func() error {
		if _, err := os.Stat(place); err == nil {
			return nil
		}
		half := place + ".part"
		if err := os.RemoveAll(half); err != nil { // of somebody who was killed
			return err
		}
		defer os.RemoveAll(half)
		if err := fetch(half); err != nil {
			return err
		}
		return os.Rename(half, place)
	})
}

// locked does what makes a file, one process of this machine at a time.
func locked(place string, do func() error) error {
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(place+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return do()
}
