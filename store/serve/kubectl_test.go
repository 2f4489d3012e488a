package serve_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// findKubectl returns the kubectl of the machine, or builds one.
var findKubectl = sync.OnceValues(func() (string, error) {
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "weft", "test", "kubectl")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = "../../test/kubectl"
	build.Stderr = os.Stderr
	return path, build.Run()
})

// kubectl runs the real kubectl against one server.
type kubectl struct{ path, kubeconfig string }

func newKubectl(t *testing.T, kubeconfig string) kubectl {
	t.Helper()
	path, err := findKubectl()
	if err != nil {
		t.Fatalf("kubectl is neither in PATH nor could it be built from test/kubectl: %v", err)
	}
	return kubectl{path, kubeconfig}
}

func (k kubectl) command(args ...string) *exec.Cmd {
	cmd := exec.Command(k.path, args...)
	// Its own home: kubectl caches discovery there.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.kubeconfig, "HOME="+filepath.Dir(k.kubeconfig), "KUBE_EDITOR=sed -i s/canary/blueGreen/")
	return cmd
}

// run returns standard output and standard error together.
func (k kubectl) run(stdin string, args ...string) (string, error) {
	cmd := k.command(args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	err := cmd.Run()
	return out.String(), err
}

// ok runs a command that must succeed and print every one of the texts.
func (k kubectl) ok(t *testing.T, stdin, args string, texts ...string) string {
	t.Helper()
	out, err := k.run(stdin, strings.Fields(args)...)
	if err != nil {
		t.Errorf("kubectl %s: %v\n%s", args, err, out)
	}
	k.contains(t, args, out, texts)
	return out
}

// refused runs a command that must fail and print every one of the texts.
func (k kubectl) refused(t *testing.T, stdin, args string, texts ...string) {
	t.Helper()
	out, err := k.run(stdin, strings.Fields(args)...)
	if err == nil {
		t.Errorf("kubectl %s succeeded:\n%s", args, out)
	}
	k.contains(t, args, out, texts)
}

func (k kubectl) contains(t *testing.T, args, out string, texts []string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("kubectl %s: no %q in\n%s", args, text, out)
		}
	}
}
