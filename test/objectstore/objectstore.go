// Package objectstore runs a real S3 API for tests: moto's server, a Python
// package, on a free port of loopback. It keeps its objects in memory.
//
// Input: pip, the first time on a machine. Output: an endpoint with an empty
// bucket. It must not know what a test keeps there.
package objectstore

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/test/process"
)

const (
	version      = "5.2.5"
	fetchTimeout = 5 * time.Minute
	startTime    = time.Minute // on a busy machine

	// Bucket is there when Start returns.
	Bucket = "weft-test"
)

// Environment is what a process needs in its environment to be let in.
func Environment() []string {
	return []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1"}
}

// Enter is Environment for the test's own process.
func Enter(t *testing.T) {
	t.Helper()
	for _, line := range Environment() {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

// Start gives the server's endpoint, "http://127.0.0.1:PORT". It runs until the
// test ends.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	library, err := fetched()
	if err != nil {
		t.Fatalf("no S3 API: %v", err)
	}
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command("python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "PYTHONPATH="+library), &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the S3 API said:\n%s", said.Bytes())
		}
	})
	endpoint = "http://" + process.Loopback(port)
	if err := process.Until(startTime, func() error { return makeBucket(t.Context(), endpoint) }); err != nil {
		t.Fatalf("the S3 API does not serve within %v: %v", startTime, err)
	}
	return endpoint
}

func makeBucket(ctx context.Context, endpoint string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"/"+Bucket, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("PUT /%s: %s", Bucket, answer.Status)
	}
	return nil
}

// fetched is the folder of the package.
var fetched = sync.OnceValues(func() (string, error) { return process.Fetched("moto-"+version, fetch) })

// fetch puts the package into a folder. Its extra "server" is not asked for: that is
// three times as large, and serves what is not needed.
func fetch(into string) error {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--no-input", "--target", into, "moto[s3]=="+version, "flask", "flask-cors")
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("pip install moto: %w\n%s", err, out)
	}
	return nil
}
