package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"weft.dev/agent/envoy"
)

// process is the workload's Envoy. In a pod it is never replaced: the container is,
// and what goes wrong is said where Kubernetes keeps it.
func (a *agent) process(binary string) (p envoy.Process, err error) {
	p = envoy.Process{Binary: binary, LogFile: a.path("envoy.log"), Concurrency: a.Concurrency, Log: a.Log}
	if a.Pod != nil {
		p.LogFile = ""
		p.Bootstrap, err = a.serveEnvoy(0)
		return p, err
	}
	p.Hot = &envoy.Hot{
		Dir: a.sockets, Drain: a.Handover, Admin: a.admin, Upgrade: a.upgrade, Serve: a.serveEnvoy,
		Find: func(ctx context.Context) (string, error) { return envoy.Find(ctx, a.Envoy, a.Log) },
	}
	return p, nil
}

// serveEnvoy gives configuration to the Envoy of a generation, and to no other: two
// that ask would take it from each other. It returns the bootstrap that names the
// socket.
func (a *agent) serveEnvoy(generation int) (bootstrap string, err error) {
	a.leaveEnvoy()
	socket := a.socket(fmt.Sprintf("ads-%d.sock", generation%2))
	if a.leaveEnvoy, err = a.serveAt(socket); err != nil {
		return "", err
	}
	r, name := a.Registration, fmt.Sprintf("bootstrap-%d.json", generation%2)
	data, err := envoy.Bootstrap{
		ID: r.Namespace + "/" + r.Name, Cluster: a.account(), Heap: a.Heap,
		AgentSocket: socket, AdminSocket: a.socket("admin.sock"),
	}.JSON()
	if err != nil {
		return "", err
	}
	return a.path(name), a.files.Write(name, data)
}

// serveAt opens a socket at which an Envoy asks for its configuration. When leave,
// which is never nil, returns, the socket is closed and its path is free.
func (a *agent) serveAt(socket string) (leave func(), err error) {
	leave = func() {}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return leave, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return leave, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return leave, errors.Join(err, listener.Close())
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.SharedWriteBuffer(true))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, a.relay)
	server.RegisterService(&spanService, &a.spans)
	server.RegisterService(&accessLogs, a.tap)
	server.RegisterService(&limitService, a.limits)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			a.Log.Error("Envoy is not served any more", "why", err)
		}
	}()
	return func() { server.Stop(); <-ended }, nil
}
