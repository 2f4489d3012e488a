package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
)

const (
	hostFile    = "host.json"
	serverFile  = "server"
	lockFile    = "lock"
	callTimeout = 10 * time.Second
)

// JoinOptions say how this machine joins a mesh.
type JoinOptions struct {
	Server string // host:port of the mesh port
	Token  string
	Dir    string // where the machine's credentials go
	Host   string // name of the machine; empty: what it calls itself
}

// Join trades a one-time token for the identity of this machine. The token says
// which server is the right one, so that it is shown to no other.
func Join(ctx context.Context, o JoinOptions) error {
	if o.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("join: this machine has no name: %w; name it with --host", err)
		}
		o.Host = name
	}
	config, err := identity.JoinTLS(o.Token)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	key, err := identity.NewKey()
	if err != nil {
		return err
	}
	conn, err := dial(o.Server, credentials.NewTLS(config))
	if err != nil {
		return err
	}
	defer conn.Close()
	var reply model.JoinReply
	request := &model.JoinRequest{Token: strings.TrimSpace(o.Token), Host: o.Host, CSR: key.CSR}
	if err := call(ctx, conn, model.AgentJoin, request, &reply); err != nil {
		return fmt.Errorf("join %s: %w", o.Server, err)
	}
	held, err := key.Certified(reply.CertificateReply, reply.TrustDomain)
	if err != nil {
		return fmt.Errorf("join %s: %w", o.Server, err)
	}
	files := identity.Dir(o.Dir)
	return errors.Join(held.Save(files, hostFile), files.Write(serverFile, []byte(o.Server+"\n")))
}

func dial(server string, tls credentials.TransportCredentials, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(server, append(more, grpc.WithTransportCredentials(tls))...)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w; it is of the form host:port", server, err)
	}
	return conn, nil
}

// call is one call of model.AgentService. The error is the server's own words.
func call(ctx context.Context, conn *grpc.ClientConn, method string, request, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := conn.Invoke(ctx, method, request, reply, grpc.ForceCodec(model.AgentCodec{}))
	if s, ok := status.FromError(err); ok && err != nil {
		return fmt.Errorf("%s (%s)", s.Message(), s.Code())
	}
	return err
}

// locked runs do while no other agent of the machine does the same.
func locked(dir string, do func() error) error {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer file.Close() // which unlocks
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return do()
}
