package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weft.dev/test/netns"
	"weft.dev/test/process"
)

// inside is a server, and all that is started with its weft, in a network namespace.
func inside(t *testing.T, n netns.Namespace) *process.Server {
	t.Helper()
	dir := t.TempDir()
	weft := filepath.Join(dir, "weft")
	script := fmt.Sprintf("#!/bin/sh\nexec nsenter --net=/run/netns/%s %s/weft \"$@\"\n", n.Name, bin)
	check(t, os.WriteFile(weft, []byte(script), 0o700))
	server, err := process.Serve(weft, dir)
	check(t, err)
	t.Cleanup(server.Stop)
	return server
}

// world answers everything that comes to a port outside.
func world(t *testing.T, n netns.Namespace, port int) {
	t.Helper()
	var listener net.Listener
	check(t, n.As(0, func() (err error) { listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); return err }))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "world") })}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
}

// asks has the application at a port of the machine's loopback call a URL in the
// name of a host, and wants these words in the answer.
func asks(t *testing.T, n netns.Namespace, port int, url, host string, want ...string) error {
	body, _ := json.Marshal(map[string]any{"method": "GET", "url": url, "headers": map[string]string{"Host": host}})
	out, err := n.Command(t.Context(), "curl", "-fsS", "--max-time", "20", "-d", string(body), "http://"+process.Loopback(port)+"/_call").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for _, word := range want {
		if !strings.Contains(string(out), word) {
			return fmt.Errorf("%s for %s: no %q in %s", url, host, word, out)
		}
	}
	return nil
}

// Two applications of a machine know of no proxy. What each calls is led to its own
// Envoy, which has its identity; what a third one calls is led nowhere. An agent that
// is killed harms nobody else, and nothing is left at the end.
func TestRedirect(t *testing.T) {
	machineNet, outside := netns.Wired(t)
	m := newMachineOf(t, inside(t, machineNet), "caught")
	for _, port := range []int{8000, 8001, 9000} {
		world(t, outside, port)
	}
	at, outbound := map[string]int{}, map[string]int{}
	for _, name := range []string{"visitor", "stranger", "third"} {
		at[name], outbound[name] = freePort(t), freePort(t)
	}
	m.run("api", "app: api\nport: 8000\naddress: %s\ncommand: [%s/echo]\n", netns.InnerIP, bin)
	redirected := func(name string) *service {
		return m.run(name, "app: %s\nport: \"80:%d\"\noutbound: %d\naddress: %s\nredirect: true\nexclude-outbound: 8001\ncommand: [%s/echo]\n", name, at[name], outbound[name], netns.InnerIP, bin)
	}
	visitor, stranger := redirected("visitor"), redirected("stranger")
	third := machineNet.Command(context.WithoutCancel(t.Context()), filepath.Join(bin, "echo"))
	third.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", at["third"]))
	start(t, "third", third)
	m.await("api", "Healthy")

	own := func(name string) {
		t.Helper()
		m.await(name, "Healthy")
		for _, url := range []string{"http://" + netns.OuterIP + ":8000/", "http://[" + netns.OuterIP6 + "]:8000/"} {
			until(t, func() error {
				return asks(t, machineNet, at[name], url, "api:8000", `"app\":\"api`, "/ns/caught/sa/"+name)
			})
			until(t, func() error { return asks(t, machineNet, at[name], url, "elsewhere.example", "world") })
		}
		check(t, asks(t, machineNet, at[name], "http://"+netns.OuterIP+":9000/", "api:8000", "world"))
		check(t, asks(t, machineNet, at[name], "http://"+netns.OuterIP+":8001/", "api:8000", "world"))
		check(t, asks(t, machineNet, at[name], "http://"+process.Loopback(at["third"])+"/", "api:8000", `"host\":\"api`))
	}
	free := func() {
		t.Helper()
		until(t, func() error {
			return asks(t, machineNet, at["third"], "http://"+netns.OuterIP+":8000/", "api:8000", "world")
		})
	}
	own("visitor")
	own("stranger")
	free()

	visitor.signal(syscall.SIGKILL)
	<-visitor.done
	own("stranger")
	free()
	visitor = redirected("visitor")
	own("visitor")

	visitor.stop()
	stranger.stop()
	free()
	if left := netns.Sh(t, "nsenter", "--net=/run/netns/"+machineNet.Name, "nft", "list", "ruleset"); left != "" {
		t.Errorf("rules are left:\n%s", left)
	}
	for _, name := range []string{"visitor", "stranger"} {
		if left := netns.Sh(t, "find", "/sys/fs/cgroup", "-type", "d", "-name", fmt.Sprintf("weft-%d", outbound[name])); left != "" {
			t.Errorf("a cgroup is left: %s", left)
		}
	}
}
