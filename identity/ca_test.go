package identity_test

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft.dev/identity"
	"weft.dev/model"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newAuthority(t *testing.T, dir string, c *clock) identity.Authority {
	t.Helper()
	ca, err := identity.OpenCA(identity.Dir(dir), "shop.test", c.now)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.OpenTokens(identity.Dir(dir), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Authority{CA: ca, Tokens: tokens}
}

func startClock() *clock { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func newKey(t *testing.T) identity.Key {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func join(t *testing.T, a identity.Authority, host string, grant identity.Grant) *x509.Certificate {
	t.Helper()
	token, err := a.NewToken(grant)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := a.Join(model.JoinRequest{Token: token, Host: host, CSR: newKey(t).CSR})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, reply.Chain[0])
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func verify(cert *x509.Certificate, roots [][]byte, now time.Time) error {
	pool := x509.NewCertPool()
	for _, der := range roots {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		pool.AddCert(root)
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

func TestWorkloadCertificate(t *testing.T) {
	c := startClock()
	a := newAuthority(t, t.TempDir(), c)
	host := join(t, a, "Web-1", identity.Grant{Namespaces: []string{"shop"}})
	reply, err := a.Renew(host, model.RenewRequest{Namespace: "shop", Account: "reviews", CSR: newKey(t).CSR})
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, reply.Chain[0])
	if got := cert.URIs[0].String(); got != "spiffe://shop.test/ns/shop/sa/reviews" {
		t.Errorf("identity %s", got)
	}
	if got := c.at.Sub(cert.NotBefore); got != 10*time.Minute {
		t.Errorf("backdated by %v", got)
	}
	if got := cert.NotAfter.Sub(c.at); got != identity.WorkloadLifetime {
		t.Errorf("ends after %v", got)
	}
	if cert.Subject.CommonName != "web-1" || len(cert.Subject.Organization) > 0 {
		t.Errorf("subject %v: want the host, and none of its grants", cert.Subject)
	}
	if err := verify(cert, reply.Roots, c.at.Add(-9*time.Minute)); err != nil {
		t.Errorf("a clock that is behind: %v", err)
	}
}

// P1: with half of the life left at renewal, or a little less, 24 hours pass without a server.
func TestADayWithoutServer(t *testing.T) {
	const late = time.Minute // twice what an agent lets pass after half of the life
	if left := identity.WorkloadLifetime/2 - late; left < 24*time.Hour {
		t.Errorf("%v are left when a certificate is renewed", left)
	}
}

func TestRenewRefuses(t *testing.T) {
	c := startClock()
	a := newAuthority(t, t.TempDir(), c)
	host := join(t, a, "web-1", identity.Grant{Namespaces: []string{"shop"}, Apps: []string{"reviews"}})
	reply, err := a.Renew(host, model.RenewRequest{Namespace: "shop", Account: "reviews", CSR: newKey(t).CSR})
	if err != nil {
		t.Fatal(err)
	}
	workload := parse(t, reply.Chain[0])
	stranger := newAuthority(t, t.TempDir(), c)
	foreign := join(t, stranger, "web-1", identity.Grant{Namespaces: []string{"*"}})
	bad := newKey(t).CSR
	bad[len(bad)-1] ^= 1
	for name, test := range map[string]struct {
		caller  *x509.Certificate
		request model.RenewRequest
	}{
		"another namespace":          {host, model.RenewRequest{Namespace: "pay", Account: "reviews"}},
		"another app":                {host, model.RenewRequest{Namespace: "shop", Account: "ratings"}},
		"a workload for another":     {workload, model.RenewRequest{Namespace: "shop", Account: "ratings"}},
		"a workload for a host":      {workload, model.RenewRequest{}},
		"a path as account":          {host, model.RenewRequest{Namespace: "shop", Account: "../host/web-1"}},
		"a changed request":          {host, model.RenewRequest{Namespace: "shop", Account: "reviews", CSR: bad}},
		"a request that is too long": {host, model.RenewRequest{Namespace: "shop", Account: "reviews", CSR: make([]byte, 1<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.request.CSR == nil {
				test.request.CSR = newKey(t).CSR
			}
			_, err := a.Renew(test.caller, test.request)
			if refusal := (*identity.Refusal)(nil); !errors.As(err, &refusal) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
	if verify(foreign, a.CA.Roots(), c.at) == nil {
		t.Error("a certificate of another authority is trusted")
	}
	c.advance(31 * 24 * time.Hour)
	if _, err := a.Renew(host, model.RenewRequest{CSR: newKey(t).CSR}); err == nil {
		t.Error("a host renewed with a certificate that had ended")
	}
}

// A rotation: at every moment everything that is valid is trusted by everyone
// who asked for roots within the last half life.
func TestRotationHasNoGap(t *testing.T) {
	c := startClock()
	dir := t.TempDir()
	a := newAuthority(t, dir, c)
	host := join(t, a, "web-1", identity.Grant{Namespaces: []string{"shop"}})
	type issued struct {
		cert  *x509.Certificate
		roots [][]byte
	}
	var held []issued
	rotations := map[int]bool{5: true, 60: true}
	signers := map[string]bool{}
	for step := range 120 {
		if rotations[step] {
			if err := a.CA.Rotate(identity.RotationLead); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			a = newAuthority(t, dir, c) // a restart changes nothing
		}
		reply, err := a.Renew(host, model.RenewRequest{Namespace: "shop", Account: "reviews", CSR: newKey(t).CSR})
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		renewed, err := a.Renew(host, model.RenewRequest{CSR: newKey(t).CSR})
		if err != nil {
			t.Fatal(err)
		}
		host = parse(t, renewed.Chain[0])
		next := issued{parse(t, reply.Chain[0]), reply.Roots}
		signers[string(next.cert.AuthorityKeyId)] = true
		held = append(held, next)
		for _, one := range held[max(0, len(held)-3):] { // 12 hours each: the last 24 hours
			for _, other := range held[max(0, len(held)-3):] {
				if err := verify(one.cert, other.roots, c.at); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
			}
		}
		c.advance(12 * time.Hour)
	}
	if len(signers) != 3 {
		t.Errorf("%d roots signed, want 3", len(signers))
	}
	if n := len(a.CA.Roots()); n > 3 {
		t.Errorf("%d roots are still trusted", n)
	}
}

func TestFilesAreSecret(t *testing.T) {
	c := startClock()
	dir := filepath.Join(t.TempDir(), "ca")
	a := newAuthority(t, dir, c)
	text, err := a.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("files %v, %v", entries, err)
	}
	secret := strings.Split(text, ".")[1]
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", entry.Name(), info.Mode(), err)
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil || strings.Contains(string(data), secret) {
			t.Errorf("%s holds the secret of a token (%v)", entry.Name(), err)
		}
	}
}

// A damaged authority is not replaced by a new one, and its keys stay out of the error.
func TestDamagedAuthority(t *testing.T) {
	c := startClock()
	dir := t.TempDir()
	newAuthority(t, dir, c)
	path := filepath.Join(dir, "ca.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{{}, whole[:len(whole)/2], []byte("[]")} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := identity.OpenCA(identity.Dir(dir), "shop.test", c.now)
		if err == nil || len(err.Error()) > 200 {
			t.Errorf("%d bytes: %v", len(damaged), err)
		}
	}
	if _, err := identity.OpenCA(identity.Dir(t.TempDir()), "Not A Domain", c.now); err == nil {
		t.Error("a trust domain with blanks is accepted")
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("spiffe://shop.test/ns/shop/sa/reviews")
	f.Add("spiffe://shop.test/host/web-1")
	f.Add("spiffe://shop.test/weft/server")
	f.Add("spiffe://shop.test/ns/shop/sa/%2e%2e")
	f.Fuzz(func(t *testing.T, id string) {
		name, err := identity.ParseName(id)
		if err == nil && name.String() != id {
			t.Errorf("%q is read as %q", id, name)
		}
	})
}
