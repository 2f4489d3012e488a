package agent_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/identity"
)

const (
	// lifetime is that of certificates in a test in which half of it is a day.
	lifetime = 40 * time.Second
	// spare is how long before the end of a certificate the last round has to be over.
	spare = 5 * time.Second
)

// The server is away for a day, from the moment on when certificates would have been
// renewed: whoever is called goes on, and whoever starts then, Envoy or agent, starts
// from what is on disk. It is told of early, and heals after a day that was too long.
func TestDayWithoutServer(t *testing.T) {
	t.Parallel() // it waits, for the most part
	m := newMeshWith(t, lifetime, 0)
	hostDir := m.join()
	stays := options(t, m, filepath.Join(t.TempDir(), "app-1"), hostDir)
	restarts := options(t, m, filepath.Join(t.TempDir(), "other-1"), hostDir)
	restarts.Registration.App, restarts.Registration.Name = "other", "other-1"
	other := func() bool { return getBy(fresh(), m, "shop/other-1", "/") == "other app.shop proxy ready" }
	one, two := start(t, stays), start(t, restarts)
	until(t, "both serve", func() bool { return get(fresh(), m, "/") == answer && other() && healthy(m, 2) })
	until(t, "certificates are about to be renewed", func() bool { return time.Until(workloadCredential(t, stays.Dir).RenewAt()) < time.Second })

	m.stop()
	stop := load(t, func(client *http.Client) bool { return get(client, m, "/") == answer })
	ends := workloadCredential(t, restarts.Dir).Ends()
	if first := workloadCredential(t, stays.Dir).Ends(); first.Before(ends) {
		ends = first
	}
	rounds := 0
	for ; time.Until(ends) > spare; rounds++ {
		if err := two.log.envoy(t).Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, "another Envoy serves", func() bool { return strings.Count(two.log.String(), "Envoy started") == 2 && other() })
		two.stop()
		two = start(t, restarts)
		until(t, "the agent serves that starts without a server", other)
	}
	stop()
	t.Logf("%d Envoys and agents were restarted", rounds)
	if rounds == 0 {
		t.Error("nothing was restarted: nothing was proved")
	}
	toldEarly(t, one)

	until(t, "the certificates have ended", func() bool {
		return time.Now().After(workloadCredential(t, stays.Dir).Ends()) && time.Now().After(workloadCredential(t, restarts.Dir).Ends())
	})
	m.start(m.address)
	until(t, "all is well again", func() bool { return get(fresh(), m, "/") == answer && other() && healthy(m, 2) })
}

func workloadCredential(t *testing.T, dir string) *identity.Credential {
	t.Helper()
	c, err := identity.LoadCredential(identity.Dir(dir), "workload.json")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var unrenewed = regexp.MustCompile(`time=(\S+) level=WARN msg="the workload's certificate is not renewed".* ends=(\S+)`)

// toldEarly wants the log to warn of the end of a certificate a quarter of its life before.
func toldEarly(t *testing.T, r *running) {
	t.Helper()
	found := unrenewed.FindStringSubmatch(r.log.String())
	if found == nil {
		t.Fatal("nobody is told that the certificate is not renewed")
	}
	told, err := time.Parse(time.RFC3339, found[1])
	if err != nil {
		t.Fatal(err)
	}
	ends, err := time.Parse(time.RFC3339, found[2])
	if err != nil {
		t.Fatal(err)
	}
	if ahead := ends.Sub(told); ahead < lifetime/4 {
		t.Errorf("the end of the certificate is told of %v before, want at least %v", ahead, lifetime/4)
	}
}
