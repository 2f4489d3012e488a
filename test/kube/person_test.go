package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/test/process"
)

// asking is a pipeline that asks a person, and who may answer as far as the API server is concerned: editors of the namespace.
const asking = `
apiVersion: weft.dev/v1alpha1
kind: Pipeline
metadata: {name: ask}
spec:
  stages: [{name: ask, judgment: {roles: [qa]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: people}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: Group, name: qa, apiGroup: rbac.authorization.k8s.io}, {kind: Group, name: dev, apiGroup: rbac.authorization.k8s.io}]
`

// forged is a judgment that says that somebody else gave it.
const forged = `
apiVersion: weft.dev/v1alpha1
kind: Decision
metadata: {name: forged}
spec: {run: ask-1, runUID: %s, verb: judge, stage: ask, attempt: 1, choice: continue, by: bob, groups: [qa]}
`

// TestJudgment: a run goes on by the word of a person who is in the group, and by nobody's who says that he is that
// person. The audit of the cluster knows it.
func TestJudgment(t *testing.T) {
	Mesh(t)
	namespace, dir := Namespace(t, "judgment"), t.TempDir()
	Apply(t, namespace, asking)
	bob, eve := person(t, "bob", "qa"), person(t, "eve", "dev")
	weft(t, dir, "pipeline", "run", "ask", "-n", namespace, "--name", "ask-1")
	phase := func(want string) {
		t.Helper()
		err := process.Until(Patience, func() error {
			run, err := Try("", "get", "pipelinerun", "ask-1", "-n", namespace, "-o", "jsonpath={.status.phase} {.status.why} {.status.stages}")
			if err == nil && !strings.HasPrefix(run, want+" ") {
				err = fmt.Errorf("the run is %s, want %s", run, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	phase("Asking")
	uid := Kubectl(t, "get", "pipelinerun", "ask-1", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
	if said, err := Try(fmt.Sprintf(forged, uid), "--kubeconfig", eve, "create", "-n", namespace, "-f", "-"); err == nil || !strings.Contains(err.Error(), "spec.by must be eve") {
		t.Errorf("eve signs as bob: %s %v", said, err)
	}
	if said, err := tryWeft(dir, "--kubeconfig", eve, "approve", "ask-1", "-n", namespace); err == nil || !strings.Contains(err.Error(), "qa") {
		t.Errorf("eve, who is in no group that is asked: %s %v", said, err)
	}
	phase("Asking")
	weft(t, dir, "--kubeconfig", bob, "approve", "ask-1", "-n", namespace)
	phase("Succeeded")
	judged := Kubectl(t, "get", "decisions", "-n", namespace, "-o", `jsonpath={.items[?(@.spec.by=="bob")].metadata.uid}`)
	err := process.Until(Patience, func() error {
		said, err := tryWeft(dir, "audit", "list", "--cluster", "-o", "json")
		if err == nil && (judged == "" || !strings.Contains(said, judged)) {
			err = fmt.Errorf("the audit has no judgment %q of bob: %s", judged, said)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	weft(t, dir, "audit", "verify", "--cluster")
}

// request asks the API server for the certificate of a person.
const request = `
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: %s}
spec: {signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], expirationSeconds: 3600, request: %s}
`

// person gives the kubeconfig of somebody in a group.
func person(t *testing.T, name, group string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name, Organization: []string{group}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	Kubectl(t, "delete", "csr", name, "--ignore-not-found") // of a run that was killed
	t.Cleanup(func() { _, _ = Try("", "delete", "csr", name) })
	Apply(t, "default", fmt.Sprintf(request, name, base64.StdEncoding.EncodeToString(block("CERTIFICATE REQUEST", asked))))
	Kubectl(t, "certificate", "approve", name)
	Kubectl(t, "wait", "csr", name, "--for=jsonpath={.status.certificate}", "--timeout", Patience.String())
	signed, err := base64.StdEncoding.DecodeString(Kubectl(t, "get", "csr", name, "-o", "jsonpath={.status.certificate}"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"crt": signed, "key": block("PRIVATE KEY", secret)}
	if files["kubeconfig"], err = os.ReadFile(os.Getenv("KUBECONFIG")); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), name)
	for kind, data := range files {
		if err := os.WriteFile(at+"."+kind, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := []string{"--kubeconfig", at + ".kubeconfig", "config"}
	Kubectl(t, append(config, "set-credentials", name, "--client-certificate", at+".crt", "--client-key", at+".key", "--embed-certs")...)
	Kubectl(t, append(config, "set-context", "--current", "--user", name)...)
	return at + ".kubeconfig"
}
