package host

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/test/debian"
	"weft.dev/test/netns"
	"weft.dev/test/process"
)

// shell is a workload that runs what it is told, as an application that knows of no proxy.
type shell struct {
	t   *testing.T
	dir string
}

// loop takes one command after the other out of a folder.
const loop = `while :; do
  if mv %[1]s/ask %[1]s/doing 2>/dev/null; then
    sh %[1]s/doing >%[1]s/said 2>&1; echo $? >%[1]s/ending; mv %[1]s/ending %[1]s/ended
  fi
  sleep 0.05
done
`

func newShell(m *machine, name string) shell {
	s := shell{m.t, m.t.TempDir()}
	script := filepath.Join(s.dir, "loop")
	check(m.t, os.WriteFile(script, fmt.Appendf(nil, loop, s.dir), 0o600))
	m.run(name, "app: %s\noutbound: %d\naddress: %s\nredirect: true\ncommand: [sh, %s]\n", name, freePort(m.t), netns.InnerIP, script)
	return s
}

// begin has it run a command; said waits for the end, which must be a good one.
func (s shell) begin(command string) {
	check(s.t, os.WriteFile(filepath.Join(s.dir, "next"), []byte(command), 0o600))
	check(s.t, os.Rename(filepath.Join(s.dir, "next"), filepath.Join(s.dir, "ask")))
}

func (s shell) said() (string, error) {
	ended := filepath.Join(s.dir, "ended")
	err := process.Until(patience, func() error { _, err := os.Stat(ended); return err })
	if err != nil {
		return "", err
	}
	code, _ := os.ReadFile(ended)
	check(s.t, os.Remove(ended))
	text, err := os.ReadFile(filepath.Join(s.dir, "said"))
	if err == nil && strings.TrimSpace(string(code)) != "0" {
		err = fmt.Errorf("it ended with %s: %s", code, text)
	}
	return string(text), err
}

// gets runs a command until it prints a text.
func (s shell) gets(want, command string) {
	s.t.Helper()
	until(s.t, func() error {
		s.begin(command)
		text, err := s.said()
		if err == nil && !strings.Contains(text, want) {
			err = fmt.Errorf("no %q in %q", want, text)
		}
		return err
	})
}

// first says a word to whoever connects, and then listens.
func first(t *testing.T, n netns.Namespace, port int, word string) {
	t.Helper()
	var listener net.Listener
	check(t, n.As(0, func() (err error) { listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); return err }))
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintf(conn, "%s\r\n", word)
				line, _ := bufio.NewReader(conn).ReadString('\n')
				fmt.Fprintf(conn, "heard %s", line)
			}()
		}
	}()
}

// postgres makes a database, and the command that serves it.
func postgres(t *testing.T, port int) string {
	t.Helper()
	if _, err := debian.Program("psql", "postgresql"); err != nil {
		t.Fatal(err)
	}
	versions, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(versions) == 0 {
		t.Fatalf("no initdb of PostgreSQL is installed (%v): apt-get install postgresql", err)
	}
	bin, as := filepath.Dir(versions[len(versions)-1]), "setpriv --reuid=postgres --regid=postgres --init-groups"
	dir, err := os.MkdirTemp("", "weft-postgres-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	netns.Sh(t, "chown", "postgres", dir)
	netns.Sh(t, "sh", "-c", fmt.Sprintf("cd / && %s %s/initdb -D %s/data -A trust -N -E UTF8 --locale=C", as, bin, dir))
	return fmt.Sprintf("cd / && exec %s %s/postgres -D %s/data -p %d -h 127.0.0.1 -k ''", as, bin, dir, port)
}

const wire = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
`

const wireService = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %[1]s}
spec:
  hosts: [%[1]s.wire.example]
  addresses: [%[2]s]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: {labels: {app: %[1]s}}
  ports: [{number: %[3]d, name: tcp, protocol: TCP}]
`

// A database, a cache and a mail server speak through two Envoys by mTLS with clients that know of
// none. Who waits for the server's first word gets it, also from a port of which nobody knows what is spoken there.
func TestProtocols(t *testing.T) {
	for program, pkg := range map[string]string{"redis-server": "redis-server", "redis-cli": "redis-tools", "aiosmtpd": "python3-aiosmtpd", "curl": "curl", "setpriv": "util-linux"} {
		if _, err := debian.Program(program, pkg); err != nil {
			t.Fatal(err)
		}
	}
	machineNet, outside := netns.Wired(t)
	m := newMachineOf(t, inside(t, machineNet), "wire")
	first(t, outside, 4321, "220 outside")
	world(t, outside, 80)
	client := newShell(m, "client")

	objects := wire
	served := map[string]*service{}
	serve := func(app, ip string, port, appPort int, command string) {
		objects += fmt.Sprintf(wireService, app, ip, port)
		script := filepath.Join(t.TempDir(), app)
		check(t, os.WriteFile(script, []byte(command+"\n"), 0o600))
		served[app] = m.run(app, "app: %s\nport: \"%d:%d\"\nprotocol: tcp\naddress: %s\nhealth: tcp\ncommand: [sh, %s]\n", app, port, appPort, netns.InnerIP, script)
	}
	db, cache, mail := freePort(t), freePort(t), freePort(t)
	serve("db", "10.9.0.101", 5432, db, postgres(t, db))
	serve("cache", "10.9.0.102", 6379, cache, fmt.Sprintf("exec redis-server --port %d --bind 127.0.0.1 --save ''", cache))
	serve("mail", "10.9.0.103", 25, mail, fmt.Sprintf("exec aiosmtpd -n -l 127.0.0.1:%d", mail))
	file := filepath.Join(t.TempDir(), "objects.yaml")
	check(t, os.WriteFile(file, []byte(objects), 0o600))
	out, err := m.server.Command("apply", "-n", "wire", "-f", file).CombinedOutput()
	if err != nil {
		t.Fatalf("apply: %v: %s", err, out)
	}
	for app := range served {
		m.await(app, "Healthy")
	}

	client.gets("42", "psql -h 10.9.0.101 -U postgres -Atc 'select 6*7'")
	client.gets("PONG", "redis-cli -h 10.9.0.102 ping")
	client.gets("", "printf 'Subject: hello\\r\\n\\r\\nby the mesh\\r\\n' | curl -sS --max-time 30 smtp://10.9.0.103:25 --mail-from a@wire.example --mail-rcpt b@wire.example -T -")
	until(t, func() error {
		if !strings.Contains(served["mail"].said(), "by the mesh") {
			return fmt.Errorf("no mail has come")
		}
		return nil
	})
	client.gets("220 outside", "printf '' | timeout 30 curl -sS --max-time 2 telnet://"+netns.OuterIP+":4321 || true")
	client.gets("world", "curl -sS http://"+netns.OuterIP+"/ -H 'Host: elsewhere.example'")

	// A connection that says nothing for a while is still there, and is counted for as long.
	client.begin("psql -h 10.9.0.101 -U postgres -At -c 'select pg_sleep(12)' -c 'select 6*8'")
	until(t, func() error {
		var edges []struct {
			Source, Destination struct{ App string }
			Connections         float64
		}
		if err := m.server.Ask(&edges, "edges", "-o", "json"); err != nil {
			return err
		}
		for _, e := range edges {
			if e.Source.App == "client" && e.Destination.App == "db.wire.example" && e.Connections > 0 {
				return nil
			}
		}
		return fmt.Errorf("no edge has the connection: %+v", edges)
	})
	text, err := client.said()
	check(t, err)
	if !strings.Contains(text, "48") {
		t.Errorf("the connection ended: %s", text)
	}
}
