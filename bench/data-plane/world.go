package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"weft.dev/identity"
	"weft.dev/model"
)

// Paths at which what is called, or who is asked, does something else than to answer.
const (
	slow    = "/slow"
	fails   = "/fails"
	refused = "/refused" // by whoever limits or permits; what is called answers
)

// world is what every Envoy has around it.
type world struct {
	plain, backend, guard int // ports
	secrets               list
	signer                *signer
	module                string // code of examples/plugin
	request               string // of a run
	listeners             []net.Listener
}

// places are where one Envoy finds what.
type places struct {
	listen                       int
	plain, backend, guard, agent int // what it calls in plain text, by mTLS, who is asked, its agent
	secrets                      list
	keys                         string // of tokens: a JWKS
	limits                       *limits
	module                       string // code of plugins
}

func newWorld(dir string) (*world, error) {
	ca, err := identity.OpenCA(identity.Dir(dir), trustDomain, time.Now)
	if err != nil {
		return nil, err
	}
	w := &world{}
	if w.signer, err = newSigner(); err != nil {
		return nil, err
	}
	if w.module, err = builtPlugin(dir); err != nil {
		return nil, err
	}
	token, err := w.signer.token()
	if err != nil {
		return nil, err
	}
	w.request = "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nX-Tenant: one\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	gateway, err := credential(ca, "edge")
	if err != nil {
		return nil, err
	}
	if w.secrets, err = secrets(gateway); err != nil {
		return nil, err
	}
	return w, w.serveAll(ca)
}

// builtPlugin is the code of examples/plugin.
func builtPlugin(dir string) (string, error) {
	file := filepath.Join(dir, "plugin.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags", "-s -w", "-o", file, "weft.dev/examples/plugin")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build of the plugin: %w\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	return string(code), err
}

func (w *world) serveAll(ca *identity.CA) (err error) {
	if w.plain, err = w.serve(http.HandlerFunc(answer), nil); err != nil {
		return err
	}
	for _, s := range []struct {
		port    *int
		account string
		handler http.Handler
	}{{&w.backend, "api", http.HandlerFunc(answer)}, {&w.guard, "guard", newGuard()}} {
		c, err := credential(ca, s.account)
		if err != nil {
			return err
		}
		if *s.port, err = w.serve(s.handler, c); err != nil {
			return err
		}
	}
	return nil
}

// places are those of one more Envoy, which gets an agent of its own.
func (w *world) places() (places, *agent, error) {
	listen, err := freePort()
	if err != nil {
		return places{}, nil, err
	}
	agent, err := newAgent()
	if err != nil {
		return places{}, nil, err
	}
	return places{
		listen: listen, plain: w.plain, backend: w.backend, guard: w.guard, agent: agent.port,
		secrets: w.secrets, keys: w.signer.keys(), limits: &agent.limits, module: w.module,
	}, agent, nil
}

func (w *world) close() {
	for _, l := range w.listeners {
		_ = l.Close()
	}
}

// answer is what services do.
func answer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case slow:
		select {
		case <-time.After(5 * time.Second):
		case <-r.Context().Done():
		}
	case fails:
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, "ok")
}

// serve is the port of a server: in plain text, or as a proxy of the mesh that has the credential.
func (w *world) serve(h http.Handler, c *identity.Credential) (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	w.listeners = append(w.listeners, l)
	server := &http.Server{Handler: h}
	go func() { // until the listener is closed
		if c == nil {
			_ = server.Serve(l)
			return
		}
		server.TLSConfig = serverTLS(c)
		_ = server.ServeTLS(l, "", "")
	}()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func serverTLS(c *identity.Credential) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.RootsPEM())
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			key, err := c.KeyPEM()
			if err != nil {
				return nil, err
			}
			pair, err := tls.X509KeyPair(c.ChainPEM(), key)
			return &pair, err
		},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, NextProtos: []string{"h2", "http/1.1"},
	}
}

// credential is that of an account of the namespace shop.
func credential(ca *identity.CA, account string) (*identity.Credential, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	reply, err := identity.Authority{CA: ca}.Attest(key.CSR, "shop", account)
	if err != nil {
		return nil, err
	}
	return key.Certified(reply.CertificateReply, reply.TrustDomain)
}

// secrets are what an agent delivers of a credential.
func secrets(c *identity.Credential) (list, error) {
	key, err := c.KeyPEM()
	if err != nil {
		return nil, err
	}
	inline := func(text []byte) object { return object{"inline_string": string(text)} }
	return list{
		object{"name": model.SecretWorkload, "tls_certificate": object{"certificate_chain": inline(c.ChainPEM()), "private_key": inline(key)}},
		object{"name": model.SecretRoots, "validation_context": object{"trusted_ca": inline(c.RootsPEM())}},
	}, nil
}
