package host

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	v1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"weft.dev/identity"
	"weft.dev/model"
)

// What is accepted of an agent can be stored, and stands in one object of a
// bounded size; what is refused is refused in one line.
func FuzzRegistration(f *testing.F) {
	valid := `{"register":{"namespace":"shop","name":"reviews-1","app":"reviews","version":"v1","address":"10.0.0.1","host":"web-1",` +
		`"labels":{"tier":"x"},"ports":[{"number":9080,"protocol":"http","proxyPort":20000,"appPort":20001}],"outboundPort":15001},"health":"Healthy"}`
	f.Add([]byte(valid))
	for _, change := range [][2]string{
		{"reviews-1", "reviews..1"}, {"reviews-1", "reviews.-1"}, {`"reviews"`, `"` + strings.Repeat("r", 100) + `"`}, {`"reviews"`, `"re..views"`},
		{"10.0.0.1", "fe80::1%eth0"}, {"10.0.0.1", "0.0.0.0"}, {"10.0.0.1", "::ffff:10.0.0.1"}, {"10.0.0.1", "ff02::1"},
		{"tier", "a..b/tier"}, {"tier", "A/tier"}, {"web-1", "web..1"}, {"9080", "4294967296"}, {"9080", "-1"}, {"9080", "65536"},
		{"Healthy", "Lost"}, {`"http"`, `"` + strings.Repeat("h", 10_000) + `"`}, {"v1", "v1-"}, {"shop", "sh.op"},
	} {
		f.Add([]byte(strings.Replace(valid, change[0], change[1], 1)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var m model.AgentMessage
		if (model.AgentCodec{}).Unmarshal(body, &m) != nil || m.Register == nil {
			return
		}
		r := *m.Register
		caller, err := identity.ParseName(model.SPIFFE("mesh.test", r.Namespace, account(r)))
		if err != nil || allowed(caller, r) != nil {
			return
		}
		if err := check(r, m.Health); err != nil {
			if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
				t.Errorf("refused with %q", err)
			}
			return
		}
		storable(t, r, m.Health)
	})
}

func storable(t *testing.T, r model.Registration, health model.Health) {
	w := workload(r, health, metav1.Time{})
	for _, err := range validation.ValidateObjectMeta(&w.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata")) {
		t.Errorf("accepted, and the store refuses it: %v", err)
	}
	for _, err := range v1validation.ValidateLabels(map[string]string{"app": r.App, "gateway": r.Gateway}, field.NewPath("spec")) {
		t.Errorf("accepted, and no selector can choose it: %v", err)
	}
	if ip, err := netip.ParseAddr(w.Spec.Address); err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
		t.Errorf("address %q is accepted, and nobody can call it", w.Spec.Address)
	}
	written, err := json.Marshal(w)
	if err != nil || len(written) > 64<<10 {
		t.Errorf("an object of %d bytes, %v", len(written), err)
	}
	again := w.DeepCopy()
	if err := json.Unmarshal(written, again); err != nil || !reflect.DeepEqual(w, *again) {
		t.Errorf("it is read back as %+v, %v", again, err)
	}
}
