package translate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
)

// Only what proxies take becomes a certificate, and the rest says why not.
func TestSecrets(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	good, key := pair(t, p256)
	_, other := pair(t, long)
	for _, c := range []struct {
		name string
		data map[string][]byte
		want string // part of the problem; "": it is a certificate
	}{
		{"good", tlsData(pair(t, p256)), ""},
		{"rsa", tlsData(pair(t, long)), ""},
		{"short", tlsData(pair(t, short)), "RSA key of 1024 bits"},
		{"curve", tlsData(pair(t, p224)), "which proxies refuse"},
		{"ed25519", tlsData(pair(t, ed)), "kind Ed25519, which proxies refuse"},
		{"other", tlsData(good, other), "no PEM key of the certificate"},
		{"swapped", tlsData(key, good), "holds no PEM certificate"},
		{"empty", map[string][]byte{}, "has 0 bytes"},
		{"ca", map[string][]byte{"tls.crt": good, "tls.key": key, "ca.crt": []byte("x")}, "data[ca.crt]"},
	} {
		m := newMesh()
		m.set(secret(t, c.name, corev1.SecretTypeTLS, c.data))
		got, ok := m.Certificates.Get("shop/" + c.name)
		said := strings.Join(problemLines(m), "")
		if !ok || (got.Invalid == "") != (c.want == "") || !strings.Contains(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%s: %v %q, problems %q, want %q", c.name, ok, got.Invalid, said, c.want)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v %s", got, got, got, got.PrivateKey), "PRIVATE KEY") || strings.Contains(said, "PRIVATE KEY") {
			t.Errorf("%s: the key shows", c.name)
		}
		if text, _ := json.Marshal(got); strings.Contains(string(text), "PRIVATE KEY") {
			t.Errorf("%s: the key shows in %s", c.name, text)
		}
	}
}

// A Secret of something else is nobody's business.
func TestOtherSecrets(t *testing.T) {
	m := newMesh()
	m.set(secret(t, "password", corev1.SecretTypeOpaque, map[string][]byte{"password": []byte("x")}))
	if all := m.Certificates.All(); len(all)+len(problemLines(m)) > 0 {
		t.Errorf("%v, %v", all, problemLines(m))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func problemLines(m mesh) (all []string) {
	for _, p := range m.Problems.All() {
		all = append(all, line(p))
	}
	return all
}

func tlsData(chain, key []byte) map[string][]byte {
	return map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}
}

func pair(t *testing.T, key crypto.Signer) (chain, pkcs8 []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func secret(t *testing.T, name string, kind corev1.SecretType, data map[string][]byte) api.Object {
	t.Helper()
	body, err := json.Marshal(corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Type: kind, Data: data,
	})
	must(t, err)
	o, err := api.Decode(body)
	must(t, err)
	return o
}

// A Secret for registries is one, or says why not; and no print of it shows what is in it.
func TestPullSecrets(t *testing.T) {
	for text, want := range map[string]string{
		`{"auths":{"images.example":{"auth":"dTpzZXNhbWU="}}}`: "",
		`{"auths":{}}`: "no JSON with auths",
		`dTpzZXNhbWU=`: "no JSON with auths",
		"":             "has 0 bytes",
	} {
		m := newMesh()
		m.set(secret(t, "mine", corev1.SecretTypeDockerConfigJson, map[string][]byte{corev1.DockerConfigJsonKey: []byte(text)}))
		got, ok := m.PullSecrets.Get("shop/mine")
		said := strings.Join(problemLines(m), "")
		if ok != (want == "") || !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("%s: %v, problems %q, want %q", text, ok, said, want)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %s", got, got, got.Config)+said, "dTpzZXNhbWU") {
			t.Errorf("%s is shown", text)
		}
	}
}

func configMap(t *testing.T, name string, data map[string]string) api.Object {
	t.Helper()
	body, err := json.Marshal(corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: data,
	})
	must(t, err)
	o, err := api.Decode(body)
	must(t, err)
	return o
}
