package kube

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var commands = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestGuide types what docs/guides/kubernetes.md says, in one shell. It takes
// weft out of the cluster: no other test may run beside it.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, found := range commands.FindAllStringSubmatch(string(text), -1) {
		script.WriteString(found[1])
	}
	if strings.Count(script.String(), "weft ") < 8 {
		t.Fatalf("the guide has no commands:\n%s", script.String())
	}
	if _, err := Try("", "delete", "namespace", "try", "--ignore-not-found", "--timeout", Patience.String()); err != nil { // of a run that was killed
		t.Fatal(err)
	}
	t.Cleanup(func() { // the guide ends without weft, which others count on
		if err := install(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-xeuo", "pipefail", "-c", script.String())
	cmd.Env = append(os.Environ(), "TAG="+cmp.Or(os.Getenv("IMAGE_TAG"), "dev"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v; it printed:\n%s", err, said)
	}
}
