// Package prometheus runs Debian's Prometheus for tests.
package prometheus

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"weft.dev/test/debian"
	"weft.dev/test/process"
)

// patience is how long one may take to start, on a busy machine.
const patience = time.Minute

// Start runs one on loopback until the test ends, and returns its URL. data is its folder; what it
// holds already may be of any age. args are more flags.
func Start(t testing.TB, data, config string, args ...string) (url string) {
	t.Helper()
	binary, err := debian.Program("prometheus", "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(binary, append(args, "--config.file="+file, "--storage.tsdb.path="+data, "--storage.tsdb.retention.time=100y", "--web.listen-address="+process.Loopback(port))...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("prometheus said:\n%s", said)
		}
	})
	url = "http://" + process.Loopback(port)
	if err := process.Until(patience, func() error { return ready(url) }); err != nil {
		t.Fatal(err)
	}
	return url
}

func ready(url string) error {
	response, err := http.Get(url + "/-/ready")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("prometheus is not ready: %s", response.Status)
	}
	return nil
}
