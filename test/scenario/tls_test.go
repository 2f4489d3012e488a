package scenario

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/test/process"
)

// certificate writes a Secret NAME with a new certificate of NUMBER for the
// hosts: `certificate NAME NUMBER HOST... [key=other] [revoked=yes]`. It trusts itself, and is
// what callers show that have its name. The file NAME.pem has it, too.
func (s *script) certificate(args []string) {
	set, hosts := settings(args[2:])
	number, ok := new(big.Int).SetString(args[1], 10)
	if !ok {
		s.ts.Fatalf("certificate NAME NUMBER HOST...")
	}
	key := s.key()
	template := &x509.Certificate{
		SerialNumber: number, DNSNames: hosts, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: number.Bytes(),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign, Subject: pkix.Name{CommonName: args[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	s.ts.Check(err)
	s.shown[args[0]] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if take(set, "key", "") == "other" {
		key = s.key()
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	s.ts.Check(err)
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	data := map[string][]byte{"tls.crt": chain, "ca.crt": chain, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})}
	if take(set, "revoked", "") != "" {
		data["ca.crl"] = s.revocation(der, key)
	}
	body, err := json.Marshal(corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Name: args[0]}, Type: corev1.SecretTypeTLS,
		Data: data,
	})
	s.ts.Check(err)
	s.ts.Check(os.WriteFile(s.ts.MkAbs(args[0]+".pem"), chain, 0o600))
	file := filepath.Join(shared.dir, s.namespace+"-secret.yaml")
	s.ts.Check(os.WriteFile(file, body, 0o600))
	s.apply([]string{file})
}

// revocation is the list by which a certificate takes itself back.
func (s *script) revocation(der []byte, key *ecdsa.PrivateKey) []byte {
	issuer, err := x509.ParseCertificate(der)
	s.ts.Check(err)
	list := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: issuer.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)}},
	}
	crl, err := x509.CreateRevocationList(rand.Reader, list, issuer, key)
	s.ts.Check(err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl})
}

func (s *script) key() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.ts.Check(err)
	return key
}

// encrypted is a client that takes any certificate, and shows one if it is named.
func (s *script) encrypted(w *workload, host, show string) *http.Client {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: host}
	if show != "" {
		config.Certificates = []tls.Certificate{s.shown[show]}
	}
	return &http.Client{Timeout: outside.Timeout, CheckRedirect: outside.CheckRedirect, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
}

// certificateOf is "HOSTS#NUMBER" of what the server showed.
func certificateOf(state *tls.ConnectionState) string {
	if state == nil {
		return ""
	}
	c := state.PeerCertificates[0]
	return fmt.Sprintf("%s#%s", strings.Join(c.DNSNames, " "), c.SerialNumber)
}

// held is a connection that stays open.
type held struct {
	client *http.Client
	url    string
	host   string
}

// hold opens a connection to a gateway, that is to live until the script's end.
func (s *script) hold(args []string) {
	w := s.workload(args[0])
	host := strings.TrimPrefix(args[1], "https://")
	s.kept = &held{s.encrypted(w, host, ""), "https://" + process.Loopback(w.appPort) + "/", host}
	s.until(func() error { _, err := s.kept.ask(); return err })
}

// still fails if the connection does not answer, or is another.
func (s *script) still([]string) {
	reused, err := s.kept.ask()
	s.ts.Check(err)
	if !reused {
		s.ts.Fatalf("the connection was closed")
	}
}

func (h *held) ask() (reused bool, err error) {
	request, err := http.NewRequest(http.MethodGet, h.url, nil)
	if err != nil {
		return false, err
	}
	request.Host = h.host
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }}
	response, err := h.client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		return reused, err
	}
	defer response.Body.Close()
	if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", h.host, response.Status)
	}
	return reused, err
}
