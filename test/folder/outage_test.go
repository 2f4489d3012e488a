package folder

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// denied is how long the first call to an unknown host takes at most while nobody can say what
	// it is: the agent waits two seconds for a server that may be back at once.
	denied = 2*time.Second + prompt
	// atOnce is the same when the server has been away for longer.
	atOnce = time.Second
)

// The server is killed: what was called once is called on, also by an Envoy and by
// an agent that start then; what was not, nobody waits for; and all of it heals.
func TestOutage(t *testing.T) {
	s := newSite(t)
	s.join()
	agent, client := s.visitor("visitor")
	s.first(client, "http://a.example.com/", "a")
	s.says("scope visitor", "a.example.com  on demand")

	s.server.kill()
	s.first(client, "http://a.example.com/", "a")
	s.denies(client, "http://b.example.com/", denied)
	s.denies(client, "http://b.example.com/", atOnce)
	s.denies(client, "http://c.example.com/", atOnce)

	envoy := s.envoyOf(agent)
	if err := syscall.Kill(envoy, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until("another Envoy answers", func() error {
		if s.envoyOf(agent) == envoy {
			return fmt.Errorf("process %d is still there", envoy)
		}
		return answers(client, "http://a.example.com/", "a")
	})
	s.denies(client, "http://b.example.com/", denied)

	agent.kill()
	_, client = s.visitor("visitor")
	s.first(client, "http://a.example.com/", "a")
	s.denies(client, "http://b.example.com/", denied)

	// A server that has read nothing but what the last one wrote.
	s.write("web.yaml", route("b"))
	s.serve()
	s.until("the host that was denied", func() error { return answers(client, "http://b.example.com/", "b") })
	s.until("what changed meanwhile", func() error { return answers(client, "http://a.example.com/", "b") })
	s.denies(client, "http://c.example.com/", prompt)
	s.says("scope visitor", "b.example.com  on demand")
	s.says("status", " 1 of 1 proxies current, 0 problems")
}

// visitor runs an application that does nothing; the client is what it would call with.
func (s *site) visitor(name string) (*child, *http.Client) {
	s.t.Helper()
	file := filepath.Join(s.dir, name+".proxy")
	_ = os.Remove(file) // of the one before
	agent := s.start(weft, "run", "--app", name, "--", "sh", "-c", `echo "$HTTP_PROXY" >"$0.new" && mv "$0.new" "$0" && exec sleep 1000`, file)
	var proxy []byte
	s.until("the application is started", func() (err error) {
		proxy, err = os.ReadFile(file)
		return err
	})
	client := through(strings.TrimPrefix(strings.TrimSpace(string(proxy)), "http://"))
	s.t.Cleanup(client.CloseIdleConnections)
	return agent, client
}

// first calls, and there is no second try.
func (s *site) first(client *http.Client, url, want string) {
	s.t.Helper()
	if err := answers(client, url, want); err != nil {
		s.t.Fatal(err)
	}
}

// denies calls once, and wants the help for unknown hosts, soon.
func (s *site) denies(client *http.Client, url string, within time.Duration) {
	s.t.Helper()
	began := time.Now()
	status, body, err := get(client, url)
	took := time.Since(began)
	if err != nil || status != http.StatusBadGateway || !strings.Contains(body, "ServiceEntry") || took > within {
		s.t.Fatalf("%s answers %d %q (%v) after %v, want 502 with help within %v", url, status, body, err, took, within)
	}
}

// envoyOf is the Envoy below an agent.
func (s *site) envoyOf(agent *child) (pid int) {
	s.t.Helper()
	s.until("the agent has an Envoy", func() error {
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		for _, file := range stats {
			if one, ok := readStat(file); ok && one.name == "envoy" && one.parent == agent.cmd.Process.Pid {
				pid = one.pid
				return nil
			}
		}
		return fmt.Errorf("none below process %d: %w", agent.cmd.Process.Pid, err)
	})
	return pid
}

type stat struct {
	pid, parent int
	name        string
}

// readStat reads /proc/PID/stat; false: the process has ended, or is a zombie.
func readStat(file string) (s stat, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, false
	}
	head, rest, ok := strings.Cut(string(text), ") ")
	pid, name, _ := strings.Cut(head, " (")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 2 || fields[0] == "Z" {
		return s, false
	}
	s.name = name
	s.pid, _ = strconv.Atoi(pid)
	s.parent, _ = strconv.Atoi(fields[1])
	return s, true
}
