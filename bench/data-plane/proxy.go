package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"weft.dev/compile"
	"weft.dev/model"
)

// kind is one way to be configured.
type kind struct {
	name    string
	counts  bool // by route
	counted bool // its route is one that is counted
	tap     bool
	tracing model.Tracing
}

var kinds = []kind{
	{name: "bare"},
	{name: "counting, other route", counts: true},
	{name: "counting, its route", counts: true, counted: true},
	{name: "tap that nobody looks at", tap: true},
	{name: "traces, 1 %", tracing: model.Tracing{Percent: 1}},
	{name: "traces, 1 %, and B3", tracing: model.Tracing{Percent: 1, B3: true}},
	{name: "traces, 100 %", tracing: model.Tracing{Percent: 100}},
}

// proxy is an Envoy with one worker and one route.
type proxy struct {
	kind
	address string
	admin   string
	agent   *taker
	process *exec.Cmd
	spent   []float64
}

func start(binary, dir string, k kind, backend int) (*proxy, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	agent, err := newTaker()
	if err != nil {
		return nil, err
	}
	p := &proxy{kind: k, address: loopback(port), admin: loopback(admin), agent: agent}
	config, err := configOf(k, port, admin, backend, agent.port)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, strconv.Itoa(port)+".json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, err
	}
	p.process = exec.Command(binary, "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "error")
	p.process.Stderr = os.Stderr
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if answer, err := http.Get("http://" + p.address + "/"); err == nil {
			answer.Body.Close()
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("does not answer at %s after 10s", p.address)
}

func (p *proxy) stop() {
	_ = p.process.Process.Kill()
	_ = p.process.Wait()
	_ = p.agent.server.Close()
}

// check wants it to have done what its kind does, for so many requests or a few more.
func (p *proxy) check(requests uint64) error {
	counted, err := p.told()
	if err != nil {
		return err
	}
	if p.counted != (counted >= requests) || !p.counted && counted > 0 {
		return fmt.Errorf("Envoy %s counted %d requests by route, of %d", p.name, counted, requests)
	}
	spans, want := float64(p.agent.spans()), float64(requests)*p.tracing.Percent/100
	if spans < want/10 || spans > want*10 { // it is by chance, and the last wait to be sent
		return fmt.Errorf("Envoy %s told of %v requests, want about %v", p.name, spans, want)
	}
	return nil
}

// told is what it counted by route.
func (p *proxy) told() (uint64, error) {
	answer, err := http.Get("http://" + p.admin + "/stats?filter=^" + model.RouteStatPrefix)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var sum uint64
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		if _, _, _, ok := model.ParseRouteStat(name); ok {
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
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

// run sends requests, one after the other on one connection, and is the CPU time that they cost, microseconds.
func (p *proxy) run(requests int) (float64, error) {
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	in := bufio.NewReader(conn)
	for range requests {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return 0, err
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0, err
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("status %d: %w", answer.StatusCode, err)
		}
	}
	after, err := p.cpu()
	return after - before, err
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

type object = map[string]any
type list = []any

func configOf(k kind, port, admin, backend, agent int) ([]byte, error) {
	cluster := model.ClusterName(model.HostOf("shop", "reviews"), 9080, "v2")
	route := object{"match": object{"prefix": "/"}, "route": object{"cluster": cluster}}
	if k.counted {
		route["metadata"] = object{"filter_metadata": object{compile.MetadataKey: object{"counted": "%2Freviews"}}}
	}
	manager, err := managerOf(k, route)
	if err != nil {
		return nil, err
	}
	toAgent := clusterOf(model.AgentCluster, agent)
	toAgent["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
		"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		"explicit_http_config": object{"http2_protocol_options": object{}},
	}}
	return json.Marshal(object{"admin": object{"address": at(admin)}, "static_resources": object{
		"listeners": list{object{"name": "in", "address": at(port), "filter_chains": list{object{"filters": list{object{"name": "http", "typed_config": manager}}}}}},
		"clusters":  list{clusterOf(cluster, backend), toAgent},
	}})
}

// managerOf has one route, and what compile makes of the kind.
func managerOf(k kind, route object) (object, error) {
	m := compile.BareManager(k.tracing)
	if k.counts {
		m.AccessLog = append(m.AccessLog, compile.RouteCounts())
	}
	if k.tap {
		m.AccessLog = append(m.AccessLog, compile.Tap(model.TapOut))
	}
	data, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	manager := object{"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"}
	if err := json.Unmarshal(data, &manager); err != nil {
		return nil, err
	}
	manager["route_config"] = object{"virtual_hosts": list{object{"name": "all", "domains": list{"*"}, "routes": list{route}}}}
	return manager, nil
}

func at(port int) object {
	return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
}

func clusterOf(name string, port int) object {
	return object{"name": name, "connect_timeout": "1s", "load_assignment": object{
		"cluster_name": "a", "endpoints": list{object{"lb_endpoints": list{object{"endpoint": object{"address": at(port)}}}}},
	}}
}
