package host

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"weft.dev/test/process"
)

const frontGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: leave}
spec:
  gatewayClassName: weft
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: front, namespace: leave}
spec:
  parentRefs: [{name: front}]
  rules: [{backendRefs: [{name: api, port: 80}]}]
`

// balancer is where new connections go, as a load balancer decides.
type balancer struct{ port atomic.Int64 }

// caller makes requests one after another, none of which a client may repeat.
type caller struct {
	client http.Client
	closed atomic.Int64 // answers that ended their connection
}

func newCaller(b *balancer, protocols ...func(*http.Protocols, bool)) *caller {
	transport := &http.Transport{Protocols: new(http.Protocols), MaxIdleConnsPerHost: 1}
	for _, p := range protocols {
		p(transport.Protocols, true)
	}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, process.Loopback(int(b.port.Load())))
	}
	return &caller{client: http.Client{Transport: transport, Timeout: patience}}
}

func (c *caller) call() error {
	reply, err := c.client.Post("http://shop.example/?delay=20ms", "text/plain", io.MultiReader(strings.NewReader("once")))
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.Close {
		c.closed.Add(1)
	}
	if body, err := io.ReadAll(reply.Body); err != nil || reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %w: %.300s", reply.Status, err, body)
	}
	return nil
}

// together has all of them call until stop, and counts. Each call must succeed.
func together(t *testing.T, callers []*caller) (count *atomic.Int64, stop func()) {
	count = new(atomic.Int64)
	var running sync.WaitGroup
	over := make(chan struct{})
	for _, c := range callers {
		running.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if err := c.call(); err != nil {
					t.Error(err)
					return
				}
				count.Add(1)
			}
		})
	}
	return count, func() { close(over); running.Wait() }
}

// A gateway leaves under load: callers that keep their connections, of HTTP/1.1
// and of HTTP/2, are sent on to another one, and no request fails.
func TestGatewayDrain(t *testing.T) {
	m := newMachine(t, "leave")
	written := shared.Command("apply", "-f", "-")
	written.Stdin = strings.NewReader(frontGateway)
	if out, err := written.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.run("api", "app: api\nport: 80\ncommand: [%s/echo]\n", bin)
	ports := []int{freePort(t), freePort(t)}
	var gateways []*service
	for n, port := range ports {
		gateways = append(gateways, m.run(fmt.Sprintf("front-%d", n), "gateway: front\nport: \"80:%d\"\n", port))
	}
	var b balancer
	for _, port := range []int{ports[1], ports[0]} {
		b.port.Store(int64(port))
		first := newCaller(&b, (*http.Protocols).SetHTTP1)
		until(t, first.call)
		first.client.CloseIdleConnections() // nothing would be answered there any more
	}
	callers := []*caller{}
	for range 8 {
		callers = append(callers, newCaller(&b, (*http.Protocols).SetHTTP1), newCaller(&b, (*http.Protocols).SetUnencryptedHTTP2))
	}
	count, stop := together(t, callers)
	until(t, func() error {
		if count.Load() < 100 {
			return fmt.Errorf("%d calls are made", count.Load())
		}
		return nil
	})
	gateways[0].signal(syscall.SIGTERM)
	m.await("front-0", "Draining")
	b.port.Store(int64(ports[1]))
	<-gateways[0].done
	if strings.Contains(gateways[0].said(), "connections are cut") {
		t.Error("callers kept their connections until they were cut")
	}
	before := count.Load()
	until(t, func() error {
		if n := count.Load() - before; n < 100 {
			return fmt.Errorf("%d calls are made by the other gateway", n)
		}
		return nil
	})
	stop()
	t.Logf("%d calls", count.Load())
	for n, c := range callers {
		c.client.CloseIdleConnections()
		if n%2 == 0 && c.closed.Load() == 0 {
			t.Errorf("caller %d was never told to leave", n)
		}
	}
}
