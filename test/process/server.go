package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// startTime is how long a server may take until it serves, on a busy machine.
	startTime = time.Minute
	// stopTime is how long it may take to end after SIGTERM.
	stopTime = 15 * time.Second
	pollTime = 50 * time.Millisecond
)

// Main is the body of a TestMain: run has a folder for the whole package, which
// is removed when it returns.
func Main(name string, run func(dir string) (code int, err error)) {
	code, err := inFolder(name, run)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		code = 1
	}
	os.Exit(code)
}

func inFolder(name string, run func(dir string) (int, error)) (int, error) {
	dir, err := os.MkdirTemp("", "weft-"+name+"-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	return run(dir)
}

// Server is `weft serve` in a folder. Its ports stay the same over restarts.
type Server struct {
	Weft string // the binary
	Data string
	API  string   // host:port
	Mesh string   // host:port that agents connect to
	Log  string   // file with everything that it said
	More []string // flags of `weft serve` beside its folder and ports

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // why; read it after done
}

// Serve starts a new server that runs binary weft in dir, with more flags if it takes
// some, and waits until it serves.
func Serve(weft, dir string, more ...string) (*Server, error) {
	api, err := FreePort()
	if err != nil {
		return nil, err
	}
	mesh, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Weft: weft, Data: filepath.Join(dir, "data"), Log: filepath.Join(dir, "server.log"),
		API: Loopback(api), Mesh: Loopback(mesh), More: more,
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	if err := s.Await(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Command is one of weft's other commands, to be run against this server.
func (s *Server) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.Weft, args...)
	cmd.Env = append(os.Environ(), "WEFT_DATA="+s.Data)
	return cmd
}

// Start starts the process and does not wait for it to serve.
func (s *Server) Start() error {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	args := append([]string{"serve", "--data", s.Data, "--listen", s.API, "--mesh", s.Mesh}, s.More...)
	cmd, done := s.Command(args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.done = cmd, done
	go func() {
		s.err = cmd.Wait()
		close(done)
	}()
	return nil
}

// Await waits until the server serves.
func (s *Server) Await() error {
	deadline := time.Now().Add(startTime)
	for {
		out, err := s.Command("status", "--wait", "1s").CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			said, _ := os.ReadFile(s.Log)
			return fmt.Errorf("weft serve ended: %w\n%s", errors.Join(s.err, errors.New("it said:")), said)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("weft serve does not serve within %v: %s", startTime, out)
		}
	}
}

// Kill ends the process at once, as a crash does.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("weft serve had ended before it was killed: %w", err)
	}
	<-s.done
	return nil
}

// Stop asks the process to end, and kills it if it does not.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.done:
	case <-time.After(stopTime):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// Config is how the admin reaches the API.
func (s *Server) Config() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", filepath.Join(s.Data, "admin.kubeconfig"))
}

// Token makes a join token for workloads of these namespaces; ttl "" is the default.
func (s *Server) Token(ttl string, namespaces ...string) (string, error) {
	args := []string{"token", "create", "-o", "json", "-n", strings.Join(namespaces, ",")}
	if ttl != "" {
		args = append(args, "--ttl", ttl)
	}
	var made struct{ Token string }
	return made.Token, s.Ask(&made, args...)
}

// Ask runs a command that prints JSON.
func (s *Server) Ask(into any, args ...string) error {
	out, err := s.Command(args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(out) == 0 {
		return fmt.Errorf("weft %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return json.Unmarshal(out, into)
}

// PID is that of the running process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Memory is the process's resident memory in MiB.
func (s *Server) Memory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm: %q has no resident size", text)
	}
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize() >> 20, err
}

// Until tries until check holds, at most for patience, and returns its last error.
func Until(patience time.Duration, check func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pollTime) // a poll, bounded by patience
	}
}

// given are the ports that FreePort gave in this process.
var given sync.Map

// Ports that FreePort gives: none that the system gives to whoever connects, agents to proxies, or the guides name. Between the
// look and the use another test's connection would else have it.
const (
	firstPort = 10_000
	lastPort  = 15_000
)

// FreePort is a port of loopback that nobody listens at, and that it has not given before.
func FreePort() (int, error) {
	for range lastPort - firstPort {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		if listener, err := net.Listen("tcp", Loopback(port)); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("no port between %d and %d is free", firstPort, lastPort)
}

// Loopback is host:port of a port on this machine.
func Loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
