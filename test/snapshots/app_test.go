package snapshots

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/test/envoytest"
	"weft.dev/test/netns"
)

// TestAppWithoutWorkload: an instance that the repository does not name has what its app
// has, at the port that everybody has who says nothing; so it gets a machine of its own.
func TestAppWithoutWorkload(t *testing.T) {
	dir := t.TempDir()
	key, place := filepath.Join(dir, "publish.pem"), filepath.Join(dir, "published")
	run(t, exec.Command(weft, "snapshot-key", key))
	run(t, exec.Command(weft, "publish", example, place, "--key", key, "--allow-dirty"))
	machine, _ := netns.Wired(t)
	cmd := machine.Command(t.Context(), weft, "run", "--snapshots", place, "--snapshot-key", key+".pub", "--namespace", "shop", "--app", "frontend",
		"--dir", filepath.Join(dir, "frontend"), "--envoy", envoytest.Binary(t), "--", "sh", "-c", "curl -sS $HTTP_PROXY -H 'Host: nobody.example.com'; echo; echo by $HTTP_PROXY")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if text := string(out); err != nil || !strings.Contains(text, "no service of the mesh") || !strings.Contains(text, "by http://127.0.0.1:15001") {
		t.Errorf("%v; it printed %s", err, text)
	}
}
