package notify

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// relay is a server of SMTP that takes one mail a connection.
type relay struct {
	net.Listener
	encrypts *tls.Config // nil: it offers no encryption
	refuses  string      // a command, by 550
	said     chan string // what it was told in the end: the password's line, and each mail
}

func newRelay(t *testing.T, encrypts *tls.Config) *relay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{Listener: l, encrypts: encrypts, said: make(chan string, 10)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.serve(c)
		}
	}()
	return r
}

func (r *relay) serve(c net.Conn) {
	defer func() { c.Close() }()
	text := textproto.NewConn(c)
	_ = text.PrintfLine("220 relay")
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(line, " ")
		switch {
		case verb == r.refuses:
			_ = text.PrintfLine("550 not here")
		case verb == "EHLO" && r.encrypts != nil:
			_ = text.PrintfLine("250-relay\r\n250-AUTH PLAIN\r\n250 STARTTLS")
		case verb == "STARTTLS":
			_ = text.PrintfLine("220 go")
			c = tls.Server(c, r.encrypts)
			text = textproto.NewConn(c)
		case verb == "AUTH":
			r.said <- line
			_ = text.PrintfLine("235 in")
		case verb == "DATA":
			_ = text.PrintfLine("354 go")
			body, _ := text.ReadDotBytes()
			r.said <- string(body)
			_ = text.PrintfLine("250 taken")
		default:
			_ = text.PrintfLine("250 ok")
		}
	}
}

// certified is a certificate of 127.0.0.1, for both sides.
func certified(t *testing.T) (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

func mailBy(r *relay) Mail {
	return Mail{
		Connect: (&net.Dialer{}).DialContext, Server: r.Addr().String(), From: "weft <weft@example.com>", To: []string{"a@example.com", "b@example.com"},
		Now: func() time.Time { return time.Unix(1e9, 0).UTC() },
	}
}

func TestMailsAreOneThread(t *testing.T) {
	r := newRelay(t, nil)
	way := mailBy(r)
	first, err := way.Send(t.Context(), message, "")
	if err != nil {
		t.Fatal(err)
	}
	began, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(<-r.said)))
	if err != nil || began.Header.Get("Message-ID") != first || began.Header.Get("Subject") != message.Title || began.Header.Get("In-Reply-To") != "" {
		t.Fatalf("%v: %v", err, began)
	}
	later := message
	later.Occasion, later.Title = "Succeeded", "ship-1\r\nBcc: all@example.com: ✓"
	if handle, err := way.Send(t.Context(), later, first); err != nil || handle != first {
		t.Fatalf("%q %v", handle, err)
	}
	answer, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(<-r.said)))
	if err != nil || answer.Header.Get("In-Reply-To") != first || answer.Header.Get("Message-ID") == first || answer.Header.Get("Bcc") != "" {
		t.Errorf("%v: %v", err, answer)
	}
}

func TestPasswordNeedsEncryption(t *testing.T) {
	server, client := certified(t)
	for _, test := range []struct {
		offers *tls.Config
		trusts *tls.Config
		want   string // in the error; "": it goes
	}{{server, client, ""}, {nil, client, "no encryption"}, {server, nil, "certificate"}} {
		r := newRelay(t, test.offers)
		way := mailBy(r)
		way.Username, way.Password, way.TLS = "weft", "canary", test.trusts
		_, err := way.Send(t.Context(), message, "")
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", test.want, err)
		}
		if test.want != "" && len(r.said) > 0 {
			t.Errorf("%s: the server was told %q", test.want, <-r.said)
		}
	}
}

func TestMailRefused(t *testing.T) {
	r := newRelay(t, nil)
	r.refuses = "RCPT"
	if _, err := mailBy(r).Send(t.Context(), message, ""); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), fmt.Sprint(r.Addr())) {
		t.Errorf("%v", err)
	}
	way := mailBy(r)
	r.Close()
	if _, err := way.Send(t.Context(), message, ""); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a server that is away: %v", err)
	}
}
