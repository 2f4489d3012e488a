package store

import (
	"encoding/json"
	"fmt"
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

// What was wrong once and is right is said of each generation: nobody waits for ever for the newest.
func TestStatementConfirmsWhatIsRight(t *testing.T) {
	for status, want := range map[string]int64{"True": 4, "False": 3} {
		holder := decoded(t, `{"conditions": [{"type": "weft.dev/Honoured", "observedGeneration": 3}, {"type": "Theirs", "status": "True", "observedGeneration": 3}]}`)
		conditions := holder["conditions"].([]any)
		conditions[0].(map[string]any)["status"] = status
		if err := (Statement{Kind: api.Gateway, Generation: 4}).into(map[string]any{"metadata": map[string]any{"generation": int64(4)}}, holder, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(holder["conditions"])
		text := fmt.Sprintf(`[{"observedGeneration":%d,"status":"%s","type":"weft.dev/Honoured"},{"observedGeneration":3,"status":"True","type":"Theirs"}]`, want, status)
		if string(got) != text {
			t.Errorf("got\n%s\nwant\n%s", got, text)
		}
	}
}

func decoded(t *testing.T, text string) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
