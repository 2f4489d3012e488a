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
inbound.5432.rbac.weft_kept_out.DENY:shop/db#0.shadow_denied: 6
inbound.5432.rbac.weft_kept_out.DENY:shop/db#0.shadow_allowed: 60
inbound.5432.rbac.weft_let_in.shop/db.v1#0.shadow_allowed: 7
inbound.5432.rbac.weft_let_in.shop/db.v1#0.shadow_denied: 70
inbound.5432.rbac.weft_trial.shadow_denied: 8
`))
	want := []model.Verdict{
		{Refused: true, Requests: 13},
		{Rule: "DENY:shop/db#0", Refused: true, Requests: 6},
		{Rule: "Kind:shop/v1.2#1", Requests: 4},
		{Rule: "shop/db.v1#0", Requests: 7},
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
