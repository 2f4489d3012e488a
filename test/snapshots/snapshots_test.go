// Package snapshots proves a mesh without a control plane: a hundred services
// from a Git repository, through a real S3 API, to real Envoys, while everything on
// that way fails. No server of weft runs.
package snapshots

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft.dev/test/process"
)

const patience = time.Minute // the machine may be busy

// weft is the binary; weft-agent is beside it.
var weft string

func TestMain(m *testing.M) {
	process.Main("snapshots", func(dir string) (int, error) {
		weft = filepath.Join(dir, "weft")
		if err := process.Build(map[string]string{weft: "../../cmd/weft", weft + "-agent": "../../cmd/weft-agent"}); err != nil {
			return 1, err
		}
		return m.Run(), nil
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what is to come true.
func until(t *testing.T, holds func() error) {
	t.Helper()
	check(t, process.Until(patience, holds))
}

// TestFromGitThroughS3: a change is a commit, is planned, published and then traffic.
func TestFromGitThroughS3(t *testing.T) {
	w := newWorld(t)
	frontend, api, web := w.start("shop", "frontend"), w.start("orders", "api"), w.start("media", "web")
	frontend.reaches("cart-api.example.com", w.town.find("cart-api.example.com").address)
	frontend.answers("media-web.example.com", "/", http.StatusBadGateway) // its Sidecar does not name it
	for _, s := range w.town.services {
		api.reaches(s.host, s.address)
	}

	load := w.load(frontend, api, web)
	api.reaches(releaseHost, w.town.find("catalog-web.example.com").address)
	api.answers(releaseHost, "/?delay=1s", http.StatusOK)
	w.writeRelease("search-web.example.com", "300ms")
	before := w.commit()
	plan := w.weft("plan", w.ci, "--against", before, "--diff")
	for _, said := range []string{releaseHost, "search-web.example.com", "0.300s"} {
		if !strings.Contains(plan, said) {
			t.Errorf("the plan does not say %s:\n%s", said, plan)
		}
	}
	api.reaches(releaseHost, w.town.find("catalog-web.example.com").address) // a plan changes nothing
	w.publish()
	for _, p := range []*proxy{api, web} {
		p.reaches(releaseHost, w.town.find("search-web.example.com").address)
		p.answers(releaseHost, "/?delay=1s", http.StatusGatewayTimeout)
	}
	load.stop()
}

// TestBalancing: calls of one gRPC connection are spread over the endpoints that the
// repository names, and follow one that leaves.
func TestBalancing(t *testing.T) {
	w := newWorld(t)
	calls := w.start("orders", "api").greet()
	calls.spread(greeters)
	w.writeGreeters(greeters[:2])
	w.commit()
	w.publish()
	calls.spread(greeters[:2])
	w.town.greeters[greeters[2]].Stop()
	calls.spread(greeters[:2])
	calls.stop()
}

// atLeast counts what is waited for.
func atLeast(got, want int) error {
	if got < want {
		return fmt.Errorf("%d so far, want %d", got, want)
	}
	return nil
}

// run is a command that must succeed.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, &stderr)
	}
	return string(out)
}
