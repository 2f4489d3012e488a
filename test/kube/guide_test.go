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

// TestGuide types what docs/guides/kubernetes.md says. It takes weft out of the
// cluster: no other test may run beside it.
func TestGuide(t *testing.T) {
	t.Cleanup(func() { // the guide ends without weft, which others count on
		if err := install(); err != nil {
			t.Error(err)
		}
	})
	follow(t, "kubernetes.md", "try")
}

// TestIngressGuide types what docs/guides/ingress.md says.
func TestIngressGuide(t *testing.T) {
	Mesh(t)
	follow(t, "ingress.md", "edge")
}

// follow types the commands of a guide in one shell. They make, and remove, a namespace.
func follow(t *testing.T, guide, namespace string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/guides/" + guide)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, found := range commands.FindAllStringSubmatch(string(text), -1) {
		script.WriteString(found[1])
	}
	if strings.Count(script.String(), "kubectl ") < 5 {
		t.Fatalf("%s has no commands:\n%s", guide, script.String())
	}
	if _, err := Try("", "delete", "namespace", namespace, "--ignore-not-found", "--timeout", Patience.String()); err != nil { // of a run that was killed
		t.Fatal(err)
	}
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
