package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weft.dev/agent"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/test/envoytest"
)

const (
	patience  = 30 * time.Second
	asApp     = "WEFT_TEST_APP" // makes this binary the application
	mostBytes = 30 << 20        // of an agent

	streamParts, streamPause = 20, 100 * time.Millisecond // of /stream
)

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		serveApp()
	}
	os.Exit(m.Run())
}

// serveApp says whether its proxy listened when it started, and ends with 7.
func serveApp() {
	ready := "late"
	if conn, err := net.Dial("tcp", strings.TrimPrefix(os.Getenv("HTTP_PROXY"), "http://")); err == nil {
		conn.Close()
		ready = "ready"
	}
	http.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		for range streamParts {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(streamPause)
		}
	})
	http.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		begun := r.FormValue("begun")
		_ = os.WriteFile(begun, nil, 0o600)
		for exists(begun) {
			time.Sleep(streamPause)
		}
		fmt.Fprint(w, "held")
	})
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv("WEFT_APP"), " ", r.Host, " proxy ", ready)
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
	os.Exit(1)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// record is a log that tests read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

var startedForm = regexp.MustCompile(`msg="Envoy started" pid=(\d+)`)

// envoy is the process that was started last.
func (r *record) envoy(t *testing.T) *os.Process {
	t.Helper()
	all := startedForm.FindAllStringSubmatch(r.String(), -1)
	if len(all) == 0 {
		t.Fatal("no Envoy was started")
	}
	pid, err := strconv.Atoi(all[len(all)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// running is an agent that runs in this process.
type running struct {
	t      *testing.T
	log    *record
	dir    string
	cancel context.CancelFunc
	done   chan struct{}
	code   int
	err    error
}

func options(t *testing.T, m *mesh, dir, hostDir string) agent.Options {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return agent.Options{
		Dir: dir, HostDir: hostDir, Envoy: envoytest.Binary(t), Drain: 100 * time.Millisecond,
		Registration: model.Registration{
			Namespace: "shop", Name: "app-1", App: "app", Version: "v1", Address: "127.0.0.1", Host: "web-1",
			Ports: []model.WorkloadPort{{Number: 80, Protocol: model.HTTP}},
		},
		Command: []string{"env", asApp + "=1", self}, Stdout: io.Discard, Stderr: io.Discard,
	}
}

func start(t *testing.T, o agent.Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, log: &record{}, dir: o.Dir, cancel: cancel, done: make(chan struct{})}
	o.Log = slog.New(slog.NewTextHandler(r.log, nil))
	go func() {
		defer close(r.done)
		r.code, r.err = agent.Run(ctx, o)
	}()
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

// until waits for what is to come true, and asks often.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// get calls through the workload's proxy; every error is "".
func get(client *http.Client, m *mesh, path string) string {
	return getBy(client, m, "shop/app-1", path)
}

// getBy calls through the proxy of one of several.
func getBy(client *http.Client, m *mesh, key, path string) string {
	w := m.workload(key)
	if w.Spec.OutboundPort == 0 {
		return ""
	}
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", w.Spec.OutboundPort, path), nil)
	if err != nil {
		return ""
	}
	request.Host = "app.shop"
	return bodyOf(client.Do(request))
}

// bodyOf is what was answered; every error is "".
func bodyOf(reply *http.Response, err error) string {
	if err != nil {
		return ""
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// fresh opens a connection for each call.
func fresh() *http.Client {
	return &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

const answer = "app app.shop proxy ready"

// The whole life of a workload: it starts after its proxy, is counted, outlives
// the server, comes back from disk, and is sent nothing twice.
func TestLife(t *testing.T) {
	m := newMesh(t)
	dir := filepath.Join(t.TempDir(), "app-1")
	hostDir := m.join()
	o := options(t, m, dir, hostDir)
	first := start(t, o)
	client := fresh()
	until(t, "the application answers through its proxy", func() bool { return get(client, m, "/") == answer })
	until(t, "the workload is healthy", func() bool { return m.workload("shop/app-1").Status.Health == "Healthy" })
	countsEdges(t, m, client)
	until(t, "the status says so", func() bool {
		s, err := agent.ReadStatus(dir)
		return err == nil && s.Health == model.Healthy && s.Connected && s.EnvoyReady
	})
	until(t, "the configuration has settled", func() bool {
		newest, err := os.ReadFile(filepath.Join(dir, "config"))
		settled, err2 := os.ReadFile(filepath.Join(dir, "config.previous"))
		return err == nil && err2 == nil && bytes.Equal(newest, settled)
	})
	filesAreSecret(t, dir)
	ports := m.workload("shop/app-1").Spec

	m.stop()
	if err := first.log.envoy(t).Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "a killed Envoy serves again, without a server", func() bool {
		return strings.Count(first.log.String(), "Envoy started") == 2 && get(client, m, "/") == answer
	})
	first.stop()
	for _, damage := range []func(string) error{
		func(string) error { return nil },
		func(path string) error { return os.Truncate(path, 100) },
	} {
		if err := damage(filepath.Join(dir, "config")); err != nil {
			t.Fatal(err)
		}
		again := start(t, o)
		until(t, "agent and Envoy start from disk, without a server", func() bool { return get(client, m, "/") == answer })
		again.stop()
	}

	last := start(t, o)
	until(t, "it serves", func() bool { return get(client, m, "/") == answer })
	m.start(m.address)
	until(t, "the server knows it again", func() bool { return strings.Contains(last.log.String(), "msg=registered") })
	until(t, "its configuration is current", func() bool { applied, total, _ := m.sessions.Applied(m.revision()); return applied == 1 && total == 1 })
	for kind, n := range m.sessions.Sent("shop/app-1") {
		if n > 0 {
			t.Errorf("the new server sent %d %v that did not change", n, kind)
		}
	}
	if now := m.workload("shop/app-1").Spec; now.OutboundPort != ports.OutboundPort || now.Ports[0] != ports.Ports[0] {
		t.Errorf("ports changed from %+v to %+v", ports, now)
	}
	last.stop()
	if m.gone != 1 {
		t.Errorf("the workload left %d times, want once: it was stopped once while there was a server", m.gone)
	}
	noWarnings(t, filepath.Join(dir, "envoy.log"))
}

func (m *mesh) revision() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rev
}

func countsEdges(t *testing.T, m *mesh, client *http.Client) {
	t.Helper()
	for range 20 {
		if get(client, m, "/") != answer {
			t.Fatal("a call failed")
		}
	}
	var requests, errors, timed uint64
	deadline := time.After(patience)
	for requests < 20 || timed < 20 {
		select {
		case r := <-m.traffic:
			for _, e := range r.Edges {
				if e.Cluster != selfCluster {
					t.Errorf("an edge to %q", e.Cluster)
				}
				requests, errors = requests+e.Requests, errors+e.Errors
				for _, n := range e.Latency {
					timed += n
				}
			}
		case <-deadline:
			t.Fatalf("%d requests and %d latencies were reported, want at least 20", requests, timed)
		}
	}
}

func filesAreSecret(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 6 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
	}
}

func noWarnings(t *testing.T, path string) {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil || len(log) == 0 {
		t.Fatalf("Envoy's log: %d bytes, %v", len(log), err)
	}
	stopping := false // by us: its own streams end with it, and it says so
	for line := range strings.Lines(string(log)) {
		stopping = strings.Contains(line, "caught ENVOY_SIGTERM") || stopping && !strings.Contains(line, "initializing epoch")
		if stopping {
			continue
		}
		for _, level := range []string{"[warning]", "[error]", "[critical]"} {
			if strings.Contains(line, level) {
				t.Errorf("Envoy: %s", line)
			}
		}
	}
}

func TestExitCodeIsTheApplications(t *testing.T) {
	m := newMesh(t)
	r := start(t, options(t, m, filepath.Join(t.TempDir(), "app-1"), m.join()))
	client := fresh()
	until(t, "it serves", func() bool { return get(client, m, "/") == answer })
	get(client, m, "/exit")
	<-r.done
	if r.code != 7 || r.err != nil {
		t.Errorf("code %d, %v", r.code, r.err)
	}
	if m.gone != 1 {
		t.Error("the workload did not leave")
	}
}

// New roots reach Envoy while a connection through it is in use, which stays.
func TestRotationDropsNothing(t *testing.T) {
	m := newMesh(t)
	r := start(t, options(t, m, filepath.Join(t.TempDir(), "app-1"), m.join()))
	until(t, "it serves", func() bool { return get(fresh(), m, "/") == answer })
	kept := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	call := func() (reused bool) {
		trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		request, err := http.NewRequestWithContext(trace, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", m.workload("shop/app-1").Spec.OutboundPort), nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := kept.Do(request)
		if err != nil {
			t.Fatalf("a call failed: %v", err)
		}
		defer reply.Body.Close()
		if _, err := io.Copy(io.Discard, reply.Body); err != nil || reply.StatusCode != http.StatusOK {
			t.Fatalf("a call failed: %s, %v", reply.Status, err)
		}
		return reused
	}
	call()
	if err := m.authority.CA.Rotate(time.Hour); err != nil {
		t.Fatal(err)
	}
	until(t, "the agent has the new roots", func() bool {
		if !call() {
			t.Fatal("the connection was dropped")
		}
		return strings.Contains(r.log.String(), "the trusted roots changed")
	})
	for range 200 { // Envoy takes them in meanwhile
		if !call() {
			t.Fatal("the connection was dropped")
		}
	}
	if get(fresh(), m, "/") == "" {
		t.Error("a new connection fails")
	}
}

func TestJoinRefused(t *testing.T) {
	m, other := newMesh(t), newMesh(t)
	token, err := m.authority.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	join := func(address, token string) error {
		return agent.Join(t.Context(), agent.JoinOptions{Server: address, Token: token, Dir: t.TempDir(), Host: "web-1"})
	}
	if err := join(other.address, token); err == nil || !strings.Contains(err.Error(), "not the one that made the token") {
		t.Errorf("at another server: %v", err)
	}
	if err := join(m.address, token); err != nil {
		t.Errorf("the token was not spent by that: %v", err)
	}
	if err := join(m.address, token); err == nil || !strings.Contains(err.Error(), "used already") {
		t.Errorf("a second time: %v", err)
	}
	if err := join(m.address, "weft_x"); err == nil {
		t.Error("half a token")
	}
}

func TestOneAgentPerFolder(t *testing.T) {
	m := newMesh(t)
	o := options(t, m, filepath.Join(t.TempDir(), "app-1"), m.join())
	start(t, o)
	until(t, "it serves", func() bool { return get(fresh(), m, "/") == answer })
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if _, err := agent.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
}

// The agent as it is shipped stays below its budget, beside a real Envoy.
func TestMemory(t *testing.T) {
	m := newMesh(t)
	hostDir := m.join()
	o := options(t, m, filepath.Join(t.TempDir(), "app-1"), hostDir)
	args := []string{"run", "--app", "app", "--namespace", "shop", "--name", "app-1", "--port", "80", "--address", "127.0.0.1",
		"--dir", o.Dir, "--host-dir", hostDir, "--envoy", o.Envoy, "--drain", "100ms", "--"}
	client := fresh()
	memory(t, exec.Command(shipped(t), append(args, o.Command...)...), func() bool { return get(client, m, "/") == answer })
}

// shipped is the agent's binary.
func shipped(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "weft-agent")
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "weft.dev/cmd/weft-agent").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// memory measures an agent that serves calls.
func memory(t *testing.T, cmd *exec.Cmd, serves func() bool) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return cmd.Wait()
	}
	until(t, "it serves", serves)
	for range 2000 {
		serves()
	}
	resident := residentBytes(t, cmd.Process.Pid)
	t.Logf("the agent's memory is %.1f MB", float64(resident)/(1<<20))
	if resident > mostBytes {
		t.Errorf("the agent takes %d bytes, more than %d", resident, mostBytes)
	}
	if err := stop(); err == nil || cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("stopped: %v; want the application's code", err)
	}
}

func residentBytes(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatal("no VmRSS")
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
