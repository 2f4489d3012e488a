package readme

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const story = "docs/guides/release-story.md"

// exports is the line with which a new shell finds the shop of `make shop`.
var exports = regexp.MustCompile(`(?m)^  (export WEFT_DATA=.*)$`)

// TestStory: who has `make shop` running and types the commands of the story reads what it says.
func TestStory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the story takes minutes; `go test ./test/readme` runs them")
	}
	told := regexp.MustCompile("(?ms)^```(sh|console)\n(.*?)^```$").FindAllStringSubmatch(page(t, story), -1)
	var commands strings.Builder
	fmt.Fprintln(&commands, startShop(t))
	prints := []string{""}
	for _, b := range told {
		if b[1] == "console" {
			prints[len(prints)-1] += b[2]
			continue
		}
		fmt.Fprintf(&commands, "echo; echo %s\n%s", mark, b[2])
		prints = append(prints, "")
	}
	printed := strings.Split(shell(t, commands.String(), 5*time.Minute), mark+"\n")
	if len(prints) < 2 || len(printed) != len(prints) {
		t.Fatalf("%d blocks of commands printed %d times", len(prints), len(printed))
	}
	for i := range prints {
		t.Logf("block %d printed:\n%s", i, printed[i])
		says(t, printed[i], prints[i])
	}
}

// mark is printed before each block of commands.
const mark = "== next block =="

// says wants lines in this order, with others between them; "..." is any text, a space any number of them.
func says(t *testing.T, printed, want string) {
	t.Helper()
	lines := strings.Split(printed, "\n")
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		if line == "..." {
			continue
		}
		words := strings.Join(strings.Fields(regexp.QuoteMeta(line)), `\s+`)
		pattern := regexp.MustCompile(`^\s*` + strings.ReplaceAll(words, regexp.QuoteMeta("..."), `.*`) + `\s*$`)
		at := 0
		for at < len(lines) && !pattern.MatchString(lines[at]) {
			at++
		}
		if at == len(lines) {
			t.Errorf("%s says that this is printed:\n%s\nit is not, or not there:\n%s", story, line, printed)
			return
		}
		lines = lines[at+1:]
	}
}

// startShop runs `make shop` until the test ends, and returns what it says to type in another shell.
func startShop(t *testing.T) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "shop")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("make", "shop")
	cmd.Dir, cmd.Stdout, cmd.Stderr = "../..", out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		<-ended
	})
	return awaitShop(t, log, ended)
}

// awaitShop waits until it says how to go on.
func awaitShop(t *testing.T, log string, ended <-chan struct{}) string {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(15 * time.Minute)
	for {
		text, err := os.ReadFile(log)
		if found := exports.FindSubmatch(text); found != nil && bytes.Contains(text, []byte("Every step held")) {
			return string(found[1])
		}
		select {
		case <-tick.C:
			continue
		case <-ended:
			t.Fatalf("it ended:\n%s", text)
		case <-limit:
		}
		t.Fatalf("it does not run: %v\n%s", err, text)
	}
}
