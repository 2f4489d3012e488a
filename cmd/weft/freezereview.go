package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/api"
	"weft.dev/install/inject"
	"weft.dev/release/pipeline"
	"weft.dev/store/serve"
)

// freezesPath is where a cluster's API server asks whether somebody may freeze, who may not freeze everything.
const freezesPath = "/freezes"

// freezeReview asks the rules of the embedded server. What cannot be judged is refused.
type freezeReview struct{ wishes wishes }

func (f freezeReview) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inject.Review(w, r, func(q *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		wish, err := wishOf(q)
		if err == nil {
			err = f.wishes.refuse(r.Context(), wish)
		}
		if err == nil {
			return &admissionv1.AdmissionResponse{Allowed: true}
		}
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{
			Message: fmt.Sprintf("freeze %s: %v", q.Name, err), Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden,
		}}
	})
}

// wishOf is what somebody asks for.
func wishOf(q *admissionv1.AdmissionRequest) (serve.Wish, error) {
	wish := serve.Wish{By: q.UserInfo.Username, Groups: q.UserInfo.Groups, Kind: api.Freeze}
	if q.Resource.Group != "weft.dev" || q.Resource.Resource != "freezes" || q.SubResource != "" {
		return wish, fmt.Errorf("%s %s is no freeze: let the webhook's rules name freezes only", q.Resource.Resource, q.SubResource)
	}
	if strings.HasPrefix(wish.By, pipeline.NoPerson) {
		return wish, fmt.Errorf("names that begin with %s are weft's own", pipeline.NoPerson)
	}
	var err error
	if wish.Old, err = rawObject(q.OldObject.Raw); err == nil {
		wish.New, err = rawObject(q.Object.Raw)
	}
	wanted := map[admissionv1.Operation][]bool{admissionv1.Create: {false, true}, admissionv1.Update: {true, true}, admissionv1.Delete: {true, false}}
	if err == nil && !slices.Equal(wanted[q.Operation], []bool{wish.Old != nil, wish.New != nil}) {
		err = fmt.Errorf("%s: the API server does not say of what", q.Operation)
	}
	return wish, err
}

// rawObject is nil for none.
func rawObject(text []byte) (*unstructured.Unstructured, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	o := &unstructured.Unstructured{}
	return o, json.Unmarshal(text, &o.Object)
}
