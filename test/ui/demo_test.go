package ui

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// told is what `make demo` says at its end: where its files are, and the link.
var told = regexp.MustCompile(`(?s)WEFT_DATA=(\S+)/data .*See it in a browser: (\S+)`)

// TestDemo: README's first command tells its story, every step of which holds, and who opens the link finds what the story was
// about. Ctrl-C ends all of it, and nothing is left.
func TestDemo(t *testing.T) {
	cmd := exec.Command("make", "demo")
	cmd.Dir, cmd.Stderr = "../..", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	interrupt := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	t.Cleanup(interrupt)
	var story strings.Builder
	var end []string
	for lines := bufio.NewScanner(out); end == nil && lines.Scan(); end = told.FindStringSubmatch(story.String()) {
		story.WriteString(lines.Text() + "\n")
	}
	if end == nil {
		t.Fatalf("make demo: %v\n%s", cmd.Wait(), story.String())
	}
	look(t, "demo.test.mjs", end[2])
	interrupt()
	_ = cmd.Wait() // make says that it was interrupted
	if _, err := os.Stat(end[1]); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", end[1], err)
	}
}
