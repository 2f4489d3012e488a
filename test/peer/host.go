// Package peer is a machine and its workloads as the mesh port sees them, without
// Envoys: it joins, registers, reports traffic, and takes and acknowledges
// configuration.
//
// Input: the address of a mesh port and a token. Output: what the server sent. It
// keeps to the protocol; a test that does not speaks with the parts by itself.
package peer

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"weft.dev/identity"
	"weft.dev/model"
)

const callTime = 10 * time.Second

// Host is a machine that joined.
type Host struct {
	Server string // host:port of the mesh port
	Held   *identity.Credential
}

// Join trades a token for a host's identity.
func Join(ctx context.Context, server, token, name string) (*Host, error) {
	config, err := identity.JoinTLS(token)
	if err != nil {
		return nil, err
	}
	conn, err := Dial(server, config)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return JoinOver(ctx, conn, server, token, name)
}

// JoinOver is Join over a connection that the caller made.
func JoinOver(ctx context.Context, conn *grpc.ClientConn, server, token, name string) (*Host, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	var reply model.JoinReply
	if err := Call(ctx, conn, model.AgentJoin, &model.JoinRequest{Token: token, Host: name, CSR: key.CSR}, &reply); err != nil {
		return nil, err
	}
	held, err := key.Certified(reply.CertificateReply, reply.TrustDomain)
	return &Host{server, held}, err
}

// Workload asks for the certificate of a workload's account.
func (h *Host) Workload(ctx context.Context, namespace, account string) (*identity.Credential, error) {
	return Renew(ctx, h.Server, h.Held, namespace, account)
}

// Renew asks with one credential for the certificate of an account.
func Renew(ctx context.Context, server string, by *identity.Credential, namespace, account string) (*identity.Credential, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	conn, err := DialAs(server, by)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var reply model.CertificateReply
	if err := Call(ctx, conn, model.AgentRenew, &model.RenewRequest{Namespace: namespace, Account: account, CSR: key.CSR}, &reply); err != nil {
		return nil, err
	}
	return key.Certified(reply, by.Trust)
}

// Call is one call of model.AgentService.
func Call(ctx context.Context, conn *grpc.ClientConn, method string, request, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return conn.Invoke(ctx, method, request, reply, grpc.ForceCodec(model.AgentCodec{}))
}

// DialAs connects with a certificate.
func DialAs(server string, held *identity.Credential) (*grpc.ClientConn, error) {
	return Dial(server, identity.ClientTLS(func() *identity.Credential { return held }))
}

// Dial connects to a mesh port; more options override those of an agent.
func Dial(server string, config *tls.Config, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(server, append([]grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: model.LeaseInterval}),
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("mesh port %s: %w", server, err)
	}
	return conn, nil
}
