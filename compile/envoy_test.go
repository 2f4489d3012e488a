package compile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"weft.dev/model"
	"weft.dev/test/envoytest"
)

// A real Envoy accepts every view of every golden. What xDS delivers is not
// seen by Envoy's validation, so the view is rendered as static configuration.
func TestEnvoyAccepts(t *testing.T) {
	binary := envoytest.Binary(t)
	for _, file := range goldens(t) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := newMesh()
		rows := parseRows(t, archive.Files[0].Data)
		rows.Modules = nil // theirs is no code that a machine could run
		m.set(rows)
		for _, v := range m.views() {
			t.Run(filepath.Base(file)+"/"+v.Scope, func(t *testing.T) { validate(t, binary, v) })
		}
	}
}

func validate(t testing.TB, binary string, v *model.View) {
	t.Helper()
	config := encodeJSON(t, staticBootstrapOf(t, v, standIns(t, v, newTestCA(t).secrets(t, "web"))))
	path := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "--mode", "validate", "-l", "warn", "-c", path).CombinedOutput()
	if err != nil {
		t.Fatalf("envoy refuses the view of %s: %v\n%s", v.Scope, err, out)
	}
	if strings.Contains(string(out), "eprecated") {
		t.Errorf("envoy will not take this for long:\n%s", out)
	}
}

// standIns adds secrets that Envoy can read for each certificate that the view's
// listeners and clusters name.
func standIns(t testing.TB, v *model.View, given []any) []any {
	t.Helper()
	all, named := slices.Clone(given), map[string]bool{}
	var naming []*model.Resource
	for _, kind := range []model.Type{model.TypeListener, model.TypeCluster} {
		naming = slices.AppendSeq(naming, v.All(kind))
	}
	for _, r := range naming {
		for _, found := range certificateNames.FindAllStringSubmatch(string(encodeJSON(t, jsonOf(t, r))), -1) {
			if named[found[1]] {
				continue
			}
			named[found[1]] = true
			like := given[0]
			if strings.HasSuffix(found[1], "/ca") {
				like = given[1]
			}
			one := maps.Clone(like.(map[string]any))
			one["name"] = found[1]
			all = append(all, one)
		}
	}
	return all
}

var certificateNames = regexp.MustCompile(`"name":"([^"]+/[^"]+)","sdsConfig"`)

func staticBootstrapOf(t testing.TB, v *model.View, secrets []any) map[string]any {
	t.Helper()
	bootstrap, err := Static(v, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return bootstrap
}

func encodeJSON(t testing.TB, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// testCA signs what a test's proxies show each other.
type testCA struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newTestCA(t testing.TB) testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return testCA{key, cert}
}

// secrets are a certificate of an account, and the roots that trust it.
func (ca testCA) secrets(t testing.TB, account string) []any {
	t.Helper()
	der, key := ca.sign(t, model.SPIFFE(testTrust, "shop", account))
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	inline := func(kind string, der []byte) map[string]any {
		return map[string]any{"inline_string": string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))}
	}
	roots := map[string]any{"trusted_ca": inline("CERTIFICATE", ca.cert.Raw)}
	return []any{
		map[string]any{"name": model.SecretWorkload, "tls_certificate": map[string]any{
			"certificate_chain": inline("CERTIFICATE", der), "private_key": inline("PRIVATE KEY", pkcs8),
		}},
		map[string]any{"name": model.SecretRoots, "validation_context": roots},
		map[string]any{"name": model.SecretSystemRoots, "validation_context": roots},
	}
}

// sign makes a certificate of an identity.
func (ca testCA) sign(t testing.TB, identity string) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := url.Parse(identity)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), URIs: []*url.URL{id}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err = x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}
