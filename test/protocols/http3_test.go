package protocols

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"weft.dev/agent/envoy"
	"weft.dev/test/process"
)

// certificate of a host trusts itself.
func certificate(t *testing.T, host string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// secret is that of a certificate; who shows it is trusted where callers are asked.
func secret(t *testing.T, name string, c tls.Certificate) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	check(t, err)
	data := map[string]string{}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key}, "ca.crt": {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
	} {
		data[name] = base64.StdEncoding.EncodeToString(pem.EncodeToMemory(block))
	}
	return fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: %s}\ntype: kubernetes.io/tls\ndata: {tls.crt: %s, tls.key: %s, ca.crt: %s}\n",
		servers, name, data["tls.crt"], data["tls.key"], data["ca.crt"])
}

// browser is a client of a gateway by HTTP/3 alone, and counts its connections.
type browser struct {
	http.Client
	dials atomic.Int32
}

// browse calls what is at a port of loopback, whatever the host; shows are its own certificates.
func browse(t *testing.T, port int, trusts tls.Certificate, shows ...tls.Certificate) *browser {
	t.Helper()
	b, roots := &browser{}, x509.NewCertPool()
	roots.AddCert(trusts.Leaf)
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: shows},
		QUICConfig:      &quic.Config{HandshakeIdleTimeout: patience / 2, MaxIdleTimeout: 5 * time.Minute, KeepAlivePeriod: 5 * time.Second},
		Dial: func(ctx context.Context, _ string, config *tls.Config, q *quic.Config) (*quic.Conn, error) {
			b.dials.Add(1)
			return quic.DialAddrEarly(ctx, process.Loopback(port), config, q)
		},
	}
	t.Cleanup(func() { transport.Close() })
	b.Client = http.Client{Transport: transport, Timeout: patience}
	return b
}

const aGateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {namespace: data, name: quick, annotations: {weft.dev/http3: "true"}}
spec:
  selector: {gateway: quick}
  servers:
  - {port: {number: 443, name: open, protocol: HTTPS}, hosts: [open.example], tls: {mode: SIMPLE, credentialName: open}}
  - {port: {number: 443, name: closed, protocol: HTTPS}, hosts: [closed.example], tls: {mode: MUTUAL, credentialName: closed}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {namespace: data, name: slow}
spec:
  selector: {gateway: quick}
  servers:
  - {port: {number: 443, name: old, protocol: HTTPS}, hosts: [old.example], tls: {mode: SIMPLE, credentialName: old}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {namespace: data, name: quick}
spec:
  hosts: [open.example, closed.example, old.example]
  gateways: [quick, slow]
  http: [{route: [{destination: {host: pages}}]}]
`

// A gateway speaks HTTP/3 at the port at which it tells of it, with the routes, policies and callers' certificates of
// HTTPS, and to nobody who asks for a host of a listener that has none.
func TestHTTP3(t *testing.T) {
	t.Parallel()
	serve(t, "pages", "http", website(t), 80)
	port, err := process.FreePort()
	check(t, err)
	gateway := begin(t, servers, "quick", "--gateway", "quick", "--port", fmt.Sprintf("443:%d", port))
	open, closed, old := certificate(t, "open.example"), certificate(t, "closed.example"), certificate(t, "old.example")
	apply(t, secret(t, "open", open), secret(t, "closed", closed), secret(t, "old", old), "---\n"+aGateway)

	for host, want := range map[string]string{"open.example": `h3=":443"; ma=86400`, "old.example": ""} {
		until(t, func() error { return told(host, port, want) })
	}
	guest, member := browse(t, port, open), browse(t, port, closed, closed)
	for host, b := range map[string]*browser{"open.example": guest, "closed.example": member} {
		until(t, func() error { return b.gets("https://"+host+"/", http.StatusOK, host) })
		b.dials.Store(0)
	}
	if err := browse(t, port, closed).gets("https://closed.example/", http.StatusOK, ""); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("who shows no certificate gets %v", err)
	}
	if err := browse(t, port, old).gets("https://old.example/", http.StatusOK, ""); err == nil {
		t.Error("a host that has no HTTP/3 answers by it")
	}
	if err := guest.misdirected("old.example"); err != nil {
		t.Error(err)
	}

	apply(t, object("security.istio.io/v1", "AuthorizationPolicy", servers, "quick", `{selector: {matchLabels: {gateway: quick}}, action: DENY, rules: [{to: [{operation: {paths: ["/secret"]}}]}]}`))
	check(t, guest.gets("https://open.example/secret", http.StatusForbidden, "RBAC"))
	drained(t)
	for host, b := range map[string]*browser{"open.example": guest, "closed.example": member} {
		if err := b.gets("https://"+host+"/", http.StatusOK, host); err != nil || b.dials.Load() > 0 {
			t.Errorf("%s: %d connections more after a change of a policy, %v", host, b.dials.Load(), err)
		}
	}
	until(t, func() error { // by which a gateway that leaves knows that somebody is there
		n, err := envoy.NewAdmin(filepath.Join(gateway.dir, "admin.sock")).Connections(t.Context())
		if err == nil && n != 2 {
			err = fmt.Errorf("%d connections are counted, want 2", n)
		}
		return err
	})
	check(t, gateway.cmd.Process.Signal(syscall.SIGHUP)) // another Envoy takes over
	until(t, func() error {
		if err := guest.gets("https://open.example/", http.StatusOK, "open.example"); err != nil {
			t.Errorf("while another Envoy takes over: %v", err)
		}
		if guest.dials.Load() == 0 {
			return errors.New("the connection to the Envoy before lasts")
		}
		return nil
	})
}

// told says whether a host's answers by TCP tell of HTTP/3 so.
func told(host string, port int, want string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, process.Loopback(port))
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + host + "/")
	if err != nil {
		return err
	}
	response.Body.Close()
	if got := response.Header.Get("Alt-Svc"); response.StatusCode != http.StatusOK || got != want {
		return fmt.Errorf("%s: %s, alt-svc %q, want %q", host, response.Status, got, want)
	}
	return nil
}

// gets says whether a URL is answered so by HTTP/3.
func (b *browser) gets(url string, status int, body string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return b.does(request, status, body)
}

func (b *browser) does(request *http.Request, status int, body string) error {
	response, err := b.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.ProtoMajor != 3 || response.StatusCode != status || !strings.Contains(string(text), body) {
		return fmt.Errorf("%s: %s %s: %s, %w; want %d with %q", request.URL, response.Proto, response.Status, text, err, status, body)
	}
	return nil
}

// misdirected asks over the connection for one host for another, which other listeners serve: nothing answers.
func (b *browser) misdirected(host string) error {
	request, err := http.NewRequest(http.MethodGet, "https://open.example/", nil)
	if err != nil {
		return err
	}
	request.Host = host
	return b.does(request, http.StatusNotFound, "")
}
