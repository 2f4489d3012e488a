package inject_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"weft.dev/install/inject"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

const options = `
image: weft-proxy:test
revision: default
server: weft.weft-system.svc:7444
resources: {requests: {cpu: 50m, memory: 96Mi}, limits: {memory: 1Gi}}
`

// TestGolden: a pod, and what is changed of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			whole := strings.Contains(string(archive.Comment), "whole")
			got := changes(t, archive.Files[0].Data, whole)
			if *update {
				archive.Files = []txtar.File{archive.Files[0], {Name: "changes", Data: got}}
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if len(archive.Files) < 2 || !bytes.Equal(archive.Files[1].Data, got) {
				t.Errorf("%s\ngot\n%s\n(-update rewrites)", archive.Comment, got)
			}
		})
	}
}

// TestNetRaw: the capability that iptables needs is given to who asks for it, and to no other.
func TestNetRaw(t *testing.T) {
	for text, want := range map[string]bool{options: false, options + "iptables: true": true} {
		o, err := inject.ReadOptions([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		result, err := inject.Inject(&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}, o, "ROOTS")
		if err != nil {
			t.Fatal(err)
		}
		patch, err := json.Marshal(result.Patch)
		if got := strings.Contains(string(patch), "NET_RAW"); got != want || err != nil {
			t.Errorf("with%s: NET_RAW %v, %v; want %v", text, got, err, want)
		}
	}
}

func changes(t *testing.T, text []byte, whole bool) []byte {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(text, &pod); err != nil {
		t.Fatal(err)
	}
	o, err := inject.ReadOptions([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	result, err := inject.Inject(&pod, o, "ROOTS")
	if err != nil {
		t.Fatal(err)
	}
	checkApplies(t, text, result.Patch)
	var b bytes.Buffer
	if result.WhyNot != "" {
		fmt.Fprintf(&b, "not injected: %s\n", result.WhyNot)
	}
	for _, op := range result.Patch {
		fmt.Fprintf(&b, "%s %s%s\n", op.Op, op.Path, shown(t, op.Value, whole))
	}
	return b.Bytes()
}

// checkApplies: the patch is one that an API server can apply.
func checkApplies(t *testing.T, text []byte, operations []inject.Operation) {
	t.Helper()
	pod, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(pod)
	if err != nil {
		t.Fatalf("the patch does not apply: %v\n%s", err, raw)
	}
	if err := yaml.UnmarshalStrict(patched, new(corev1.Pod)); err != nil {
		t.Fatalf("patched, it is no pod: %v\n%s", err, patched)
	}
}

// shown is a value: whole, or of a container what differs from pod to pod.
func shown(t *testing.T, value json.RawMessage, whole bool) string {
	t.Helper()
	var containers []corev1.Container
	if whole && len(value) > 100 {
		text, err := yaml.JSONToYAML(value)
		if err != nil {
			t.Fatal(err)
		}
		return "\n  " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n  ")
	}
	var c corev1.Container
	if json.Unmarshal(value, &containers) != nil && json.Unmarshal(value, &c) == nil && c.Image != "" {
		containers = []corev1.Container{c}
	}
	var b strings.Builder
	for _, c := range containers {
		if c.Image == "" {
			return " ..."
		}
		requests, _ := json.Marshal(c.Resources)
		fmt.Fprintf(&b, "\n  %s %s %s", c.Name, strings.Join(c.Args, " "), requests)
		for _, p := range c.Ports {
			fmt.Fprintf(&b, "\n    port %d %s", p.ContainerPort, p.Name)
		}
		for _, e := range c.Env {
			if e.Name == "WEFT_PROBES" {
				b.WriteString("\n    " + e.Value)
			}
		}
	}
	if len(containers) == 0 && len(value) > 0 {
		return " " + string(value)
	}
	return b.String()
}

// ask sends a review to a webhook.
func ask(t *testing.T, h inject.Webhook, review any) (*httptest.ResponseRecorder, *admissionv1.AdmissionResponse) {
	t.Helper()
	body, err := json.Marshal(review)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, inject.Path, bytes.NewReader(body)))
	var answer admissionv1.AdmissionReview
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.APIVersion != "admission.k8s.io/v1" || answer.Kind != "AdmissionReview" || answer.Response.UID != "u" {
			t.Errorf("answer %s", w.Body)
		}
	}
	return w, answer.Response
}

func reviewOf(kind, object string) admissionv1.AdmissionReview {
	return admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  &admissionv1.AdmissionRequest{UID: "u", Kind: metav1.GroupVersionKind{Kind: kind}, Object: runtime.RawExtension{Raw: []byte(object)}},
	}
}

func TestWebhook(t *testing.T) {
	o, err := inject.ReadOptions([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	h := inject.Webhook{Options: o, Roots: func() string { return "ROOTS" }, Log: slog.New(slog.DiscardHandler)}
	pod := `{"metadata":{"generateName":"web-"},"spec":{"containers":[{"name":"web","image":"web"}],"futureField":1}}`
	if _, a := ask(t, h, reviewOf("Pod", pod)); !a.Allowed || *a.PatchType != "JSONPatch" || !bytes.Contains(a.Patch, []byte("weft-proxy")) || bytes.Contains(a.Patch, []byte("futureField")) {
		t.Errorf("a pod: %+v", a)
	}
	host := `{"spec":{"hostNetwork":true,"containers":[{"name":"web","image":"web"}]}}`
	if _, a := ask(t, h, reviewOf("Pod", host)); !a.Allowed || len(a.Warnings) != 1 || bytes.Contains(a.Patch, []byte("weft-proxy")) {
		t.Errorf("a pod of the host's network: %+v", a)
	}
	for _, wrong := range []admissionv1.AdmissionReview{reviewOf("Pod", `"text"`), reviewOf("Job", pod)} {
		if _, a := ask(t, h, wrong); !a.Allowed || len(a.Warnings) != 1 || a.Patch != nil {
			t.Errorf("what is no pod: %+v", a)
		}
		closed := h
		closed.Options.FailClosed = true
		if _, a := ask(t, closed, wrong); a.Allowed || a.Result.Message == "" {
			t.Errorf("what is no pod, failing closed: %+v", a)
		}
	}
	for _, wrong := range []any{"text", admissionv1.AdmissionReview{}, strings.Repeat("x", 5<<20)} {
		if w, _ := ask(t, h, wrong); w.Code != http.StatusBadRequest {
			t.Errorf("what is no review: %d", w.Code)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, wrong := range []string{"image: x", "imagee: x", "{"} {
		if _, err := inject.ReadOptions([]byte(wrong)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
