// Package uplink lets all agents of a machine share one connection to the
// server. Whoever holds the machine's lock has that connection and carries the
// streams of the others, which reach it at a unix socket in the machine's folder;
// when it ends, however it ends, another takes the lock.
//
// What must stay true: a stream is carried as it is, in both directions, and in
// the name of the workload that it gives; whether that is allowed the server says.
//
// Input: the machine's folder, and how to connect. It knows no message.
package uplink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	lockFile   = "uplink.lock"
	socketFile = "uplink.sock"
	takeover   = 200 * time.Millisecond // between two tries to get the lock
	minPing    = time.Second            // between two questions whether we live
	maxMessage = 64 << 20               // of configuration
)

// Uplink is one agent's part in the machine's connection.
type Uplink struct {
	Dir     string // of the machine: its lock
	Sockets string // where its socket is
	// Connect makes the connection to the server, in the machine's name.
	Connect func() (*grpc.ClientConn, error)
	Log     *slog.Logger
}

func (u Uplink) socket() string { return filepath.Join(u.Sockets, socketFile) }

// Run holds the connection whenever nobody else of the machine does, until ctx ends.
func (u Uplink) Run(ctx context.Context) {
	tick := time.NewTicker(takeover)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := u.hold(ctx); err != nil {
			u.Log.Error("the machine's connection is not shared", "why", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// hold returns at once when another agent has the lock.
func (u Uplink) hold(ctx context.Context) error {
	lock, err := os.OpenFile(filepath.Join(u.Dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil
	}
	conn, err := u.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	listener, err := u.listen()
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(carry(conn)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(maxMessage), grpc.SharedWriteBuffer(true))
	var stopping sync.WaitGroup
	defer stopping.Wait()
	ctx, done := context.WithCancel(ctx)
	defer done()
	stopping.Go(func() { <-ctx.Done(); server.Stop() })
	u.Log.Info("this agent holds the machine's connection", "socket", u.socket())
	return server.Serve(listener)
}

// listen takes the place of an agent that left its socket behind.
func (u Uplink) listen() (net.Listener, error) {
	if err := os.Remove(u.socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", u.socket())
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(u.socket(), 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("%s: %w", u.socket(), err)
	}
	return listener, nil
}
