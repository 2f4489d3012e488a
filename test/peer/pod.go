package peer

import (
	"context"

	"weft.dev/identity"
	"weft.dev/model"
)

// Attest trades a ServiceAccount's token for the identity of the account; roots
// are PEM.
func Attest(ctx context.Context, server string, roots []byte, token string) (*identity.Credential, error) {
	config, err := identity.RootsTLS(roots)
	if err != nil {
		return nil, err
	}
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	conn, err := Dial(server, config)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var reply model.JoinReply
	if err := Call(ctx, conn, model.AgentAttest, &model.AttestRequest{Token: token, CSR: key.CSR}, &reply); err != nil {
		return nil, err
	}
	return key.Certified(reply.CertificateReply, reply.TrustDomain)
}
