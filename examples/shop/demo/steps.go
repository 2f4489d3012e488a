package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func startServer(d *demo) {
	args := []string{"bin/weft", "serve", "--data", filepath.Join(d.dir, "data"), "--listen", d.api, "--mesh", d.mesh}
	fmt.Printf("  $ %s\n", strings.Join(args, " "))
	began := time.Now()
	d.server = d.start("server", args...)
	d.untilReady()
	fmt.Printf("    ready after %.1f s with %d MB: API server, etcd, certificate authority, xDS\n",
		time.Since(began).Seconds(), residentMB(d.server.cmd.Process.Pid))
	if _, err := exec.LookPath("kubectl"); err == nil {
		fmt.Println("  $ kubectl get namespaces,applications")
		out, code := d.command("kubectl", "--kubeconfig", d.kubeconfig(), "get", "namespaces,applications")
		indent(out)
		if code != 0 {
			failf("kubectl: exit code %d", code)
		}
	}
}

func (d *demo) kubeconfig() string { return filepath.Join(d.dir, "data", "admin.kubeconfig") }

func (d *demo) untilReady() {
	d.until("weft serve is ready", time.Minute, func() (bool, string) {
		if d.server.ended() {
			failf("weft serve ended")
		}
		out, code := d.weft("status")
		return code == 0, out
	})
}

func residentMB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib / 1024
		}
	}
	return 0
}

func fetchEnvoy(d *demo) {
	d.show(0, "envoy")
	fmt.Println("    version and sha256 are pinned in weft; another binary is refused unless you name it")
}

// instance is one process of the shop.
type instance struct {
	app, version, port string
	protocol           string
	extra              []string
}

var shop = []instance{
	{app: "frontend", version: "v1", port: "9080"},
	{app: "catalog", version: "v1", port: "9080"},
	{app: "catalog", version: "v2", port: "9080"},
	{app: "pricing", version: "v1", port: "9080"},
	{app: "reviews", version: "v1", port: "9080"},
	{app: "ratings", version: "v1", port: "9090", protocol: "grpc"},
	{app: "cart", version: "v1", port: "9080"},
}

func startShop(d *demo) {
	token := strings.Fields(d.show(0, "token", "create"))
	if len(token) < 2 || token[0] != "weft" {
		failf("token create printed %q, want a weft join command", token)
	}
	d.show(0, token[1:]...)
	d.workloads = append(d.workloads, d.start("rates", "bin/shop", "rates", "--port", "19090"))
	for _, i := range shop {
		d.run(i)
	}
	args := []string{"run", "--gateway", "ingressgateway", "--port", "8080:" + d.ingress[strings.LastIndex(d.ingress, ":")+1:]}
	fmt.Printf("  $ weft %s\n", strings.Join(args, " "))
	d.workloads = append(d.workloads, d.start("ingressgateway", append([]string{"bin/weft"}, args...)...))
	d.untilCurrent(len(shop) + 1)
}

// run starts one instance beside its own Envoy.
func (d *demo) run(i instance) *process {
	args := []string{"run", "--app", i.app, "--version", i.version, "--port", i.port}
	if i.protocol != "" {
		args = append(args, "--protocol", i.protocol)
	}
	args = append(args, "--", "bin/shop", i.app)
	args = append(args, i.extra...)
	fmt.Printf("  $ weft %s\n", strings.Join(args, " "))
	p := d.start(i.app+"-"+i.version, append([]string{"bin/weft"}, args...)...)
	d.workloads = append(d.workloads, p)
	return p
}

// status is `weft status -o json`.
type status struct{ Proxies, Current, Healthy, Problems int }

func (d *demo) status() status {
	var s status
	out, code := d.weft("status", "-o", "json")
	if code == 0 {
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			failf("weft status: %v", err)
		}
	}
	return s
}

// untilCurrent waits until all workloads run and every proxy holds the newest
// configuration.
func (d *demo) untilCurrent(workloads int) {
	began := time.Now()
	d.until("every proxy is current", time.Minute, func() (bool, string) {
		for _, w := range d.workloads {
			if w.ended() {
				failf("%s ended, see %s", w.name, w.log)
			}
		}
		s := d.status()
		return s.Healthy >= workloads && s.Proxies >= workloads && s.Current == s.Proxies, fmt.Sprintf("%+v", s)
	})
	fmt.Printf("    %d workloads healthy and current after %.1f s\n", workloads, time.Since(began).Seconds())
}

func applyResources(d *demo) {
	d.show(0, "apply", "-f", "examples/shop")
	d.untilCurrent(len(shop) + 1)
	d.until("no problems", 10*time.Second, func() (bool, string) {
		out, code := d.weft("get", "problems")
		return code == 0, out
	})
	d.until("the shop answers", 20*time.Second, func() (bool, string) {
		body, code := d.call("/")
		return code == http.StatusOK, fmt.Sprintf("%d %s", code, body)
	})
	body, _ := d.call("/")
	fmt.Printf("  $ curl http://%s/\n", d.ingress)
	indent(body)
	fmt.Println("    recommendations are not running: [] is their default response")
}

// call asks the ingress for a page.
func (d *demo) call(path string) (string, int) {
	return d.ask(http.DefaultClient, "http://"+d.ingress+path)
}

func (d *demo) ask(client *http.Client, url string) (string, int) {
	request, err := http.NewRequestWithContext(d.ctx, http.MethodGet, url, nil)
	if err != nil {
		failf("%v", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error(), 0
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body), response.StatusCode
}

func showEdges(d *demo) {
	fmt.Printf("  $ load --rate 200 http://%s/   (goes on until the end)\n", d.ingress)
	d.load = d.start("load", "bin/load", "--rate", "200", "--quiet", "http://"+d.ingress+"/")
	wait(d, 10*time.Second)
	d.show(0, "edges")
}

func wait(d *demo, duration time.Duration) {
	select {
	case <-d.ctx.Done():
		failf("interrupted")
	case <-time.After(duration):
	}
}

// deployVersions starts a bad version and a good one.
func deployVersions(d *demo) {
	d.run(instance{app: "reviews", version: "v2", port: "9080", extra: []string{"--error-rate", "5"}})
	d.run(instance{app: "reviews", version: "v3", port: "9080"})
	d.untilCurrent(len(shop) + 3)
}

func releases(d *demo) {
	fmt.Println("  v2 of reviews has a bug: 5% of its answers are errors. It is deployed, and gets no traffic:")
	d.run(instance{app: "reviews", version: "v2", port: "9080", extra: []string{"--error-rate", "5"}})
	d.untilCurrent(len(shop) + 2)
	d.show(2, "release", "start", "reviews", "v2", "--wait")
	fmt.Println("  v3 is well. Deployed, not released, a link shows it at once:")
	d.run(instance{app: "reviews", version: "v3", port: "9080"})
	d.untilCurrent(len(shop) + 3)
	d.privateAddress("v3")
	d.show(0, "release", "start", "reviews", "v3", "--wait")
	fmt.Println("  v4 goes blue/green: all at once, v3 kept ready:")
	d.run(instance{app: "reviews", version: "v4", port: "9080"})
	d.untilCurrent(len(shop) + 4)
	d.show(0, "release", "start", "reviews", "v4", "--strategy", "blueGreen", "--wait")
}

// privateAddress opens the link to a version as a browser does, which keeps the cookie that it becomes.
func (d *demo) privateAddress(version string) {
	d.show(0, "preview", "reviews", version, "--host", d.ingress)
	out, _ := d.weft("preview", "reviews", version, "--host", d.ingress, "-o", "json")
	var made struct{ Links []struct{ URL string } }
	if err := json.Unmarshal([]byte(out), &made); err != nil || len(made.Links) != 1 {
		failf("weft preview printed %s: %v", out, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		failf("%v", err)
	}
	browser := &http.Client{Jar: jar}
	link := strings.Replace(made.Links[0].URL, "/?", "/reviews?", 1)
	fmt.Println("  whoever opens the link has it in the whole shop:")
	body, code := d.ask(browser, link)
	indent(body)
	if !strings.Contains(body, `"version":"`+version+`"`) {
		failf("the preview of reviews %s answered %d %s", version, code, body)
	}
}

func explainRequests(d *demo) {
	d.show(0, "explain", "frontend", "GET", "http://catalog:9080/products", "-H", "end-user: beta")
	d.show(0, "explain", "cart", "POST", "http://ratings:9090/shop.Ratings/Stars")
}

func killServer(d *demo) {
	before := d.proxies()
	fmt.Println("  $ kill -9 weft serve")
	_ = d.server.cmd.Process.Kill()
	<-d.server.done
	d.killEnvoy("cart-v1")
	d.until("cart answers again, from its agent's last good configuration", 30*time.Second, func() (bool, string) {
		body, code := d.call("/cart")
		return code == http.StatusOK, fmt.Sprintf("%d %s", code, body)
	})
	fmt.Println("    cart's Envoy is back from its agent's last good configuration, with no control plane")
	wait(d, 5*time.Second)
	fmt.Println("  $ weft serve   (again, same data)")
	d.server = d.start("server", d.server.cmd.Args...)
	d.untilReady()
	d.until("every proxy is back", time.Minute, func() (bool, string) {
		s := d.status()
		return s.Proxies == len(before) && s.Current == s.Proxies, fmt.Sprintf("%+v", s)
	})
	d.show(0, "get", "proxies")
	for _, p := range d.proxies() {
		if len(p.Sent) > 0 {
			failf("%s was sent %v, though nothing changed", p.ID, p.Sent)
		}
	}
	fmt.Println("    nothing was pushed: nothing had changed")
}

// proxy is one of `weft get proxies -o json`.
type proxy struct {
	ID   string
	Sent map[string]int
}

func (d *demo) proxies() []proxy {
	var all []proxy
	out, code := d.weft("get", "proxies", "-o", "json")
	if code != 0 {
		failf("weft get proxies: %s", out)
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		failf("weft get proxies: %v", err)
	}
	return all
}

// killEnvoy kills the Envoy that a workload's agent supervises, and nothing else.
func (d *demo) killEnvoy(name string) {
	i := slices.IndexFunc(d.workloads, func(p *process) bool { return p.name == name })
	agent := d.workloads[i].cmd.Process.Pid
	for _, pid := range children(agent) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if strings.HasPrefix(string(command), "envoy") {
			fmt.Printf("  $ kill -9 %d   (the Envoy of %s)\n", pid, name)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	failf("%s: no Envoy among the children of its agent %d", name, agent)
}

func children(parent int) []int {
	var found []int
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			found = append(found, pid)
		}
	}
	return found
}
