package store

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
)

// A status of a policy has an entry for each gateway of weft's, and keeps those of others and what is said of its targets.
func TestStatementOfAPolicy(t *testing.T) {
	status := decoded(t, `{"ancestors": [
		{"controllerName": "other.example/x", "ancestorRef": {"kind": "Gateway", "namespace": "shop", "name": "front"}},
		{"controllerName": "weft.dev/gateway-controller", "ancestorRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop", "name": "gone"}},
		{"controllerName": "weft.dev/gateway-controller", "ancestorRef": {"group": "", "kind": "Service", "name": "web"}}]}`)
	s := Statement{Kind: api.BackendTLSPolicy, Generation: 3, Ancestors: []AncestorStatement{{
		Namespace: "shop", Name: "front", Conditions: []metav1.Condition{{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted"}},
	}}}
	for range 2 { // the second time it is there already
		if err := s.into(map[string]any{"metadata": map[string]any{"generation": int64(3)}}, status, time.Unix(0, 0).UTC()); err != nil {
			t.Fatal(err)
		}
	}
	const want = `[{"ancestorRef":{"kind":"Gateway","name":"front","namespace":"shop"},"controllerName":"other.example/x"},` +
		`{"ancestorRef":{"group":"","kind":"Service","name":"web"},"controllerName":"weft.dev/gateway-controller"},` +
		`{"ancestorRef":{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"front","namespace":"shop"},"conditions":[` +
		`{"lastTransitionTime":"1970-01-01T00:00:00Z","message":"","observedGeneration":3,"reason":"Accepted","status":"True","type":"Accepted"}],"controllerName":"weft.dev/gateway-controller"}]`
	if got, _ := json.Marshal(status["ancestors"]); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A condition that holds no more goes, and others stay.
func TestStatementLetsConditionsPass(t *testing.T) {
	status := decoded(t, `{"conditions": [{"type": "Insecure", "status": "True"}, {"type": "Resolved", "status": "True"}, {"type": "Theirs", "status": "True"}]}`)
	s := Statement{
		Kind: api.Gateway, Passing: []string{"Insecure", "Resolved"},
		Conditions: []metav1.Condition{{Type: "Resolved", Status: metav1.ConditionFalse, Reason: "Lost"}},
	}
	if err := s.into(map[string]any{}, status, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if hasCondition(status, "Insecure") || !hasCondition(status, "Resolved") || !hasCondition(status, "Theirs") {
		t.Errorf("got %v", status)
	}
}

func decoded(t *testing.T, text string) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
