package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"weft.dev/bench/control-plane/load"
)

// client is a running load client that obeys.
type client struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *json.Decoder
	errors bytes.Buffer
	first  load.InitialSync
}

// connect starts n proxies against a server and returns once all are synced.
func (b *bench) connect(s *server, n int, flags ...string) (*client, error) {
	args := append([]string{"-server-pid", strconv.Itoa(s.pid())}, s.node...)
	return b.connectTo(s.xds, n, append(args, flags...)...)
}

// connectTo is connect to an address.
func (b *bench) connectTo(address string, n int, flags ...string) (*client, error) {
	c := &client{}
	args := []string{"-control", "-server", address, "-n", strconv.Itoa(n), "-gap", b.gap.String(), "-settle", b.settle.String(), "-initial-versions"}
	c.cmd = exec.CommandContext(b.ctx, b.bin("xdsload"), append(args, flags...)...)
	c.cmd.Stderr = &c.errors
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.answer(&c.first); err != nil {
		c.stop()
		return nil, fmt.Errorf("%d proxies at %s: %w", n, address, err)
	}
	if c.first.Unsynced > 0 {
		c.stop()
		return nil, fmt.Errorf("%d proxies at %s: %s", n, address, bytes.TrimSpace(c.errors.Bytes()))
	}
	return c, nil
}

// tell gives a command, whose answer comes later.
func (c *client) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(c.in, format+"\n", args...)
	return err
}

func (c *client) answer(into any) error {
	err := c.out.Decode(into)
	if errors.Is(err, io.EOF) {
		_ = c.cmd.Wait() // what it said is the reason
		return fmt.Errorf("the load client ended: %s", bytes.TrimSpace(c.errors.Bytes()))
	}
	return err
}

func (c *client) ask(into any, format string, args ...any) error {
	if err := c.tell(format, args...); err != nil {
		return err
	}
	return c.answer(into)
}

func (c *client) idle(d time.Duration) (t load.Traffic, err error) {
	return t, c.ask(&t, "idle %v", d)
}

// during is how many bytes the proxies got because of fn, and until at least d after it.
func (c *client) during(d time.Duration, fn func() error) (bytes int64, err error) {
	began := time.Now()
	if err := c.tell("idle %v", 2*d); err != nil {
		return 0, err
	}
	time.Sleep(d / 2) // they count from when they have read the command
	if err := fn(); err != nil {
		return 0, err
	}
	if late := time.Since(began) - d; late > 0 {
		return 0, fmt.Errorf("what is measured for %v happened %v too late in them", 2*d, late)
	}
	var t load.Traffic
	err = c.answer(&t)
	for _, n := range t.Bytes {
		bytes += n
	}
	return bytes, err
}

// change makes a series of changes, one after another.
func (c *client) change(count int, spec string) (r load.ChangeSeries, err error) {
	if err := c.ask(&r, "change count=%d,%s", count, spec); err != nil {
		return r, err
	}
	if r.Failed > 0 {
		return r, fmt.Errorf("%d of %d changes did not reach everybody: %s", r.Failed, r.Changes, spec)
	}
	return r, nil
}

func (c *client) churn(rate float64, d time.Duration, spec string) (r load.ChurnReport, err error) {
	return r, c.ask(&r, "churn %v %v %s", rate, d, spec)
}

func (c *client) signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// stop ends the proxies.
func (c *client) stop() {
	_ = c.cmd.Process.Kill() // it may have ended
	_ = c.cmd.Wait()
}
