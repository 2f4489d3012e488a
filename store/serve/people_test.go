package serve_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft.dev/store/serve"
)

const decision = `
apiVersion: weft.dev/v1alpha1
kind: Decision
metadata: {name: NAME}
spec: {run: ship-1, runUID: "1", verb: judge, stage: ask, attempt: 1, choice: continue}
`

const pipelineRun = `
apiVersion: weft.dev/v1alpha1
kind: PipelineRun
metadata: {name: NAME}
spec: {pipeline: ship, trigger: {type: manual}}
`

// signedBy is the text with another name, and these fields in its spec.
func signedBy(text, name, fields string) string {
	text = strings.Replace(text, "NAME", name, 1)
	if fields == "" {
		return text
	}
	return strings.NewReplacer("type: manual", "type: manual, "+fields, "run: ship-1", "run: ship-1, "+fields).Replace(text)
}

// newPerson is kubectl in the hands of somebody who is no administrator.
func newPerson(t *testing.T, s *serve.Server, name string, groups ...string) kubectl {
	t.Helper()
	text, err := serve.Person(filepath.Dir(s.Kubeconfig()), name, groups, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return newKubectl(t, path)
}

// What a person writes says who wrote it, whatever it said.
func testPeople(t *testing.T, admin kubectl, ns string, s *serve.Server) {
	bob := newPerson(t, s, "bob", "qa", "ops")
	for kind, text := range map[string]string{"decision": decision, "pipelinerun": pipelineRun} {
		path := map[string]string{"decision": ".spec", "pipelinerun": ".spec.trigger"}[kind]
		signature := " -o jsonpath={" + path + ".by}/{" + path + ".groups}"
		bob.ok(t, signedBy(text, "own", ""), ns+"create -f -", "created")
		bob.ok(t, "", ns+"get "+kind+" own"+signature, `bob/["qa","ops"]`)
		bob.ok(t, signedBy(text, "said", "by: bob, groups: [qa, ops]"), ns+"create -f -", "created")
		admin.ok(t, signedBy(text, "applied", ""), ns+"apply --server-side -f -", "applied")
		admin.ok(t, "", ns+"get "+kind+" applied"+signature, `admin/["system:masters"]`)

		bob.refused(t, signedBy(text, "forged", "by: alice"), ns+"create -f -", "Forbidden", `who asks is "bob"`)
		bob.refused(t, signedBy(text, "groups", "groups: [leads]"), ns+"create -f -", "Forbidden", "those of bob")
		admin.refused(t, signedBy(text, "admins", "by: bob"), ns+"create -f -", "Forbidden", `who asks is "admin"`)
		admin.refused(t, signedBy(text, "as", ""), ns+"create --as bob --validate=false -f -", "Forbidden", "another's name")
		admin.refused(t, "", ns+"patch "+kind+" own --type=merge -p {\"spec\":"+map[string]string{
			"decision": `{"by":"alice"}`, "pipelinerun": `{"trigger":{"by":"alice"}}`}[kind]+"}", "Forbidden", `who asks is "bob"`)
		bob.refused(t, "", ns+"delete "+kind+" own", "Forbidden", "ask an administrator")
		bob.refused(t, "", ns+"label "+kind+" own a=b", "Forbidden")
		bob.refused(t, "", ns+"patch "+kind+" own --subresource=status --type=merge -p {\"status\":{\"accepted\":true}}", "Forbidden")
	}
	bob.ok(t, "", ns+"get pipelines,releases,applications", "No resources found")
	bob.ok(t, "", ns+"get services,httproutes", "No resources found")
	bob.ok(t, "{}", "create --raw /weft/v1/previews -f -", "extra /weft/v1/previews for bob of [qa ops]")
	bob.ok(t, "{}", "create --raw /weft/v1/tap -f -", "extra /weft/v1/tap for bob of [qa ops]")
	bob.ok(t, "{}", "create --raw /weft/metrics/api/v1/query -f -", "extra /weft/metrics/api/v1/query for bob of [qa ops]")
	bob.refused(t, "{}", "create --raw /weft/v1/debug/log -f -", "Forbidden", "ask an administrator")
	bob.refused(t, "{}", "create --raw /weft/v1/tokens -f -", "Forbidden", "ask an administrator")
	bob.refused(t, "", ns+"get secrets", "Forbidden")
	bob.refused(t, "", ns+"get configmaps", "Forbidden")
	bob.refused(t, split, ns+"create -f -", "Forbidden")
	bob.refused(t, "", "get customresourcedefinitions", "Forbidden")
}

func testPersonNames(t *testing.T, s *serve.Server) {
	dir := filepath.Dir(s.Kubeconfig())
	for _, name := range []string{"", "admin", "weft", "system:apiserver", "weft:people", "two words", "x\x00", strings.Repeat("x", 65)} {
		if _, err := serve.Person(dir, name, nil, time.Hour); err == nil {
			t.Errorf("person %q", name)
		}
		if _, err := serve.Person(dir, "bob", []string{name}, time.Hour); err == nil {
			t.Errorf("group %q", name)
		}
	}
	if _, err := serve.Person(t.TempDir(), "bob", nil, time.Hour); err == nil || !strings.Contains(err.Error(), "no server serves") {
		t.Errorf("a directory without server: %v", err)
	}
}
