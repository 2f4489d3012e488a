package compile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	clean "path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/test/debian"
)

// disguises are ways to ask for /admin, and for what is under /public by name only.
var disguises = []string{
	"/admin", "/admin/", "/admin?x", "/admin/?", "/admin/..;/admin", "/admin/index.html", "/admin//", "//admin", "///admin/", "/public//admin", "/public/..//admin/",
	"/./admin", "/admin/.", "/x/../admin", "/public/../admin/", "/public/./../admin", "/public/x/../../admin/", "/../admin", "/../../admin/",
	"/%2e/admin", "/x/%2e%2e/admin", "/public/%2e%2e/admin/", "/public/%2E./admin", "/public/.%2e/admin/", "/admi%6e", "/%61dmin", "/%61%64%6d%69%6e/", "/%41dmin",
	`/\admin`, `\admin`, `/public\..\admin`, `/public/..\admin`, "/%5cadmin", "/public%5c..%5cadmin", "/%2fadmin", "/admin%2f", "/admin%2findex.html", "/x%2f..%2fadmin", "/public%2f..%2fadmin", "/public/..%2fadmin",
	"/admin%00", "/admin%00.html", "/public%00/../admin", "/admin#f", "/public#/../admin", "/admin%23", "/public%23/../admin/", "/admin%3f", "/public%3f/../admin/", "/public?/../admin", "/?/admin",
	"/ADMIN", "/Admin/", "/aDmin/index.html", "/admin;a=b", "/admin;/", "/;a=b/admin", "/public;/../admin/", "/public/..;/admin", "/public/..;a=b/admin/", "/public/.;/../admin", "/public/..%3b/admin", "/public/..%3Bx/admin", "/public/%2e%2e;/admin", "/public/.%2E;x/admin", "/public/%2e;/../admin",
	"/admin%20", "/admin%09", "/admin.", "/admin./", "/admin::$DATA", "/ad%256din", "/%2561dmin", "/public/%252e%252e/admin", "/public/..%252fadmin", "/%252fadmin",
	"/%c0%afadmin", "/public/%c0%ae%c0%ae/admin", "/%ef%bc%8fadmin", "/public/%u002e%u002e/admin", "/admin%e2%80%ae", "/admin%0a", "/admin%0d%0a", "/admin~", "/%", "/%2", "/admin%", "/admin%zz", "http://x/admin", "http://x/public/../admin",
}

// What is left of a DENY of /admin and /admin/*: these come to a server, and servers
// that read paths more kindly than the proxy does give what was denied.
var leftOfDeny = map[string][]string{
	"nginx": nil, "apache": nil, "go": nil,
	"kind": {
		"/%252fadmin", "/%2561dmin", "/%41dmin", "/;a=b/admin", "/ADMIN", "/Admin/", "/aDmin/index.html", "/ad%256din", "/admin%09", "/admin%0a", "/admin%0d%0a", "/admin%20", "/admin.", "/admin./", "/admin;/", "/admin;a=b",
	},
}

// What routes of a gateway by path let through to such servers: they are no policies.
var leftOfRoutes = map[string][]string{
	"nginx": nil, "apache": nil, "go": nil,
	"kind": {"/public/%252e%252e/admin", "/public/%2e%2e;/admin", "/public/.%2E;x/admin", "/public/..%252fadmin", "/public/..%3Bx/admin", "/public/..%3b/admin"},
}

const (
	protected = "what nobody may see"
	open      = "what all may see"
)

// Policies and routes by path hold against real servers: whatever way a path is
// written in, an ALLOW lets nobody have what it does not name, and a DENY leaves what
// docs/paths.md lists, and no more. A gateway's routes are held to the same.
func TestPathConfusion(t *testing.T) {
	backends := servers(t)
	names := []string{"nginx", "apache", "go", "kind"}
	ways := guardedPaths(t, names, backends)
	for _, way := range []string{"deny", "allow"} {
		for _, at := range []string{"workload", "gateway"} {
			for _, name := range names {
				address := ways[way+" "+at+" "+name]
				if got := address.get(t, "/public/"); !strings.Contains(got, open) {
					t.Errorf("%s at a %s before %s: /public/ gives %q", way, at, name, got)
				}
				var got []string
				for _, p := range disguises {
					if strings.Contains(address.get(t, p), protected) {
						got = append(got, p)
					}
				}
				slices.Sort(got)
				want := leftAt(way, at, name)
				if !slices.Equal(got, want) {
					t.Errorf("%s at a %s before %s: what is left is\n%q, want\n%q", way, at, name, got, want)
				}
			}
		}
		for _, p := range append(leftOfDeny["kind"], leftOfRoutes["kind"]...) {
			if page, err := os.ReadFile("../docs/paths.md"); err != nil || !strings.Contains(string(page), "`"+p+"`") {
				t.Errorf("docs/paths.md does not list %s (%v)", p, err)
			}
		}
	}
}

// leftAt is what comes to a server of the disguises.
func leftAt(way, at, name string) (left []string) {
	if way == "deny" {
		left = append(left, leftOfDeny[name]...)
	}
	if at == "gateway" {
		left = append(left, leftOfRoutes[name]...)
	}
	slices.Sort(left)
	return left
}

// entry is where requests come in.
type entry struct {
	port int
	host string
}

// get asks for a path byte for byte.
func (e entry) get(t *testing.T, target string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, e.host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "" // no HTTP
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if to := response.Header.Get("Location"); to != "" && response.StatusCode/100 == 3 {
		if u, err := url.Parse(to); err == nil && u.Path != target {
			return e.get(t, u.EscapedPath()) // the way on is guarded, too
		}
	}
	return string(body)
}

// guardedPaths are the ways to each backend, all by one Envoy: one that is beside
// the workload and one that is a gateway, in the other's static resources.
func guardedPaths(t *testing.T, names []string, backends map[string]int) map[string]entry {
	ways := map[string]entry{}
	gateway := freePort(t)
	var ports, services, tables []string
	denied := map[string][]string{}
	for i, name := range names {
		for j, way := range []string{"deny", "allow"} {
			number, port := 100+10*j+i, freePort(t)
			ports = append(ports, fmt.Sprintf("{number: %d, protocol: http, proxyPort: %d, appPort: %d}", number, port, backends[name]))
			denied[way] = append(denied[way], fmt.Sprintf("%q", fmt.Sprint(number)))
			host := way + "." + name + ".test"
			ways[way+" workload "+name], ways[way+" gateway "+name] = entry{port, "x"}, entry{gateway, host}
			to := fmt.Sprintf("backends: [{host: %s.test, port: 80, weight: 1}]", name)
			rules := `{name: no, matches: [{path: {exact: /admin}}, {path: {prefix: /admin/}}], direct: {status: 403}}, {name: rest, ` + to + "}"
			if way == "allow" {
				rules = `{name: yes, matches: [{path: {exact: /public}}, {path: {prefix: /public/}}], ` + to + "}"
			}
			tables = append(tables, fmt.Sprintf("{object: {kind: VirtualService, namespace: shop, name: %s-%s}, hosts: [%s], gateways: [shop/gw], rules: [%s]}", way, name, host, rules))
		}
		services = append(services, fmt.Sprintf("{namespace: shop, name: %[1]s.test, host: %[1]s.test, external: true, resolution: static, ports: [{number: 80, target: %[2]d, protocol: http}], addresses: [{host: 127.0.0.1}]}", name, backends[name]))
	}
	list := func(all []string) string { return strings.Join(all, ", ") }
	m := newMesh()
	m.set(parseRows(t, fmt.Appendf(nil, `
services: [%s]
workloads:
- {namespace: shop, name: guarded, app: guarded, address: 127.0.0.1, ports: [%s]}
- {namespace: shop, name: gw, gateway: gw, address: 127.0.0.1}
gateways: [{object: {kind: Gateway, namespace: shop, name: gw}, name: shop/gw, proxy: gw, listeners: [{name: http, port: %d, protocol: HTTP, hosts: ["*"]}]}]
routeTables: [%s]
authorizations:
- {object: {kind: AuthorizationPolicy, namespace: shop, name: deny}, namespace: shop, selector: {app: guarded}, action: deny, rules: [{to: [{ports: [%[5]s], paths: [/admin, "/admin/*"]}]}]}
- {object: {kind: AuthorizationPolicy, namespace: shop, name: allow}, namespace: shop, selector: {app: guarded}, action: allow, rules: [{to: [{ports: [%[6]s], paths: [/public, "/public/*"]}]}, {to: [{ports: [%[5]s]}]}]}
`, list(services), list(ports), gateway, list(tables), list(denied["deny"]), list(denied["allow"]))))
	secrets := newTestCA(t).secrets(t, "guarded")
	bootstrap := staticBootstrapOf(t, m.viewOf(t, "shop/guarded"), secrets)
	both := bootstrap["static_resources"].(map[string]any)
	for kind, more := range staticBootstrapOf(t, m.viewOf(t, "shop/gw"), secrets)["static_resources"].(map[string]any) {
		if kind != "secrets" {
			both[kind] = append(both[kind].([]any), more.([]any)...)
		}
	}
	runEnvoy(t, bootstrap)
	return ways
}

// servers are real ones with the same two folders, and one that is kind.
func servers(t *testing.T) map[string]int {
	root := t.TempDir()
	for folder, text := range map[string]string{"admin": protected, "public": open} {
		if err := os.Mkdir(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, folder, "index.html"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for folder := root; folder != filepath.Dir(os.TempDir()); folder = filepath.Dir(folder) {
		if folder != os.TempDir() {
			_ = os.Chmod(folder, 0o755) // their workers are other users
		}
	}
	return map[string]int{
		"nginx": nginx(t, root), "apache": apache(t, root),
		"go":   application(t, http.FileServer(http.Dir(root)).ServeHTTP),
		"kind": application(t, kind),
	}
}

// kind reads a path as frameworks do at their most helpful: without parameters,
// decoded once more, without case, and without blanks and dots at ends.
func kind(w http.ResponseWriter, r *http.Request) {
	var parts []string
	for part := range strings.SplitSeq(r.URL.Path, "/") {
		part, _, _ = strings.Cut(part, ";")
		parts = append(parts, part)
	}
	p := strings.Join(parts, "/")
	if again, err := url.PathUnescape(p); err == nil {
		p = again
	}
	p = strings.ToLower(clean.Clean("/" + p))
	for i, part := range strings.Split(p, "/") {
		if part = strings.TrimRight(part, " .\t\r\n"); i == 1 && part == "admin" {
			fmt.Fprint(w, protected)
			return
		}
	}
	fmt.Fprint(w, open)
}

func nginx(t *testing.T, root string) int {
	port, home := freePort(t), t.TempDir()
	config := fmt.Sprintf(`daemon off; user root; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  types { text/html html; }
  server { listen 127.0.0.1:%[2]d; root %[3]s; absolute_redirect off; }
}`, home, port, root)
	serve(t, "nginx", "nginx-light", home, config, port, "-e", "stderr", "-c")
	return port
}

func apache(t *testing.T, root string) int {
	port, home := freePort(t), t.TempDir()
	config := fmt.Sprintf(`ServerRoot %[1]s
ServerName x
Listen 127.0.0.1:%[2]d
PidFile %[1]s/pid
ErrorLog /dev/stderr
DefaultRuntimeDir %[1]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /dev/null
User daemon
Group daemon
DocumentRoot %[3]s
DirectoryIndex index.html
<Directory %[3]s>
  Require all granted
</Directory>`, home, port, root)
	serve(t, "apache2", "apache2-bin", home, config, port, "-DFOREGROUND", "-f")
	return port
}

// serve runs a server of the system by a configuration, until it takes connections.
func serve(t *testing.T, name, pkg, home, config string, port int, args ...string) {
	t.Helper()
	binary, err := debian.Program(name, pkg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "server.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	server := exec.Command(binary, append(args, file)...)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(os.Interrupt); _ = server.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			_ = server.Process.Kill()
			_ = server.Wait()
			t.Fatalf("%s does not listen:\n%s", name, log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}
