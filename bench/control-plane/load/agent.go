package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/test/peer"
)

// application is what all simulated workloads are instances of: with its namespace, it decides their scope.
const application = "load"

// agents are what weft's mesh port wants before it gives configuration: every proxy is a
// workload that a joined host registered, and that keeps its lease.
type agents struct {
	settings map[string]*tls.Config // by namespace
}

func join(ctx context.Context, server, token string, namespaces []string) (*agents, error) {
	host, err := peer.Join(ctx, server, token, "load")
	if err != nil {
		return nil, fmt.Errorf("joining %s: %w", server, err)
	}
	a := &agents{settings: map[string]*tls.Config{}}
	for _, ns := range namespaces {
		held, err := host.Workload(ctx, ns, application)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s/%s: %w", ns, application, err)
		}
		a.settings[ns] = identity.ClientTLS(func() *identity.Credential { return held })
	}
	return a, nil
}

func (a *agents) credentials(ns string) credentials.TransportCredentials {
	return credentials.NewTLS(a.settings[ns])
}

// register registers a proxy over the connection that its configuration will come by, and
// keeps its lease as an agent does; where that ends, ended is called.
func (a *agents) register(ctx context.Context, ended func(), cc *grpc.ClientConn, p *proxy) error {
	stream, err := peer.Session(ctx, cc, model.Registration{Namespace: p.ns, Name: p.name, App: application,
		Version: "v1", Address: p.ip, OutboundPort: 15001, Host: "load"})
	if err != nil {
		return fmt.Errorf("registering: %w", err)
	}
	go func() {
		defer ended()
		for stream.RecvMsg(&model.ServerMessage{}) == nil {
		}
	}()
	go func() {
		heartbeat := time.NewTicker(model.LeaseInterval / 2)
		defer heartbeat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-heartbeat.C:
				if stream.SendMsg(&model.AgentMessage{}) != nil {
					return
				}
			}
		}
	}()
	return nil
}
