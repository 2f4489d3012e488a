package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weft.dev/install/chart"
)

// policies are the chart's policy and its binding, made a minute one after the other.
func policies(t *testing.T) (policy, binding *unstructured.Unstructured) {
	t.Helper()
	all, err := chart.Render(chart.Options{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		switch o.GetKind() {
		case "ValidatingAdmissionPolicy":
			policy = o
		case "ValidatingAdmissionPolicyBinding":
			binding = o
		}
	}
	set(t, policy, "2026-11-27T12:00:00Z", "metadata", "creationTimestamp")
	set(t, binding, "2026-11-27T12:01:00Z", "metadata", "creationTimestamp")
	return policy, binding
}

func set(t *testing.T, o *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// An installation waits until names count, and not for a cluster in which they never do.
func TestNotVouching(t *testing.T) {
	policy, binding := policies(t)
	made := time.Date(2026, time.November, 27, 12, 1, 0, 0, time.UTC)
	other := policy.DeepCopy()
	other.SetName("other")
	for name, test := range map[string]struct {
		policy *unstructured.Unstructured
		now    time.Time
		waits  bool
	}{
		"just made": {policy, made.Add(policyDelay - time.Second), true},
		"known":     {policy, made.Add(policyDelay), false},
		"not made":  {other, made, false},
	} {
		c := newCluster(t, text(t, test.policy), text(t, binding))
		if got := c.notVouching(t.Context(), test.now); (got != "") != test.waits {
			t.Errorf("%s: %q, want to wait: %v", name, got, test.waits)
		}
	}
}

// Names count from when on the chart's policy is there as it was made, and not where it is weaker.
func TestVouched(t *testing.T) {
	everywhere := map[string]any{}
	shop := map[string]any{"matchLabels": map[string]any{"a": "b"}}
	for name, test := range map[string]struct {
		edit func(policy, binding *unstructured.Unstructured)
		want string
	}{
		"as the chart has it": {func(p, b *unstructured.Unstructured) {
			set(t, p, everywhere, "spec", "matchConstraints", "namespaceSelector") // as an API server fills it in
		}, ""},
		"no policy":    {func(p, b *unstructured.Unstructured) { p.SetName("other") }, "is not there: weft install"},
		"no binding":   {func(p, b *unstructured.Unstructured) { b.SetName("other") }, "is not there: weft install"},
		"other rules":  {func(p, b *unstructured.Unstructured) { p.SetLabels(nil) }, "other rules"},
		"lets through": {func(p, b *unstructured.Unstructured) { set(t, p, "Ignore", "spec", "failurePolicy") }, "cannot judge"},
		"only some":    {func(p, b *unstructured.Unstructured) { set(t, p, shop, "spec", "matchConstraints", "objectSelector") }, "does not look at all"},
		"on conditions": {func(p, b *unstructured.Unstructured) {
			set(t, p, []any{map[string]any{"name": "n", "expression": "false"}}, "spec", "matchConditions")
		}, "does not look at all"},
		"not all kinds": {func(p, b *unstructured.Unstructured) {
			rules, _, _ := unstructured.NestedSlice(p.Object, "spec", "matchConstraints", "resourceRules")
			rules[0].(map[string]any)["resources"] = []any{"decisions", "freezes", "releases"}
			set(t, p, rules, "spec", "matchConstraints", "resourceRules")
		}, "does not look at all"},
		"one namespace": {func(p, b *unstructured.Unstructured) {
			set(t, b, map[string]any{"namespaceSelector": shop}, "spec", "matchResources")
		}, "not bound to all"},
		"another's": {func(p, b *unstructured.Unstructured) { set(t, b, "other", "spec", "policyName") }, "not bound to all"},
		"warns":     {func(p, b *unstructured.Unstructured) { set(t, b, []any{"Warn", "Audit"}, "spec", "validationActions") }, "only warns"},
	} {
		policy, binding := policies(t)
		test.edit(policy, binding)
		since, why := newCluster(t, text(t, policy), text(t, binding)).Vouched(t.Context())
		if (why == "") != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%s: %q", name, why)
		}
		if want := time.Date(2026, 11, 27, 12, 1, 10, 0, time.UTC); why == "" && !since.Equal(want) {
			t.Errorf("%s: since %s, want %s", name, since, want)
		}
	}
}

func text(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	data, err := yaml.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What weft may read of policies is what it has to.
func TestMayReadPolicies(t *testing.T) {
	all, err := chart.Render(chart.Options{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(o *unstructured.Unstructured) bool { return o.GetKind() == "ClusterRole" && o.GetName() == "weft" })
	if role := text(t, all[i]); !strings.Contains(role, policyResource.Resource) || !strings.Contains(role, bindingResource.Resource) || !strings.Contains(role, signaturesName) {
		t.Error("weft may not read whether names are true")
	}
}
