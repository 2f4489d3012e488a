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
	logs    bool // counts by route
	counted bool // its route is one that is counted
}

var kinds = []kind{{"without", false, false}, {"with, route not counted", true, false}, {"with, route counted", true, true}}

// proxy is an Envoy with one worker and one route.
type proxy struct {
	kind
	address string
	admin   string
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
	config, err := configOf(k, port, admin, backend)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, strconv.Itoa(port)+".json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, err
	}
	p := &proxy{kind: k, address: loopback(port), admin: loopback(admin)}
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

func configOf(k kind, port, admin, backend int) ([]byte, error) {
	cluster := model.ClusterName(model.HostOf("shop", "reviews"), 9080, "v2")
	const types = "type.googleapis.com/envoy.extensions.filters."
	at := func(port int) object {
		return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
	}
	route := object{"match": object{"prefix": "/"}, "route": object{"cluster": cluster}}
	if k.counted {
		route["metadata"] = object{"filter_metadata": object{compile.MetadataKey: object{"counted": "%2Freviews"}}}
	}
	logs := list{}
	if k.logs {
		data, err := protojson.Marshal(compile.RouteCounts())
		if err != nil {
			return nil, err
		}
		logs = append(logs, json.RawMessage(data))
	}
	manager := object{
		"@type": types + "network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "http", "access_log": logs,
		"http_filters": list{object{"name": "router", "typed_config": object{"@type": types + "http.router.v3.Router"}}},
		"route_config": object{"virtual_hosts": list{object{"name": "all", "domains": list{"*"}, "routes": list{route}}}},
	}
	return json.Marshal(object{"admin": object{"address": at(admin)}, "static_resources": object{
		"listeners": list{object{"name": "in", "address": at(port), "filter_chains": list{object{"filters": list{object{"name": "http", "typed_config": manager}}}}}},
		"clusters": list{object{"name": cluster, "connect_timeout": "1s", "load_assignment": object{
			"cluster_name": "a", "endpoints": list{object{"lb_endpoints": list{object{"endpoint": object{"address": at(backend)}}}}},
		}}},
	}})
}
