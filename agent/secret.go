package agent

import (
	"os"
	"strconv"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/identity"
	"weft.dev/model"
)

// Field numbers of Envoy's messages, which are not linked in for their size:
// Secret, TlsCertificate, CertificateValidationContext, DataSource.
const (
	secretName           = 1
	secretCertificate    = 2
	secretValidation     = 4
	certificateChain     = 1
	certificateKey       = 2
	validationTrustedCA  = 1
	dataSourceFilename   = 1
	dataSourceInlineData = 2
)

// secrets are the credential as Envoy takes it.
func secrets(c *identity.Credential) ([]*discoveryv3.Resource, error) {
	key, err := c.KeyPEM()
	if err != nil {
		return nil, err
	}
	system, found := systemRoots()
	if !found { // a call to the outside then fails, rather than reach whoever answers
		system = inline(c.RootsPEM())
	}
	certificate := append(message(certificateChain, inline(c.ChainPEM())), message(certificateKey, inline(key))...)
	return []*discoveryv3.Resource{
		secret(model.SecretWorkload, message(secretCertificate, certificate)),
		trusted(model.SecretRoots, inline(c.RootsPEM())),
		trusted(model.SecretSystemRoots, system),
	}, nil
}

// bundles are where systems keep the roots that they trust.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",             // SUSE
	"/etc/ssl/cert.pem",
}

// systemRoots is the machine's bundle, if it has one.
func systemRoots() (source []byte, found bool) {
	for _, path := range bundles {
		if _, err := os.Stat(path); err == nil {
			return message(dataSourceFilename, []byte(path)), true
		}
	}
	return nil, false
}

// trusted is a secret that says whom to trust.
func trusted(name string, source []byte) *discoveryv3.Resource {
	return secret(name, message(secretValidation, message(validationTrustedCA, source)))
}

func secret(name string, content []byte) *discoveryv3.Resource {
	body := append(message(secretName, []byte(name)), content...)
	return &discoveryv3.Resource{
		Name: name, Version: strconv.FormatUint(model.HashBody(body), 16),
		Resource: &anypb.Any{TypeUrl: model.TypeSecret.TypeURL(), Value: body},
	}
}

func inline(data []byte) []byte { return message(dataSourceInlineData, data) }

// message is a field with a length: a message, bytes or a string.
func message(field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), content)
}
