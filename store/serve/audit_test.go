package serve

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
)

// lockedPipeline is one with spec.locked, and a status and a resourceVersion that are nobody's decision.
func lockedPipeline(locked, version string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "ship", "uid": "u", "resourceVersion": version, "labels": map[string]any{"a": "b"}},
		"spec":     map[string]any{"locked": locked}, "status": map[string]any{"seen": version},
	}}
}

// What people change is recorded before it is stored, or refused; what the server changes is not kept up by that.
func TestAuditor(t *testing.T) {
	pipeline := schema.GroupVersionKind{Group: "weft.dev", Version: "v1alpha1", Kind: "Pipeline"}
	release := schema.GroupVersionKind{Group: "weft.dev", Version: "v1alpha1", Kind: "Release"}
	secret := schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	lease := schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}
	password := &corev1.Secret{Data: map[string][]byte{"p": []byte("x")}}
	for _, test := range []struct {
		name     string
		kind     schema.GroupVersionKind
		op       admission.Operation
		sub      string
		dry      bool
		by       string
		old, now runtime.Object
		recorded bool
		hashes   string // b: before, a: after
		changed  []string
	}{
		{"create", pipeline, admission.Create, "", false, "ann", nil, lockedPipeline("x", "1"), true, "a", nil},
		{"update", pipeline, admission.Update, "", false, "ann", lockedPipeline("x", "1"), lockedPipeline("y", "2"), true, "ba", []string{`spec.locked: "y"`}},
		{"nothing that matters", pipeline, admission.Update, "", false, "ann", lockedPipeline("x", "1"), lockedPipeline("x", "2"), false, "", nil},
		{"delete", pipeline, admission.Delete, "", false, "ann", lockedPipeline("x", "1"), nil, true, "b", nil},
		{"dry run", pipeline, admission.Create, "", true, "ann", nil, lockedPipeline("x", "1"), false, "", nil},
		{"status", pipeline, admission.Update, "status", false, "ann", lockedPipeline("x", "1"), lockedPipeline("y", "2"), false, "", nil},
		{"secret", secret, admission.Create, "", false, "ann", nil, password, true, "", nil},
		{"a kind of none", lease, admission.Create, "", false, "ann", nil, lockedPipeline("x", "1"), false, "", nil},
		{"the server's", release, admission.Create, "", false, user.APIServerUser, nil, lockedPipeline("x", "1"), true, "a", nil},
		{"the server's of no matter", pipeline, admission.Create, "", false, user.APIServerUser, nil, lockedPipeline("x", "1"), false, "", nil},
	} {
		var got []Mutation
		var fault error
		r := auditor{func(m Mutation) error { got = append(got, m); return fault }}
		a := admission.NewAttributesRecord(test.now, test.old, test.kind, "shop", "ship", schema.GroupVersionResource{}, test.sub, test.op, nil, test.dry, &user.DefaultInfo{Name: test.by, Groups: []string{"dev", peopleGroup}})
		if err := r.Validate(t.Context(), a, nil); err != nil || (len(got) == 1) != test.recorded {
			t.Errorf("%s: %+v %v", test.name, got, err)
			continue
		}
		fault = errors.New("no space left")
		err := r.Validate(t.Context(), a, nil)
		if refused := test.recorded && test.by == "ann"; apierrors.IsServiceUnavailable(err) != refused {
			t.Errorf("%s: not recorded: %v", test.name, err)
		}
		if !test.recorded {
			continue
		}
		m, hashes := got[0], ""
		if m.Before != "" {
			hashes += "b"
		}
		if m.After != "" {
			hashes += "a"
		}
		if m.By != test.by || m.Name != "ship" || !slices.Equal(m.Groups, []string{"dev"}) || hashes != test.hashes || !slices.Equal(m.Changed, test.changed) {
			t.Errorf("%s: %+v", test.name, m)
		}
	}
}
