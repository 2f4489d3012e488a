package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft.dev/model"
)

type object = map[string]any
type list = []any

// subject is one way to be configured.
type subject struct {
	name   string
	config func(places) (object, error) // a bootstrap without admin
	// check wants the Envoy to have done what the subject says, for so many requests or a few more.
	check func(p *proxy, requests uint64) error
}

// proxy is an Envoy with one worker.
type proxy struct {
	subject
	address string
	admin   string
	agent   *agent
	process *exec.Cmd
	said    bytes.Buffer // on its standard error: its access log, too
	figures []figures    // of each run
}

// figures of one run, in microseconds a request.
type figures [3]float64

const (
	cost = iota // CPU time of the process
	half        // half of the answers came within
	most        // 99 of 100 came within
)

func (p *proxy) median(which int) float64 {
	var all []float64
	for _, f := range p.figures {
		all = append(all, f[which])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (w *world) start(binary, dir string, s subject) (*proxy, error) {
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	at, agent, err := w.places()
	if err != nil {
		return nil, err
	}
	p := &proxy{subject: s, address: loopback(at.listen), admin: loopback(admin), agent: agent}
	bootstrap, err := s.config(at)
	if err != nil {
		return nil, err
	}
	bootstrap["admin"] = object{"address": address(admin)}
	config, err := json.Marshal(bootstrap)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, strconv.Itoa(at.listen)+".json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, err
	}
	p.process = exec.Command(binary, "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "error")
	p.process.Stderr = &p.said
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	if err := p.ready(w.request); err != nil {
		p.stop()
		return nil, fmt.Errorf("%w\n%s", err, p.said.String())
	}
	return p, nil
}

// ready waits until it answers.
func (p *proxy) ready(request string) (err error) {
	for range 200 {
		if err = p.run(request, 1); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("does not answer at %s after 10s: %w", p.address, err)
}

func (p *proxy) stop() {
	_ = p.process.Process.Kill()
	_ = p.process.Wait()
	_ = p.agent.server.Close()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// run sends requests, one after the other on one connection, and notes what they cost.
func (p *proxy) run(request string, requests int) error {
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	before, err := p.cpu()
	if err != nil {
		return err
	}
	in, took := bufio.NewReader(conn), make([]float64, requests)
	for i := range requests {
		began := time.Now()
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d: %w", answer.StatusCode, err)
		}
		took[i] = float64(time.Since(began).Microseconds())
	}
	after, err := p.cpu()
	slices.Sort(took)
	p.figures = append(p.figures, figures{(after - before) / float64(requests), took[requests/2], took[requests*99/100]})
	return err
}

// cpu is what the process has used, microseconds; the kernel counts in hundredths of a second.
func (p *proxy) cpu() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return float64(user+system) * 10_000, err
}

func address(port int) object {
	return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
}

func clusterOf(name string, port int) object {
	return object{"name": name, "connect_timeout": "1s", "load_assignment": object{
		"cluster_name": "a", "endpoints": list{object{"lb_endpoints": list{object{"endpoint": object{"address": address(port)}}}}},
	}}
}

// toAgent is what a bootstrap has of its agent.
func toAgent(port int) object {
	c := clusterOf(model.AgentCluster, port)
	c["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
		"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		"explicit_http_config": object{"http2_protocol_options": object{}},
	}}
	return c
}
