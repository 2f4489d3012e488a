// Package readme runs what README.md tells people to type.
package readme

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is one fenced block of shell commands.
type block struct {
	line int
	text string
}

var fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

func blocks(t *testing.T, name string) []block {
	t.Helper()
	text := page(t, name)
	var all []block
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		all = append(all, block{1 + strings.Count(text[:at[0]], "\n"), text[at[2]:at[3]]})
	}
	return all
}

// page is the text of a file, named from the project's root.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestBlocks runs every sh block of README.md in order, in one shell, as a reader
// would type them. Left out are `make demo`, which test/ui runs and looks at, and
// `make test`, because this test is part of it; .ci/run must call it.
func TestBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: README's commands take minutes; `go test ./test/readme` runs them")
	}
	var byHand strings.Builder
	demo, test := false, false
	for _, b := range blocks(t, "README.md") {
		switch strings.TrimSpace(b.text) {
		case "make demo":
			demo = true
		case "make test":
			test = true
		default:
			byHand.WriteString(b.text)
		}
	}
	if !demo || !test || byHand.Len() == 0 {
		t.Errorf("README.md: demo block %v, test block %v, %d bytes of other commands: want all three", demo, test, byHand.Len())
	}
	shell(t, byHand.String(), 5*time.Minute)
	ci, err := os.ReadFile("../../.ci/run")
	if err != nil || !strings.Contains(string(ci), "make test") {
		t.Errorf(".ci/run does not call README's test command `make test`: %v", err)
	}
}

// shell runs commands in the project's root, stops at the first that fails, ends
// whatever they left running, and returns what they printed.
func shell(t *testing.T, commands string, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\n"+commands)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	log := filepath.Join(t.TempDir(), "log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	start := time.Now()
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	text, _ := os.ReadFile(log)
	if err != nil {
		t.Fatalf("after %s: %v\n%s\nprinted:\n%s", time.Since(start), err, commands, text)
	}
	t.Logf("%s in %s", strings.SplitN(commands, "\n", 2)[0], time.Since(start).Round(time.Second))
	return string(text)
}
