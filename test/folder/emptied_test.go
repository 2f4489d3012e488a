package folder

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var token = regexp.MustCompile(`write ([0-9a-f]{8}) into`)

// The folder is emptied, as by a mount that goes away: no service is, also over a
// restart of the server and for an Envoy that starts then; until somebody means it.
func TestEmptied(t *testing.T) {
	s := newSite(t)
	s.write("web.yaml", route("a"))
	old := s.envoy("shop/old", "DELTA_GRPC", s.xds)
	old.call("http://a.example.com/", "a")
	old.call("http://b.example.com/", "b")
	load := old.load("http://a.example.com/")

	away := s.config + ".away"
	s.empty(away)
	s.says("status", "1 of 1 proxies current, 1 problems")
	late := s.envoy("shop/late", "DELTA_GRPC", s.xds)
	late.call("http://b.example.com/", "b")

	s.server.kill()
	s.begin()
	s.until("the server says why it does not serve", func() error { return s.server.said("has 0 objects and had 3") })
	s.first(old.client, "http://a.example.com/", "a")
	if out, err := exec.Command("cp", "-r", away+"/.", s.config).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	s.says("status", "2 of 2 proxies current, 0 problems")
	if good := load(); good == 0 {
		t.Error("no request was made: nothing was proved")
	}

	s.empty(away + ".again")
	var found [][]byte
	s.until("a problem with a token", func() error {
		out, _ := s.command("get", "problems").CombinedOutput() // it ends with the code of problems
		if found = token.FindSubmatch(out); found == nil {
			return fmt.Errorf("it says: %s", out)
		}
		return nil
	})
	if err := os.WriteFile(filepath.Join(s.config, ".weft-allow-removals"), found[1], 0o600); err != nil {
		t.Fatal(err)
	}
	s.says("status", "0 problems")
	s.until("the services are gone", func() error {
		if answers(old.client, "http://a.example.com/", "a") == nil {
			return fmt.Errorf("a answers")
		}
		return nil
	})
}

// empty moves all files elsewhere.
func (s *site) empty(away string) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.config, "*"))
	if err == nil {
		err = os.Mkdir(away, 0o755)
	}
	for _, file := range files {
		if err == nil {
			err = os.Rename(file, filepath.Join(away, filepath.Base(file)))
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
