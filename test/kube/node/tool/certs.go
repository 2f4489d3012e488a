package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// years is how long certificates of a test cluster hold.
const years = 10

// pair is a certificate with its key.
type pair struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
	keyPEM  []byte
}

// subject is who a certificate is for; names are hosts and addresses.
type subject struct {
	name, group string
	names       []string
}

// certs writes what a cluster's parts prove themselves with, and their kubeconfigs.
func certs(args []string) error {
	f := flag.NewFlagSet("certs", flag.ExitOnError)
	dir := f.String("dir", "", "folder to write to")
	server := f.String("server", "", "URL of the API server")
	node := f.String("node", "", "name of the node")
	nodeIP := f.String("node-ip", "", "its address")
	serviceIP := f.String("service-ip", "", "address of the Service kubernetes")
	if err := f.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	ca, err := newPair(subject{name: "kubernetes-ca"}, nil)
	if err != nil {
		return err
	}
	return errors.Join(
		ca.write(*dir, "ca"),
		frontProxy(*dir),
		ca.issue(*dir, "apiserver", subject{"kube-apiserver", "", []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1", *serviceIP, *nodeIP}}),
		ca.issue(*dir, "apiserver-kubelet-client", subject{"kube-apiserver-kubelet-client", "system:masters", nil}),
		ca.issue(*dir, "kubelet", subject{"system:node:" + *node, "system:nodes", []string{*node, *nodeIP, "127.0.0.1"}}),
		kubeconfigs(*dir, *server, *node, ca),
		accountKey(*dir),
	)
}

// frontProxy writes an authority of its own, for the API server's aggregation layer.
func frontProxy(dir string) error {
	ca, err := newPair(subject{name: "front-proxy-ca"}, nil)
	if err != nil {
		return err
	}
	return errors.Join(ca.write(dir, "front-proxy-ca"), ca.issue(dir, "front-proxy-client", subject{name: "front-proxy-client"}))
}

func kubeconfigs(dir, server, node string, ca *pair) error {
	var errs []error
	for file, who := range map[string]subject{
		"admin":              {name: "kubernetes-admin", group: "system:masters"},
		"controller-manager": {name: "system:kube-controller-manager"},
		"scheduler":          {name: "system:kube-scheduler"},
		"kubelet":            {name: "system:node:" + node, group: "system:nodes"},
		"kube-proxy":         {name: "system:kube-proxy"},
	} {
		errs = append(errs, kubeconfig(filepath.Join(dir, file+".kubeconfig"), server, ca, who))
	}
	return errors.Join(errs...)
}

func kubeconfig(file, server string, ca *pair, who subject) error {
	p, err := newPair(who, ca)
	if err != nil {
		return err
	}
	base64 := base64.StdEncoding.EncodeToString
	return os.WriteFile(file, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: weft-kube, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: user, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: weft-kube, context: {cluster: weft-kube, user: user}}]
current-context: weft-kube
`, server, base64(ca.certPEM), base64(p.certPEM), base64(p.keyPEM)), 0o600)
}

// accountKey writes the key that ServiceAccount tokens are signed with.
func accountKey(dir string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "sa.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600),
		os.WriteFile(filepath.Join(dir, "sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644))
}

// newPair makes a certificate that ca signs; without one it is an authority itself.
func newPair(who subject, ca *pair) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := template(who, ca == nil)
	if err != nil {
		return nil, err
	}
	parent, signer := cert, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &pair{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})}, nil
}

func template(who subject, isCA bool) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: who.name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(years, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true, IsCA: isCA,
	}
	if who.group != "" {
		cert.Subject.Organization = []string{who.group}
	}
	if isCA {
		cert.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	} else {
		cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, name := range who.names {
		if ip := net.ParseIP(name); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, name)
		}
	}
	return cert, nil
}

func (p *pair) write(dir, name string) error {
	return errors.Join(
		os.WriteFile(filepath.Join(dir, name+".crt"), p.certPEM, 0o644),
		os.WriteFile(filepath.Join(dir, name+".key"), p.keyPEM, 0o600))
}

// issue writes a certificate that p signs.
func (p *pair) issue(dir, name string, who subject) error {
	issued, err := newPair(who, p)
	if err != nil {
		return err
	}
	return issued.write(dir, name)
}
