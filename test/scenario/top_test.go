package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"weft.dev/test/process"
)

// terminal opens one: who uses it, and who looks at it.
func terminal(t *testing.T) (inside, outside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outside.Close() })
	number, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(int(outside.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 20, Col: 30}))
	if err == nil {
		inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return inside, outside
}

// said is what a terminal was told until now.
type said struct {
	sync.Mutex
	bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.Write(p)
}

func (s *said) count(text string) int {
	s.Lock()
	defer s.Unlock()
	return bytes.Count(s.Bytes(), []byte(text))
}

// TestTop: on a terminal it is drawn again and again, no line wider than that, and Ctrl-C gives back what was there before.
func TestTop(t *testing.T) {
	inside, outside := terminal(t)
	cmd := shared.command("top")
	cmd.Stdout, cmd.Stderr = inside, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	inside.Close()
	seen, read := &said{}, make(chan struct{})
	go func() {
		defer close(read)
		_, _ = outside.WriteTo(seen)
	}()
	err := process.Until(patience, func() error {
		if n := seen.count("SERVICE"); n < 3 {
			return fmt.Errorf("drawn %d times", n)
		}
		return nil
	})
	_ = cmd.Process.Signal(syscall.SIGINT)
	if err = errors.Join(err, cmd.Wait()); err != nil {
		t.Error(err)
	}
	<-read
	if !bytes.HasPrefix(seen.Bytes(), []byte("\x1b[?1049h")) || !bytes.HasSuffix(seen.Bytes(), []byte("\x1b[?1049l")) {
		t.Errorf("it does not begin and end with the other screen: %q", seen.Bytes())
	}
	for line := range bytes.SplitSeq(seen.Bytes(), []byte("\x1b[K")) {
		if shown := bytes.TrimPrefix(bytes.TrimSpace(line), []byte("\x1b[H")); len(shown) > 60 {
			t.Errorf("too wide: %q", shown)
		}
	}
}
