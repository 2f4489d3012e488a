package host

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/test/envoytest"
	"weft.dev/test/netns"
)

var block = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestGuide types what docs/guides/hosts.md says, in one shell, on a machine that
// has a route to everywhere.
func TestGuide(t *testing.T) {
	envoytest.Binary(t)
	machine, _ := netns.Wired(t)
	machine.IP("route", "add", "default", "via", netns.OuterIP)
	text, err := os.ReadFile("../../docs/guides/hosts.md")
	check(t, err)
	var commands strings.Builder
	for _, found := range block.FindAllStringSubmatch(string(text), -1) {
		commands.WriteString(found[1])
	}
	if strings.Count(commands.String(), "weft ") < 8 {
		t.Fatalf("the guide has no commands:\n%s", commands.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := machine.Command(ctx, "bash", "-euo", "pipefail", "-c", commands.String())
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	check(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	said, _ := os.ReadFile(log.Name())
	if err != nil || strings.Count(string(said), "hello\n") < 3 {
		t.Fatalf("%v; it printed:\n%s", err, said)
	}
}
