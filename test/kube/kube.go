// Package kube tests weft on the real cluster that test/kube/node brings up:
// `make test-kube`. Its tests run in the node's network namespace, so they dial
// pods and ClusterIPs as a program on the node does.
//
// Input: $KUBECONFIG, and kubectl in $PATH, as node/run.sh sets them. Output:
// namespaces of a test's own, with objects and workloads in them. It must not
// know what a test does with them.
package kube

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Patience is how long a cluster on a busy machine may take to do as it was told.
const Patience = 2 * time.Minute

// Kubectl runs kubectl, and fails the test if it fails.
func Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := Try("", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Apply makes objects so; namespace is for those that name none.
func Apply(t testing.TB, namespace, objects string) {
	t.Helper()
	if _, err := Try(objects, "apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// Try runs kubectl with an input, and says what it said.
func Try(input string, args ...string) (string, error) {
	if os.Getenv("KUBECONFIG") == "" {
		return "", errors.New("no cluster: run this by `make test-kube`, or by test/kube/node/run.sh after `make kube-up`")
	}
	cmd := exec.Command("kubectl", args...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// Namespace makes a namespace that is removed with the test. A failed test
// says first what its pods were doing.
func Namespace(t testing.TB, name string, labels ...string) string {
	t.Helper()
	Kubectl(t, "delete", "namespace", name, "--ignore-not-found", "--timeout", Patience.String()) // of a run that was killed
	Kubectl(t, "create", "namespace", name)
	t.Cleanup(func() {
		if t.Failed() {
			report(t, name)
		}
		_, _ = Try("", "delete", "namespace", name, "--wait=false")
	})
	if len(labels) > 0 {
		Kubectl(t, append([]string{"label", "namespace", name}, labels...)...)
	}
	return name
}

func report(t testing.TB, namespace string) {
	for _, args := range [][]string{{"get", "pods", "-o", "wide"}, {"get", "events", "--sort-by=.lastTimestamp"}} {
		out, err := Try("", append(args, "-n", namespace)...)
		t.Logf("%s: %s%v", strings.Join(args, " "), out, err)
	}
}

// Rollout waits until all Deployments, StatefulSets and DaemonSets of a namespace run as they should.
func Rollout(t testing.TB, namespace string) {
	t.Helper()
	names := Kubectl(t, "get", "deployments,statefulsets,daemonsets", "-n", namespace, "-o", "name")
	for name := range strings.FieldsSeq(names) {
		Kubectl(t, "rollout", "status", name, "-n", namespace, "--timeout", Patience.String())
	}
}

// ServiceURL is where a Service answers HTTP for a program on the node.
func ServiceURL(t testing.TB, namespace, name string) string {
	t.Helper()
	at := Kubectl(t, "get", "service", name, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")
	return "http://" + at
}
