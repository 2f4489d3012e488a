package kube

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"weft.dev/test/process"
)

// Injected is the label of a namespace whose pods join the mesh.
const Injected = "weft.dev/inject=enabled"

// nodeAddress is where pods reach a program on the node.
const nodeAddress = "10.90.0.2"

// gitAddress is where tests serve a repository that weft may bake from.
const gitAddress = nodeAddress + ":7418"

// Mesh has weft in the cluster, of the images of this checkout, which may start and stop versions, and bake. It stays
// there for the next test, and must not end by itself during this one.
func Mesh(t testing.TB) {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	steady(t)
}

var installed = sync.OnceValue(install)

func install() error {
	tag := os.Getenv("IMAGE_TAG")
	out, err := exec.Command("weft", "install", "--image", "weft:"+tag, "--proxy-image", "weft-proxy:"+tag, "--set", "deploys=true",
		"--set", "bake.repositories={http://"+gitAddress+"/}").CombinedOutput()
	if err != nil {
		return fmt.Errorf("weft install: %w: %s", err, out)
	}
	return nil
}

// Restart restarts a part of the cluster, as kube-apiserver.
func Restart(part string) error {
	script, err := filepath.Abs("node/up.sh")
	if err != nil {
		return err
	}
	if out, err := exec.Command(script, "--restart", part).CombinedOutput(); err != nil {
		return fmt.Errorf("restarting %s: %w: %s", part, err, out)
	}
	return nil
}

// Load is what a load generator counted.
type Load struct {
	Sent, OK int
	ByStatus map[string]int
}

// load is a Job that calls a URL from a pod of the mesh; the rate is requests a second.
const load = `
apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      restartPolicy: Never
      containers:
      - {name: load, image: "shop-load:%[2]s", args: ["--rate", "%[3]d", "--duration", "%[4]s", "%[5]s"]}
`

// answered is a line of progress of a load of which requests were answered.
var answered = regexp.MustCompile(`ok [1-9]`)

// UnderLoad calls url from a meshed pod while change happens, and after it still.
// It fails the test if a request fails.
func UnderLoad(t testing.TB, namespace, url string, change func()) {
	t.Helper()
	const name, rate, duration = "load", 50, "60s"
	Apply(t, namespace, fmt.Sprintf(load, name, os.Getenv("IMAGE_TAG"), rate, duration, url))
	Kubectl(t, "wait", "job", name, "-n", namespace, "--for=jsonpath={.status.ready}=1", "--timeout", Patience.String())
	began := process.Until(Patience, func() error {
		said, err := Try("", "logs", "job/"+name, "-c", "load", "-n", namespace)
		if err == nil && !answered.MatchString(said) {
			err = fmt.Errorf("no request of the load has been answered; it said %q", said)
		}
		return err
	})
	if began != nil {
		t.Fatal(began) // a caller that calls for the first time while nobody can tell its proxy whom is another case
	}
	change()
	counted := Finished(t, namespace, name)
	if counted.Sent == 0 || counted.OK != counted.Sent {
		seconds, _ := Try("", "logs", "job/"+name, "-c", "load", "-n", namespace)
		records, _ := Try("", "logs", "job/"+name, "-c", "weft-proxy", "-n", namespace)
		t.Errorf("of %d requests %d failed: %v\n%s\nits proxy says:\n%s", counted.Sent, counted.Sent-counted.OK, counted.ByStatus, seconds, records)
	}
}

// Finished waits for the end of a load, which is that of its Job: its proxy must end with it.
func Finished(t testing.TB, namespace, job string) (counted Load) {
	t.Helper()
	Kubectl(t, "wait", "job", job, "-n", namespace, "--for=condition=Complete", "--timeout", Patience.String())
	said := Kubectl(t, "logs", "job/"+job, "-c", "load", "-n", namespace)
	// A line of progress may come after it: the two go different ways.
	if err := json.NewDecoder(strings.NewReader(said[strings.Index(said, "{"):])).Decode(&counted); err != nil {
		t.Fatalf("load said %q: %v", said, err)
	}
	return counted
}
