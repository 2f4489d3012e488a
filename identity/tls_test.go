package identity_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"weft.dev/identity"
	"weft.dev/model"
)

// handshake runs both ends over loopback and returns their errors.
func handshake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = conn.Write([]byte("x")) // TLS 1.3: the client learns of a refusal with the first byte
			conn.Close()
		}
		done <- err
	}()
	conn, clientErr := tls.Dial("tcp", listener.Addr().String(), client)
	if clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1))
		conn.Close()
	}
	return <-done, clientErr
}

func credential(t *testing.T, a identity.Authority) *identity.Credential {
	t.Helper()
	key := newKey(t)
	token, err := a.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := a.Join(model.JoinRequest{Token: token, Host: "web-1", CSR: key.CSR})
	if err != nil {
		t.Fatal(err)
	}
	held, err := key.Certified(reply.CertificateReply, reply.TrustDomain)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestMeshPortTLS(t *testing.T) {
	c := &clock{time.Now()}
	ours, theirs := newAuthority(t, t.TempDir(), c), newAuthority(t, t.TempDir(), c)
	mine, foreign := credential(t, ours), credential(t, theirs)
	server := ours.CA.ServerTLS()

	if s, err := handshake(t, server, identity.ClientTLS(func() *identity.Credential { return mine })); s != nil || err != nil {
		t.Errorf("our host at our server: %v, %v", s, err)
	}
	if _, err := handshake(t, server, identity.ClientTLS(func() *identity.Credential { return foreign })); err == nil {
		t.Error("a host trusts a server of another authority")
	}
	if s, _ := handshake(t, server, identity.ClientTLS(func() *identity.Credential { return foreign.WithRoots(mine.Roots) })); s == nil {
		t.Error("the server trusts a host of another authority")
	}
	// A workload that poses as the server to its neighbours is found out.
	cert := tls.Certificate{Certificate: mine.Chain}
	key, err := mine.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = tls.X509KeyPair(mine.ChainPEM(), key); err != nil {
		t.Fatal(err)
	}
	poser := &tls.Config{Certificates: []tls.Certificate{cert}}
	if _, err := handshake(t, poser, identity.ClientTLS(func() *identity.Credential { return mine })); err == nil || !strings.Contains(err.Error(), "where the server") {
		t.Errorf("a host that answers as the server: %v", err)
	}
}

func TestJoinPinsTheServer(t *testing.T) {
	c := &clock{time.Now()}
	ours, theirs := newAuthority(t, t.TempDir(), c), newAuthority(t, t.TempDir(), c)
	token, err := ours.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := identity.JoinTLS(token)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := handshake(t, ours.CA.ServerTLS(), client); s != nil || err != nil {
		t.Errorf("the server that made the token: %v, %v", s, err)
	}
	if _, err := handshake(t, theirs.CA.ServerTLS(), client); err == nil {
		t.Error("the token would be shown to another server")
	}
	// The pinned root does not go out of use while the token lives.
	if err := ours.CA.Rotate(0); err != nil {
		t.Fatal(err)
	}
	if s, err := handshake(t, ours.CA.ServerTLS(), client); s != nil || err != nil {
		t.Errorf("after a rotation: %v, %v", s, err)
	}
}

func TestCredentialSurvivesTheDisk(t *testing.T) {
	c := &clock{time.Now()}
	held := credential(t, newAuthority(t, t.TempDir(), c))
	dir := identity.Dir(t.TempDir())
	if err := held.Save(dir, "host.json"); err != nil {
		t.Fatal(err)
	}
	back, err := identity.LoadCredential(dir, "host.json")
	if err != nil {
		t.Fatal(err)
	}
	if name, err := back.Name(); err != nil || name.String() != "spiffe://shop.test/host/web-1" {
		t.Errorf("name %v, %v", name, err)
	}
	if left := back.Ends().Sub(back.RenewAt()); left != identity.HostLifetime/2 {
		t.Errorf("renewed %v before its end", left)
	}
	if err := dir.Write("host.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.LoadCredential(dir, "host.json"); err == nil {
		t.Error("half a file is a credential")
	}
}
