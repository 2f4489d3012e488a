package kube

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/test/process"
)

// strict has nobody without a certificate of the mesh call anything in a namespace.
const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
`

// TestHalfOnHosts: productpage, details and ratings are pods; reviews is a process
// on a machine. productpage calls it there, and it calls ratings in a pod, all by
// mTLS and nothing else.
func TestHalfOnHosts(t *testing.T) {
	Mesh(t)
	namespace := Namespace(t, "half", Injected)
	Apply(t, namespace, Sample(t, "platform/kube/bookinfo.yaml"))
	Kubectl(t, "delete", "deployments", "-l", "app=reviews", "-n", namespace)
	Apply(t, namespace, strict)
	Rollout(t, namespace)
	joined := join(t, namespace)
	runOnHost(t, joined, namespace)

	page := inPod(t, namespace)
	err := process.Until(Patience, func() error {
		out, err := page()
		if err == nil && !strings.Contains(out, `"stars"`) {
			err = fmt.Errorf("a page without stars: %s", out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 { // once both ways are there, they hold
		if out, err := page(); err != nil || !strings.Contains(out, `"stars"`) {
			t.Fatalf("page %s: %v", out, err)
		}
	}
	if out, err := plain(t, namespace); err == nil {
		t.Errorf("plain text from the node to a strict pod is answered: %s", out)
	}
}

// join makes the node a machine of the mesh, and gives the folder of its credentials.
func join(t *testing.T, namespace string) string {
	t.Helper()
	dir := t.TempDir()
	made := weft(t, dir, "token", "create", "--namespace", namespace)
	fields := strings.Fields(made)
	token := fields[len(fields)-1]
	port := Kubectl(t, "get", "service", "weft", "-n", "weft-system", "-o", "jsonpath={.spec.clusterIP}") + ":7444"
	weft(t, dir, "join", "--server", port, "--token", token)
	return dir
}

// weft runs a command with its own data directory, and fails the test if it fails.
func weft(t *testing.T, dir string, args ...string) string {
	t.Helper()
	said, err := tryWeft(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// tryWeft is the same, and says what it said.
func tryWeft(dir string, args ...string) (string, error) {
	cmd := exec.Command("weft", args...)
	cmd.Env = append(os.Environ(), "WEFT_DATA="+dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("weft %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// runOnHost runs reviews on the node until the test ends.
func runOnHost(t *testing.T, dir, namespace string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "reviews.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("weft", "run", "--namespace", namespace, "--app", "reviews", "--version", "v2", "--port", "9080", "--address", nodeAddress,
		"--", "shop", "bookinfo-reviews")
	cmd.Env = append(os.Environ(), "WEFT_DATA="+dir, "WEFT_VERSION=v2")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("reviews on the node:\n%s", said)
		}
	})
}

// inPod asks productpage for its page, from its own pod.
func inPod(t *testing.T, namespace string) func() (string, error) {
	t.Helper()
	Apply(t, namespace, visitor)
	Kubectl(t, "wait", "pod/visitor", "-n", namespace, "--for=condition=Ready", "--timeout", Patience.String())
	return func() (string, error) {
		return Try("", "exec", "visitor", "-c", "visitor", "-n", namespace, "--", "curl", "-fsS", "-m", "10", "http://productpage:9080/productpage")
	}
}

const visitor = `
apiVersion: v1
kind: Pod
metadata: {name: visitor, labels: {app: visitor}}
spec:
  containers:
  - {name: visitor, image: "nettools:v1", command: [sh, -c, "sleep 600"]}
`

// plain asks a pod without a certificate.
func plain(t *testing.T, namespace string) (string, error) {
	t.Helper()
	ip := Kubectl(t, "get", "pod", "-l", "app=details", "-n", namespace, "-o", "jsonpath={.items[0].status.podIP}")
	client := *client
	client.Timeout = 5 * time.Second
	response, err := client.Get("http://" + ip + ":9080/details/0")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	return response.Status, nil
}
