package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// failure ends the story.
type failure string

func failf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// demo is the processes of the story and where they live.
type demo struct {
	ctx       context.Context
	dir       string
	temporary bool
	api, mesh string // host:port of the server
	ingress   string // host:port of the gateway
	server    *process
	workloads []*process
	load      *process
	ui        *process
	counted   result // what the load saw, so far as it has ended
}

// process is one that the demo started.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *bytes.Buffer // stdout
	log  string        // file with stderr, and stdout of long-running ones
	done chan struct{}
}

func newDemo(ctx context.Context, dir string) (*demo, error) {
	temporary := dir == ""
	if temporary {
		var err error
		if dir, err = os.MkdirTemp("", "weft-demo-"); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, err
	}
	for _, bin := range []string{"weft", "shop", "load"} {
		if _, err := os.Stat(filepath.Join("bin", bin)); err != nil {
			return nil, fmt.Errorf("bin/%s is missing: run `make demo` in the project's root", bin)
		}
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	return &demo{ctx: ctx, dir: dir, temporary: temporary, api: ports[0], mesh: ports[1], ingress: ports[2]}, nil
}

// freePorts are loopback addresses that nobody listens on.
func freePorts(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// start runs a command in the background, in a process group of its own, its
// output in a log.
func (d *demo) start(name string, args ...string) *process {
	p := &process{name: name, out: &bytes.Buffer{}, log: filepath.Join(d.dir, "logs", name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		failf("%v", err)
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = d.environ()
	p.cmd.Stdout, p.cmd.Stderr = p.out, log
	if name != "load" {
		p.cmd.Stdout = log
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		failf("%s: %v", name, err)
	}
	go func() {
		defer close(p.done)
		defer log.Close()
		_ = p.cmd.Wait()
	}()
	return p
}

// ended says whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end asks the process to stop and waits for it; after a grace it is killed
// with all its children.
func (p *process) end(grace time.Duration) {
	if p == nil || p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

func (d *demo) environ() []string {
	env := os.Environ()
	return append(env, "WEFT_DATA="+filepath.Join(d.dir, "data"))
}

// weft runs a command of weft to its end and returns what it printed on stdout
// and its exit code.
func (d *demo) weft(args ...string) (string, int) {
	return d.command(append([]string{"bin/weft"}, args...)...)
}

func (d *demo) command(args ...string) (string, int) {
	cmd := exec.CommandContext(d.ctx, args[0], args[1:]...)
	cmd.Env = d.environ()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if stdout.Len() == 0 {
			stdout = stderr
		}
		return stdout.String(), exit.ExitCode()
	}
	if err != nil {
		failf("%s: %v", strings.Join(args, " "), err)
	}
	return stdout.String(), 0
}

// show prints a command, runs it, prints what it says and wants its exit code.
func (d *demo) show(wantCode int, args ...string) string {
	fmt.Printf("  $ weft %s\n", quoted(args))
	out, code := d.weft(args...)
	indent(out)
	if code != wantCode {
		failf("weft %s: exit code %d, want %d", quoted(args), code, wantCode)
	}
	return out
}

func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.ContainsAny(arg, " *'") {
			words[i] = "'" + arg + "'"
		}
	}
	return strings.Join(words, " ")
}

func indent(text string) {
	for line := range strings.Lines(text) {
		fmt.Print("    " + line)
	}
}

// until waits for something to become true, and fails with what it last said.
func (d *demo) until(what string, limit time.Duration, holds func() (bool, string)) {
	deadline := time.Now().Add(limit)
	said := ""
	for {
		var ok bool
		if ok, said = holds(); ok {
			return
		}
		if time.Now().After(deadline) {
			failf("%s: not within %s: %s", what, limit, said)
		}
		select {
		case <-d.ctx.Done():
			failf("interrupted")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const logTail = 30

// showLogs prints the end of the server's log, for whoever must find the fault.
func (d *demo) showLogs() {
	text, err := os.ReadFile(filepath.Join(d.dir, "logs", "server.log"))
	if err != nil {
		return
	}
	lines := strings.SplitAfter(string(text), "\n")
	fmt.Printf("the end of the server's log (all logs: %s/logs):\n", d.dir)
	indent(strings.Join(lines[max(0, len(lines)-logTail):], ""))
}

// stop ends everything that was started, and removes the folder of a story
// that held.
func (d *demo) stop(held bool) {
	d.load.end(2 * time.Second)
	d.ui.end(2 * time.Second)
	ended := make(chan struct{})
	for _, w := range d.workloads {
		go func() {
			w.end(15 * time.Second)
			ended <- struct{}{}
		}()
	}
	for range d.workloads {
		<-ended
	}
	d.server.end(10 * time.Second)
	if held && d.temporary {
		_ = os.RemoveAll(d.dir)
	}
}
