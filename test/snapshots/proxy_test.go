package snapshots

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weft.dev/agent"
	"weft.dev/test/envoytest"
)

// proxy is the agent of a workload, and its Envoy.
type proxy struct {
	*world
	namespace, app string
	dir            string // of the agent
	cmd            *exec.Cmd
	done           chan struct{}
}

// start starts a proxy and waits until it has what is published.
func (w *world) start(namespace, app string) *proxy {
	w.t.Helper()
	p := &proxy{world: w, namespace: namespace, app: app, dir: filepath.Join(w.t.TempDir(), app)}
	p.begin()
	p.inUse()
	w.t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if w.t.Failed() {
			w.t.Logf("the agent of %s said:\n%s", app, p.said())
		}
	})
	return p
}

// begin starts the agent, as the first time or again.
func (p *proxy) begin() {
	p.t.Helper()
	log, err := os.OpenFile(p.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(p.t, err)
	defer log.Close()
	p.cmd = exec.Command(weft, "run", "--snapshots", target, "--snapshot-endpoint", p.front.url, "--snapshot-key", p.key+".pub", "--snapshot-interval", "200ms",
		"--namespace", p.namespace, "--app", p.app, "--name", p.app+"-1", "--outbound", strconv.Itoa(p.port()),
		"--dir", p.dir, "--envoy", envoytest.Binary(p.t), "--concurrency", "1", "--drain", "100ms", "--verbose")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	check(p.t, p.cmd.Start())
	p.done = make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(p.done) }()
}

// end ends the agent and waits for it.
func (p *proxy) end(signal os.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("the agent of %s did not end within %v of %v", p.app, patience, signal)
	}
}

func (p *proxy) port() int { return p.ports[p.namespace+"/"+p.app] }

func (p *proxy) said() string {
	text, _ := os.ReadFile(p.dir + ".log")
	return string(text)
}

// logged counts lines of the agent's log that have all of these texts.
func (p *proxy) logged(texts ...string) (n int) {
	for line := range strings.Lines(p.said()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			n++
		}
	}
	return n
}

// inUse waits until Envoy has what the agent took last.
func (p *proxy) inUse() {
	p.t.Helper()
	until(p.t, func() error {
		s, err := agent.ReadStatus(p.dir)
		if err == nil && (s.Published == nil || !s.Published.InUse) {
			err = fmt.Errorf("%s: what is published is not in use", p.app)
		}
		return err
	})
}

var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// call is what a caller gets that the proxy stands beside.
func (p *proxy) call(client *http.Client, host, path string) (status int, body string, err error) {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", p.port(), path), nil)
	if err != nil {
		return 0, "", err
	}
	request.Host = fmt.Sprintf("%s:%d", host, p.town.port)
	reply, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return reply.StatusCode, string(text), err
}

// answers wants a call to be answered so, now.
func (p *proxy) answers(host, path string, status int) {
	p.t.Helper()
	if got, body, err := p.call(client, host, path); err != nil || got != status {
		p.t.Errorf("%s calls %s%s: %d %s, %v; want %d", p.app, host, path, got, body, err, status)
	}
}

// reaches waits until a host is answered from an address.
func (p *proxy) reaches(host, address string) {
	p.t.Helper()
	until(p.t, func() error { return p.reachesBy(client, host, address) })
}

func (p *proxy) reachesBy(client *http.Client, host, address string) error {
	status, body, err := p.call(client, host, "/")
	if err == nil && (status != http.StatusOK || body != address) {
		err = fmt.Errorf("%s calls %s: %d %s, want %s", p.app, host, status, body, address)
	}
	return err
}
