package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// signaturesName is that of the policy by which a cluster sees to it that who is named did it, and of its binding.
	signaturesName = "weft-signatures"
	// signaturesLabel says which rules the policy has: those that weft counts on are signaturesWanted.
	signaturesLabel, signaturesWanted = "weft.dev/signatures", "v1"
	// policyDelay is how long API servers may take to know a new policy.
	policyDelay = 10 * time.Second
	// remedyOf what keeps names from being believed.
	signaturesRemedy = "weft install, or helm upgrade, brings it"
)

// signed are the resources that say who did something.
var signed = []string{"decisions", "freezes", "pipelineruns", "releases"}

// Vouched says since when names in weft's objects are true, or why they are not: the
// fault and its remedy. What cannot be read vouches for nothing.
func (c *Cluster) Vouched(ctx context.Context) (since time.Time, why string) {
	policy, err := read[admissionv1.ValidatingAdmissionPolicy](ctx, c, policyResource)
	if err == nil {
		var binding *admissionv1.ValidatingAdmissionPolicyBinding
		if binding, err = read[admissionv1.ValidatingAdmissionPolicyBinding](ctx, c, bindingResource); err == nil {
			return vouched(policy, binding)
		}
	}
	if apierrors.IsNotFound(err) {
		return since, fmt.Sprintf("this cluster does not see to it that names are true: the ValidatingAdmissionPolicy %s, or its binding, is not there: %s", signaturesName, signaturesRemedy)
	}
	return since, fmt.Sprintf("whether this cluster sees to it that names are true cannot be read (%v): weft install lets weft read it", err)
}

// notVouching is what names wait for that will be believed in a moment: what a person did
// before counts as nobody's. A cluster that does not see to them is no fault of an installation: weft check says it.
func (c *Cluster) notVouching(ctx context.Context, now time.Time) string {
	if since, why := c.Vouched(ctx); why != "" || !since.After(now) {
		return ""
	}
	return fmt.Sprintf("the API server learns to see to it that names are true, by the ValidatingAdmissionPolicy %s", signaturesName)
}

func read[T any](ctx context.Context, c *Cluster, resource schema.GroupVersionResource) (*T, error) {
	o, err := c.objects.Resource(resource).Get(ctx, signaturesName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	into := new(T)
	return into, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into)
}

func vouched(p *admissionv1.ValidatingAdmissionPolicy, b *admissionv1.ValidatingAdmissionPolicyBinding) (since time.Time, why string) {
	for _, rule := range []struct {
		holds bool
		fault string
	}{
		{p.Labels[signaturesLabel] == signaturesWanted, "has other rules than this weft counts on"},
		{p.Spec.FailurePolicy == nil || *p.Spec.FailurePolicy == admissionv1.Fail, "lets through what it cannot judge"},
		{len(p.Spec.MatchConditions) == 0 && p.Spec.ParamKind == nil && covers(p.Spec.MatchConstraints), "does not look at all " + fmt.Sprint(signed)},
		{b.Spec.PolicyName == signaturesName && b.Spec.MatchResources == nil && b.Spec.ParamRef == nil, "is not bound to all namespaces"},
		{slices.Contains(b.Spec.ValidationActions, admissionv1.Deny), "only warns"},
	} {
		if !rule.holds {
			return since, fmt.Sprintf("this cluster does not see to it that names are true: the ValidatingAdmissionPolicy %s %s: %s", signaturesName, rule.fault, signaturesRemedy)
		}
	}
	since = p.CreationTimestamp.Time
	if b.CreationTimestamp.After(since) {
		since = b.CreationTimestamp.Time
	}
	return since.Add(policyDelay), ""
}

// covers reports whether a policy is asked about each write of what is signed.
func covers(m *admissionv1.MatchResources) bool {
	if m == nil || len(m.ExcludeResourceRules) > 0 || !everything(m.NamespaceSelector) || !everything(m.ObjectSelector) {
		return false
	}
	for _, resource := range signed {
		if !slices.ContainsFunc(m.ResourceRules, func(r admissionv1.NamedRuleWithOperations) bool {
			return len(r.ResourceNames) == 0 && slices.Contains(r.APIGroups, "weft.dev") && slices.Contains(r.APIVersions, "*") && slices.Contains(r.Resources, resource) &&
				slices.Contains(r.Operations, admissionv1.Create) && slices.Contains(r.Operations, admissionv1.Update) &&
				(r.Scope == nil || *r.Scope == admissionv1.AllScopes)
		}) {
			return false
		}
	}
	return true
}

func everything(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0
}
