package agent

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"

	"weft.dev/agent/probe"
	"weft.dev/identity"
	"weft.dev/model"
)

// Pod is what a pod proves with who it is. Kubernetes registers it and leads all
// of its traffic into its proxy.
type Pod struct {
	TokenFile string // that Kubernetes keeps fresh: a ServiceAccount token for the audience of weft
	Roots     []byte // PEM: whom to trust before there is a certificate
	Probes    model.Probes
}

// answerKubelet answers what the kubelet asks of the pod.
func (a *agent) answerKubelet(ctx context.Context) {
	server := probe.New(probe.Options{Address: a.Registration.Address, Probes: a.Pod.Probes, Ready: a.ready.Load, Log: a.Log})
	if err := server.Run(ctx); ctx.Err() == nil {
		a.Log.Error("the kubelet gets no answers", "why", err)
	}
}

// attest trades the pod's token for the identity of its ServiceAccount.
func (p *Pod) attest(ctx context.Context, server string) (*identity.Credential, error) {
	token, err := os.ReadFile(p.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("the pod's token: %w; injection mounts it", err)
	}
	config, err := identity.RootsTLS(p.Roots)
	if err != nil {
		return nil, err
	}
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	conn, err := dial(server, credentials.NewTLS(config))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var reply model.JoinReply
	request := &model.AttestRequest{Token: strings.TrimSpace(string(token)), CSR: key.CSR}
	if err := call(ctx, conn, model.AgentAttest, request, &reply); err != nil {
		return nil, err
	}
	return key.Certified(reply.CertificateReply, reply.TrustDomain)
}
