package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Log is a chain on disk, of which the newest part is in the file at path. One process writes it.
type Log struct {
	path string
	most int64 // bytes of a file

	mu   sync.Mutex
	file *os.File
	last Entry
	size int64 // of what is whole
	// broken is why nothing can be appended any more.
	broken error
}

// maxLine bounds an entry, in bytes.
const maxLine = 256 << 10

// Open goes on with the chain whose newest file is at a path, and makes it where there is none. An unfinished last line
// is cut off. An error is kept, and Append gives it: who reads and who serves traffic goes on.
func Open(path string) *Log {
	l := &Log{path: path, most: fullFile}
	if l.broken = l.open(path); l.broken != nil {
		l.broken = fmt.Errorf("audit %s: %w", path, l.broken)
	}
	return l
}

func (l *Log) open(path string) (err error) {
	if l.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	entries, faults, err := l.newest()
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s; nothing is appended to a chain that is broken: keep the file elsewhere, for who looks into it, and start again", faults[0].Text)
	}
	if len(entries) > 0 {
		l.last = entries[len(entries)-1]
	}
	return l.cut()
}

// newest reads the file that is written, and the one before it, with whatever they begin.
func (l *Log) newest() ([]Entry, []Fault, error) {
	all, err := Files(l.path)
	if err != nil {
		return nil, nil, err
	}
	in, err := join(all[max(0, len(all)-2):])
	if err != nil {
		return nil, nil, err
	}
	entries, faults, err := read(in)
	if len(all) > 2 && len(faults) > 0 && faults[0].What == Missing && faults[0].Line == 1 {
		faults = faults[1:] // older files have what is missing
	}
	return entries, faults, err
}

// cut removes an unfinished last line.
func (l *Log) cut() error {
	end, err := l.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	whole, buffer := end, make([]byte, 1)
	for ; whole > 0; whole-- {
		if _, err := l.file.ReadAt(buffer, whole-1); err != nil {
			return err
		}
		if buffer[0] == '\n' {
			break
		}
	}
	l.size = whole
	if whole == end {
		return nil
	}
	return errors.Join(l.file.Truncate(whole), l.file.Sync())
}

// Append writes an entry, and returns once it is on disk. Seq and the hashes are the log's own.
func (l *Log) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	if l.size >= l.most {
		if err := l.turn(); err != nil {
			return fmt.Errorf("audit: begin the next file: %w", err)
		}
	}
	return l.write(e)
}

// write appends to the file that is open.
func (l *Log) write(e Entry) error {
	e = e.after(l.last)
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if len(line) > maxLine {
		return fmt.Errorf("audit: the entry has %d bytes, at most %d are kept", len(line), maxLine)
	}
	line = append(line, '\n')
	if _, err = l.file.WriteAt(line, l.size); err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		err = fmt.Errorf("audit: %w", err)
		if back := l.file.Truncate(l.size); back != nil { // nobody knows what is there
			l.broken = errors.Join(err, back)
		}
		return err
	}
	l.last, l.size = e, l.size+int64(len(line))
	return nil
}

// Close ends writing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = errors.New("audit: it is closed")
	}
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
