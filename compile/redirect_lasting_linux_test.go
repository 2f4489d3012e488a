package compile

import (
	"context"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	rules "weft.dev/install/redirect"
	"weft.dev/model"
	"weft.dev/test/netns"
)

// A service at a port number of HTTP that no other had changes what all proxies look into. What is open to the
// address of a service is none of its business; what is open to nobody that is known has to go, because it
// might have been taken for something else.
func TestNewNumber(t *testing.T) {
	pod, world := netns.Wired(t)
	m, secrets := newMesh(), newTestCA(t).secrets(t, "web")
	var views []map[string]any // before and after
	for _, more := range []string{"", "\n- {namespace: far, name: new, ports: [{number: 7777, protocol: http}]}"} {
		m.set(parseRows(t, []byte(strings.Replace(greetingRows, "services:", "services:"+more, 1))))
		views = append(views, staticBootstrapOf(t, m.viewOf(t, "shop/web-1"), secrets))
	}
	within(t, pod, rules.Rules{Outbound: model.RedirectedOutbound, Inbound: model.RedirectedInbound}.Apply)
	for _, port := range []int{2525, 9000} {
		echoes(t, world, port)
	}
	folder := t.TempDir()
	deliver(t, folder, views[0])
	bootstrap := maps.Clone(views[1]) // with all clusters
	bootstrap["static_resources"] = without(bootstrap["static_resources"].(map[string]any), "listeners")
	bootstrap["dynamic_resources"] = map[string]any{"lds_config": map[string]any{"path_config_source": map[string]any{"path": filepath.Join(folder, "lds.json")}}}
	runEnvoyBy(t, func(ctx context.Context, name string, args ...string) *exec.Cmd {
		return pod.Command(ctx, name, append(args, "--drain-time-s", "1")...) // of what is replaced
	}, bootstrap)
	known, stray := session(t, pod, 2525), session(t, pod, 9000)
	for what, c := range map[string]net.Conn{"known": known, "stray": stray} {
		if err := turn(c); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}

	deliver(t, folder, views[1])
	for end := time.Now().Add(time.Minute); turn(stray) == nil; <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the listener was not replaced")
		}
	}
	if err := turn(known); err != nil {
		t.Errorf("a session with a service is cut by another that is new: %v", err)
	}
	if err := turn(session(t, pod, 2525)); err != nil {
		t.Errorf("a new session: %v", err)
	}
}

func without(all map[string]any, name string) map[string]any {
	left := maps.Clone(all)
	delete(left, name)
	return left
}

// deliver takes the listeners of a bootstrap to an Envoy that looks for them in a folder.
func deliver(t *testing.T, folder string, bootstrap map[string]any) {
	t.Helper()
	var listeners []any
	for _, l := range bootstrap["static_resources"].(map[string]any)["listeners"].([]any) {
		l := maps.Clone(l.(map[string]any))
		l["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
		listeners = append(listeners, l)
	}
	next := filepath.Join(folder, "next.json")
	if err := os.WriteFile(next, encodeJSON(t, map[string]any{"resources": listeners}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(folder, "lds.json")); err != nil {
		t.Fatal(err)
	}
}

// session is what an application of the pod opens to a port of the world.
func session(t *testing.T, pod netns.Namespace, port int) (conn net.Conn) {
	t.Helper()
	if err := pod.As(1000, func() (err error) {
		conn, err = net.Dial("tcp", net.JoinHostPort(netns.OuterIP, strconv.Itoa(port)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// turn sends a byte and waits for it.
func turn(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{'.'}); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// echoes sends back what it gets.
func echoes(t *testing.T, n netns.Namespace, port int) {
	t.Helper()
	accepts(t, n, port, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
}
