package poll

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// memoryFile is in the workload's folder.
const memoryFile = "published.json"

// Files keeps small files. Write replaces the whole file or leaves it as it was.
type Files interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// memory is what must survive a restart: without it, an old index could be
// played to an agent that has just begun.
type memory struct {
	Target string `json:"target"`
	Newest uint64 `json:"newest"` // sequence of the newest index that was believed
	Taken  uint64 `json:"taken"`  // of the newest whose view was taken

	saved string // as it is on disk
}

// remember reads the memory of a target; that of another one is of no use. An
// error says that there was one.
func remember(files Files, target string) (memory, error) {
	fresh := memory{Target: target}
	data, err := files.Read(memoryFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	switch {
	case err != nil:
		return fresh, fmt.Errorf("%s: %w", memoryFile, err)
	case m.Target != target:
		return fresh, nil
	}
	m.saved = string(data)
	return m, nil
}

// save writes what has changed.
func (m *memory) save(files Files) error {
	data, err := json.Marshal(m)
	if err != nil || string(data) == m.saved {
		return err
	}
	if err := files.Write(memoryFile, data); err != nil {
		return err
	}
	m.saved = string(data)
	return nil
}
