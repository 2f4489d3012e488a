package steward

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	tailSize  = 600      // bytes of an instance's last output that people are told
	maxOutput = 16 << 20 // bytes of output that are kept, and as much again of what was before
)

// explain says why an instance ended, with its last words.
func (i *instance) explain(err error) error {
	if i.leaves() {
		return nil
	}
	if err == nil {
		err = errors.New("exit status 0")
	}
	words := strings.TrimSpace(tail(i.output()))
	if words == "" {
		return fmt.Errorf("it ends: %w; it said nothing", err)
	}
	return fmt.Errorf("it ends: %w; its last words: %s", err, words)
}

// tail is the end of a file, from the beginning of a line.
func tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, err = file.Seek(max(0, size-tailSize), io.SeekStart)
		text, _ := io.ReadAll(io.LimitReader(file, tailSize))
		if _, rest, cut := strings.Cut(string(text), "\n"); cut && err == nil && size > tailSize {
			return strings.ToValidUTF8(rest, "?")
		}
		return strings.ToValidUTF8(string(text), "?")
	}
	return ""
}

// trim keeps a long output from filling the disk: what is there is put aside, and the
// instance, which appends, begins anew.
func trim(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() < maxOutput {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path+".1", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close(), os.Truncate(path, 0))
}
