package envoy

import (
	"reflect"
	"testing"

	"weft.dev/model"
)

func TestVerdicts(t *testing.T) {
	before := parseVerdicts([]byte("http.gateway.80.rbac.policy.shop/trial#0.shadow_denied: 2\n"))
	now := parseVerdicts([]byte(`http.gateway.80.rbac.allowed: 9
http.gateway.80.rbac.shadow_denied: 9
http.gateway.80.rbac.policy.shop/trial#0.shadow_denied: 3
http.in.9080.rbac.policy.shop/trial#0.shadow_denied: 1
http.in.9080.rbac.weft_trial.policy.Kind:shop/v1.2#1.shadow_allowed: 4
http.in.9080.rbac.weft_trial.shadow_denied: 5
http.in.9080.rbac.weft_trial.shadow_allowed: 5
`))
	want := []model.Verdict{
		{Refused: true, Requests: 5},
		{Rule: "Kind:shop/v1.2#1", Requests: 4},
		{Rule: "shop/trial#0", Refused: true, Requests: 2},
	}
	if got := verdictsSince(now, before); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := verdictsSince(now, now); got != nil {
		t.Errorf("nothing was counted, got %+v", got)
	}
	if got := verdictsSince(before, now); len(got) != 1 || got[0].Requests != 2 {
		t.Errorf("it began anew, got %+v", got)
	}
}
