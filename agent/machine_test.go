package agent_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weft.dev/agent"
	"weft.dev/identity"
	"weft.dev/model"
)

// machineSize is how many workloads a machine has; WEFT_MACHINE has more.
func machineSize() int {
	if n, err := strconv.Atoi(os.Getenv("WEFT_MACHINE")); err == nil {
		return n
	}
	return 4
}

// machine starts workloads of different applications that share a host's folder.
func machine(t *testing.T, m *mesh, hostDir string) []*running {
	t.Helper()
	all := make([]*running, machineSize())
	for i := range all {
		o := options(t, m, filepath.Join(t.TempDir(), "w"), hostDir)
		o.Registration.App, o.Registration.Name = fmt.Sprintf("app-%d", i), fmt.Sprintf("app-%d-1", i)
		all[i] = start(t, o)
	}
	return all
}

func healthy(m *mesh, count int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, w := range m.workloads {
		if w.Status.Health == string(model.Healthy) {
			n++
		}
	}
	return n == count
}

// held is how many of the agents say that they have the machine's connection.
func held(all []*running) (holders []int) {
	for i, r := range all {
		if strings.Contains(r.log.String(), "holds the machine's connection") {
			holders = append(holders, i)
		}
	}
	return holders
}

// All workloads of a machine share one connection, each with its own identity;
// when the one that holds it goes, another does.
func TestOneConnection(t *testing.T) {
	m := newMesh(t)
	all := machine(t, m, m.join())
	until(t, "all are healthy", func() bool { return healthy(m, len(all)) })
	until(t, "there is one connection", func() bool { return m.conns.count() == 1 })
	t.Logf("%d workloads, %d connection", len(all), m.conns.count())
	for i := range all {
		if sent := m.sessions.Sent(fmt.Sprintf("shop/app-%d-1", i)); len(sent) == 0 {
			t.Errorf("workload %d has no configuration", i)
		}
	}
	first := held(all)
	if len(first) != 1 {
		t.Fatalf("agents %v hold the connection, want one", first)
	}
	all[first[0]].stop()
	rest := append(append([]*running(nil), all[:first[0]]...), all[first[0]+1:]...)
	until(t, "another holds it", func() bool { return len(held(rest)) == 1 })
	until(t, "there is one connection again", func() bool { return m.conns.count() == 1 })
	for _, r := range rest {
		until(t, "all are connected", func() bool { return strings.Count(r.log.String(), "msg=registered") >= 2 })
	}
	if m.gone != 1 || !healthy(m, len(rest)) {
		t.Errorf("%d workloads left, the rest healthy: %v; want 1: the one that was stopped", m.gone, healthy(m, len(rest)))
	}
}

// A machine may not speak as what its token did not grant, nor a workload as another.
func TestIdentityOfStreams(t *testing.T) {
	m := newMesh(t)
	hostDir := m.join()
	o := options(t, m, filepath.Join(t.TempDir(), "app-1"), hostDir)
	r := start(t, o)
	until(t, "it is healthy", func() bool { return healthy(m, 1) })
	r.stop()
	host, err := identity.LoadCredential(identity.Dir(hostDir), "host.json")
	if err != nil {
		t.Fatal(err)
	}
	workload, err := identity.LoadCredential(identity.Dir(o.Dir), "workload.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by      *identity.Credential
		as      string
		allowed bool
	}{
		{host, "", true}, {host, "shop/app", true}, {host, "shop/other", true}, {host, "bank/app", false}, {host, "shop/", false}, {host, "shop", false},
		{host, "shop/a/b", false}, {workload, "", true}, {workload, "shop/app", true}, {workload, "shop/other", false}, {workload, "bank/app", false},
	} {
		got, err := m.authority.Caller(c.by.Leaf(), c.as)
		if (err == nil) != c.allowed {
			t.Errorf("%v as %q: %v, %v", must(c.by.Name()), c.as, got, err)
		}
		if c.allowed && c.as != "" && got.Namespace+"/"+got.Account != c.as {
			t.Errorf("as %q it is %v", c.as, got)
		}
	}
}

func must(n identity.Name, err error) identity.Name {
	if err != nil {
		panic(err)
	}
	return n
}

// Certificates are renewed over many lifetimes, and no call fails meanwhile, by
// new connections or by one that stays. The join token was spent at the start.
func TestManyLifetimes(t *testing.T) {
	t.Parallel() // it waits, for the most part
	m := newMeshWith(t, 4*time.Second, 8*time.Second)
	hostDir := m.join()
	r := start(t, options(t, m, filepath.Join(t.TempDir(), "app-1"), hostDir))
	until(t, "it serves", func() bool { return get(fresh(), m, "/") == answer })
	until(t, "it is healthy", func() bool { return healthy(m, 1) })
	stop := load(t, func(client *http.Client) bool { return get(client, m, "/") == answer })
	began := hostEnds(t, hostDir)
	until(t, "the workload has its sixth certificate", func() bool { return strings.Count(r.log.String(), "has a certificate") >= 6 })
	until(t, "the machine's certificate has been renewed", func() bool { return hostEnds(t, hostDir).Sub(began) > 2*m.authority.Host })
	until(t, "the server still hears it", func() bool {
		s, err := agent.ReadStatus(r.dir)
		return err == nil && s.Connected && healthy(m, 1)
	})
	stop()
	if strings.Contains(r.log.String(), "has ended") {
		t.Error("a certificate ended before it was renewed")
	}
}

func hostEnds(t *testing.T, dir string) time.Time {
	t.Helper()
	c, err := identity.LoadCredential(identity.Dir(dir), "host.json")
	if err != nil {
		t.Fatal(err)
	}
	return c.Ends()
}

// load calls without a pause, by new connections and by one that stays, until it
// is stopped; then all calls must have succeeded.
func load(t *testing.T, call func(*http.Client) bool) (stop func()) {
	t.Helper()
	var calls, failed atomic.Int64
	ended := make(chan struct{})
	var callers sync.WaitGroup
	kept := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	for _, client := range []*http.Client{fresh(), kept} {
		callers.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-ended:
					return
				case <-pace.C:
				}
				if calls.Add(1); !call(client) {
					failed.Add(1)
				}
			}
		})
	}
	return func() {
		t.Helper()
		close(ended)
		callers.Wait()
		t.Logf("%d of %d calls failed", failed.Load(), calls.Load())
		if failed.Load() > 0 || calls.Load() < 100 {
			t.Errorf("%d of %d calls failed", failed.Load(), calls.Load())
		}
	}
}

// A holder that is frozen takes connections and says nothing: the others then
// have connections of their own.
func TestFrozenHolder(t *testing.T) {
	t.Parallel() // it waits, for the most part
	m := newMesh(t)
	hostDir := m.join()
	lock, err := os.Create(filepath.Join(hostDir, "uplink.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	frozen, err := net.Listen("unix", filepath.Join(hostDir, "uplink.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close()
	r := start(t, options(t, m, filepath.Join(t.TempDir(), "app-1"), hostDir))
	until(t, "it is healthy", func() bool { return healthy(m, 1) })
	if held([]*running{r}) != nil {
		t.Error("it holds the connection of which another has the lock")
	}
}
