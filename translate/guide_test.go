package translate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What guides show of policies has its whole effect, where the services are that it names.
func TestGuides(t *testing.T) {
	services := `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: top-cache, namespace: shop}
spec: {selector: {app: top-cache}, ports: [{port: 9080, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: payments, namespace: shop}
spec: {selector: {app: payments}, ports: [{port: 443, name: https}]}
`
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	chain, key := pair(t, p256)
	var given []api.Object
	for _, name := range []string{"partners-ca", "payments-ca"} {
		given = append(given, configMap(t, name, map[string]string{"ca.crt": string(chain)}))
	}
	for _, name := range []string{"front-client", "shop-cert"} {
		given = append(given, secret(t, name, corev1.SecretTypeTLS, tlsData(chain, key)))
	}
	for _, name := range []string{"ingress", "plugins", "protocols", "resilience"} {
		page, err := os.ReadFile("../docs/guides/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		blocks := yamlBlock.FindAllSubmatch(page, -1)
		if len(blocks) == 0 {
			t.Errorf("%s: no YAML", name)
		}
		for _, block := range blocks {
			m := newMesh()
			m.set(given...)
			m.set(parse(t, services+"---\n"+string(block[1]))...)
			for _, p := range m.Problems.All() {
				t.Errorf("%s: %s", name, line(p))
			}
		}
	}
}
