package host

import (
	"fmt"
	"syscall"
	"testing"
)

// Half of a group's agents freeze together, so that the server hears nothing of
// them, and the connection of a machine with them. Their applications live: all of
// them stay endpoints, as Lost, and no call fails.
func TestHalfFallsSilent(t *testing.T) {
	m, other := newMachine(t, "silent"), newMachine(t, "silent")
	out, rest := freePort(t), freePort(t)
	m.run("caller", "app: caller\nport: \"80:%d\"\noutbound: %d\ncommand: [%s/echo]\n", rest, out, bin)
	api := func(on *machine, n int) *service {
		return on.run(fmt.Sprintf("api-%d", n), "app: api\nport: 80\ncommand: [%s/echo]\n", bin)
	}
	frozen := []*service{api(other, 0), api(other, 1)}
	api(m, 2)
	api(m, 3)
	for n := range 4 {
		m.await(fmt.Sprintf("api-%d", n), "Healthy")
	}
	m.await("caller", "Healthy")
	until(t, func() error { return m.calls(rest, "http://api/", 1) })

	for _, s := range frozen {
		s.signal(syscall.SIGSTOP)
		t.Cleanup(func() { _ = s.cmd.Process.Signal(syscall.SIGCONT) })
	}
	calls := 0
	until(t, func() error {
		if err := m.calls(rest, "http://api/", 50); err != nil {
			t.Fatal(err)
		}
		calls += 50
		for n := range frozen {
			if health, err := m.health(fmt.Sprintf("api-%d", n)); err != nil || health != "Lost" {
				return fmt.Errorf("api-%d is %q, %v; want Lost", n, health, err)
			}
		}
		return nil
	})
	for _, s := range frozen {
		s.signal(syscall.SIGCONT)
	}
	for n := range frozen {
		m.await(fmt.Sprintf("api-%d", n), "Healthy")
	}
	t.Logf("0 of %d calls failed while half of the group was silent", calls)
}
