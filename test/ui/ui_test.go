// Package ui looks at the pages of a real `weft serve` with a real browser, as
// `weft ui` leads to them. What a page must show is in web/ui/test.
package ui

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/test/debian"
	"weft.dev/test/process"
)

const pages = "../../web/ui"

var update = flag.Bool("update", false, "make the pictures in docs/images anew")

var (
	server   *process.Server
	link     string // that `weft ui` printed
	crowd    string // a program: see test/crowd
	chromium string
	door     *entry // where people sign in
)

func TestMain(m *testing.M) {
	process.Main("ui", func(dir string) (int, error) {
		var err error
		if chromium, err = debian.Program("chromium", "chromium"); err != nil {
			return 1, err
		}
		if out, err := exec.Command("make", "-C", "../..", "ui").CombinedOutput(); err != nil {
			return 1, fmt.Errorf("make ui, which takes Node 20.19 or newer: %w\n%s", err, out)
		}
		weft := filepath.Join(dir, "weft")
		crowd = filepath.Join(dir, "crowd")
		if err := process.Build(map[string]string{weft: "../../cmd/weft", crowd: "../crowd"}); err != nil {
			return 1, err
		}
		if door, err = newEntry(dir); err != nil {
			return 1, err
		}
		if server, err = process.Serve(weft, dir, door.flags...); err != nil {
			return 1, err
		}
		defer server.Stop()
		return led(m)
	})
}

// led runs the tests while `weft ui` leads to the server.
func led(m *testing.M) (code int, err error) {
	var end func()
	if link, end, err = lead(); err != nil {
		return 1, err
	}
	defer end()
	return m.Run(), nil
}

// lead starts `weft ui`, and returns the link that it prints.
func lead(flags ...string) (link string, end func(), err error) {
	leader := server.Command(append([]string{"ui"}, flags...)...)
	leader.Stderr = os.Stderr
	out, err := leader.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := leader.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = leader.Process.Kill()
		_ = leader.Wait() // it was killed
	}
	if link, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		end()
		return "", nil, fmt.Errorf("weft ui printed no link: %w", err)
	}
	return strings.TrimSpace(link), end, nil
}

// look runs one file of browser tests, and logs what it measured.
func look(t *testing.T, file, link string) {
	t.Helper()
	cmd := exec.Command("node", "--test", "test/"+file)
	cmd.Dir = pages
	cmd.Env = append(os.Environ(), "WEFT_UI="+link, "CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", file, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, measured, ok := strings.Cut(line, "measured: "); ok {
			t.Log(strings.TrimSpace(measured))
		}
	}
}

// The order is that of a mesh: at first there is nothing.
func TestPages(t *testing.T) {
	look(t, "empty.test.mjs", link)
	bob := openPipelines(t)
	look(t, "pipelines.test.mjs", bob)
	look(t, "judgments.test.mjs", bob)
	look(t, "editor.test.mjs", link)
	shop := openShop(t)
	shop.release()
	look(t, "shop.test.mjs", link)
	look(t, "map.test.mjs", link)
	bob = shop.bob()
	if *update {
		look(t, "pictures.test.mjs", bob)
	}
	look(t, "acts.test.mjs", bob)
}

// What there is of a mesh of 2,000 services, and how long it takes.
func TestCrowd(t *testing.T) {
	cmd := exec.Command(crowd, "-services", "2000")
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}()
	at, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	look(t, "crowd.test.mjs", strings.TrimSpace(at))
}

// Only the link leads to what the mesh knows.
func TestLink(t *testing.T) {
	origin, key, ok := strings.Cut(link, "/weft/ui/#key=")
	if !ok || len(key) < 20 {
		t.Fatalf("link %q", link)
	}
	for _, c := range []struct {
		what, method, path, key, host string
		want                          int
	}{
		{"the page", "GET", "/weft/ui/services", "", "", 200},
		{"with the key", "GET", "/weft/v1/status", key, "", 200},
		{"without a key", "GET", "/weft/v1/status", "", "", 401},
		{"with another key", "GET", "/weft/v1/status", key[1:] + "A", "", 401},
		{"around the key", "GET", "/weft/ui/..%2fv1/status", "", "", 200}, // a page: nothing is decoded twice
		{"by a name", "GET", "/weft/v1/status", key, "evil.example", 403},
		{"to do what a page can, without a key", "POST", "/weft/v1/releases/shop/none/abort", "", "", 401},
		{"to change something else", "POST", "/weft/v1/tokens", key, "", 405},
		{"past the pages", "GET", "/api/v1/secrets", key, "", 404},
	} {
		q, err := http.NewRequestWithContext(t.Context(), c.method, origin+c.path, nil)
		check(t, err)
		if c.key != "" {
			q.Header.Set("Authorization", "Bearer "+c.key)
		}
		if c.host != "" {
			q.Host = c.host
		}
		answer, err := http.DefaultTransport.RoundTrip(q)
		check(t, err)
		answer.Body.Close()
		page := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html")
		if answer.StatusCode != c.want || page != (strings.HasPrefix(c.path, "/weft/ui/")) {
			t.Errorf("%s: %d %s, want %d", c.what, answer.StatusCode, answer.Header.Get("Content-Type"), c.want)
		}
	}
}
