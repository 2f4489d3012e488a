package inject

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Path is where the API server asks.
const Path = "/inject"

// maxReview is what the API server lets a pod be, and its review around it.
const maxReview = 4 << 20

// Webhook answers the API server whenever a pod is made.
type Webhook struct {
	Options Options
	Roots   func() string // PEM, as of now
	Log     *slog.Logger
}

func (h Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	Review(w, r, h.answer)
}

// Review answers one question of the API server, whatever it is about.
func Review(w http.ResponseWriter, r *http.Request, answer func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(io.LimitReader(r.Body, maxReview)).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "a review of admission.k8s.io/v1 is needed", http.StatusBadRequest)
		return
	}
	response := answer(review.Request)
	response.UID = review.Request.UID
	w.Header().Set("Content-Type", "application/json")
	// What does not arrive is the API server's to ask again.
	_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response})
}

// answer allows everything, unless it is asked not to.
func (h Webhook) answer(q *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	var pod corev1.Pod
	if q.Kind.Kind != "Pod" {
		return h.failed(q, fmt.Errorf("a %s is no pod: let the webhook's rules name pods only", q.Kind.Kind))
	}
	if err := json.Unmarshal(q.Object.Raw, &pod); err != nil {
		return h.failed(q, err)
	}
	result, err := Inject(&pod, h.Options, h.Roots())
	if err != nil {
		return h.failed(q, err)
	}
	answer := &admissionv1.AdmissionResponse{Allowed: true}
	if result.WhyNot != "" {
		answer.Warnings = []string{"weft: the pod gets no proxy: " + result.WhyNot}
	}
	if len(result.Patch) == 0 {
		return answer
	}
	patch, err := json.Marshal(result.Patch)
	if err != nil {
		return h.failed(q, err)
	}
	kind := admissionv1.PatchTypeJSONPatch
	answer.Patch, answer.PatchType = patch, &kind
	return answer
}

func (h Webhook) failed(q *admissionv1.AdmissionRequest, err error) *admissionv1.AdmissionResponse {
	text := "weft: the pod gets no proxy: " + err.Error()
	h.Log.Error("a pod gets no proxy", "namespace", q.Namespace, "name", q.Name, "why", err)
	if h.Options.FailClosed {
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{Message: text, Code: http.StatusInternalServerError}}
	}
	return &admissionv1.AdmissionResponse{Allowed: true, Warnings: []string{text}}
}
