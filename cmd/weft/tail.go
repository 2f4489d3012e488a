package main

import (
	"bytes"
	"sync"
)

// maxTail is how much of the log is kept for weft bug-report, in bytes.
const maxTail = 256 << 10

// logged is the end of this server's log.
var logged logTail

// logTail is the end of what was written.
type logTail struct {
	mu   sync.Mutex
	text []byte
}

func (t *logTail) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text = append(t.text, line...); len(t.text) > 2*maxTail {
		t.text = append(t.text[:0], t.text[len(t.text)-maxTail:]...)
	}
	return len(line), nil
}

// String is the last lines, all of them whole.
func (t *logTail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) <= maxTail {
		return string(t.text)
	}
	text := t.text[len(t.text)-maxTail:]
	return string(text[bytes.IndexByte(text, '\n')+1:])
}
