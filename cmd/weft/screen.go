package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// screen is a terminal that shows one thing, and then what it showed before.
type screen struct{ *os.File }

// screenOf is false if out is no terminal.
func screenOf(out io.Writer) (screen, bool) {
	file, ok := out.(*os.File)
	if !ok {
		return screen{}, false
	}
	_, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	return screen{file}, err == nil
}

// size is asked anew each time: people change it. A terminal that does not know its own has the usual one.
func (s screen) size() (width, height int) {
	size, err := unix.IoctlGetWinsize(int(s.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}

func (s screen) lines() int {
	_, height := s.size()
	return height
}

// What a terminal is told.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l" // without a cursor
	firstScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	restOfLine  = "\x1b[K"
	restBelow   = "\x1b[J"
)

// open turns to the other screen, until what it returns is called.
func (s screen) open() (closed func()) {
	_, _ = s.WriteString(otherScreen)
	return func() { _, _ = s.WriteString(firstScreen) }
}

// show puts text in place of what is there, as much of it as there is room for; in one write, so that nothing flickers.
func (s screen) show(text string) {
	width, height := s.size()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var b strings.Builder
	b.WriteString(home)
	for i, line := range lines[:min(len(lines), height)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cut(line, width) + restOfLine)
	}
	_, _ = s.WriteString(b.String() + restBelow)
}

// cut is a line without what there is no room for, and without anything that a terminal would obey.
func cut(line string, width int) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, line))
	return string(runes[:min(len(runes), width)])
}
