package chart_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
)

// oldestMinor is the oldest Kubernetes 1 that weft supports.
const oldestMinor = 30

// compilePolicy makes of a policy what the oldest API server does, with the API server's own code.
func compilePolicy(t *testing.T, p *admissionv1.ValidatingAdmissionPolicy) validating.Validator {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, oldestMinor)))
	if err != nil {
		t.Fatal(err)
	}
	options := cel.OptionalVariableDeclarations{HasAuthorizer: true}
	var variables []cel.NamedExpressionAccessor
	for _, v := range p.Spec.Variables {
		variables = append(variables, &validating.Variable{Name: v.Name, Expression: v.Expression})
	}
	compiler.CompileAndStoreVariables(variables, options, environment.NewExpressions)
	var conditions, messages []cel.ExpressionAccessor
	for _, v := range p.Spec.Validations {
		conditions = append(conditions, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
		if v.MessageExpression == "" {
			messages = append(messages, nil)
			continue
		}
		messages = append(messages, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
	}
	return validating.NewValidator(
		compiler.CompileCondition(conditions, options, environment.NewExpressions), nil,
		compiler.CompileCondition(nil, options, environment.NewExpressions),
		compiler.CompileCondition(messages, cel.OptionalVariableDeclarations{}, environment.NewExpressions), p.Spec.FailurePolicy, nil)
}

// object is one of a kind with a spec in YAML; "": there is none.
func object(t *testing.T, kind api.Kind, spec string) runtime.Object {
	t.Helper()
	if spec == "" {
		return nil
	}
	fields := map[string]any{}
	if err := yaml.Unmarshal([]byte("spec: "+spec), &fields); err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetAPIVersion("weft.dev/v1alpha1")
	u.SetKind(string(kind))
	u.SetName("x")
	return u
}

// refusals are what a policy says to a request; none: it is let through.
func refusals(t *testing.T, v validating.Validator, kind api.Kind, old, now string, who user.Info) (all []string) {
	t.Helper()
	info, ok := api.KindOf("weft.dev", string(kind))
	if !ok {
		t.Fatal(kind)
	}
	operation := admission.Create
	if old != "" {
		operation = admission.Update
	}
	gvk := info.Version
	gvr := schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: info.Resource}
	a := admission.NewAttributesRecord(object(t, kind, now), object(t, kind, old), gvk, "shop", "x", gvr, "", operation, nil, false, who)
	versioned, err := admission.NewVersionedAttributes(a, gvk, nil)
	if err != nil {
		t.Fatal(err)
	}
	result := v.Validate(t.Context(), gvr, versioned, nil, nil, celconfig.RuntimeCELCostBudget, nil)
	for _, d := range result.Decisions {
		if d.Action != validating.ActionAdmit {
			all = append(all, d.Message)
		}
	}
	return all
}

// Nobody but weft says that somebody else did something, evaluated as API servers do.
func TestSignatures(t *testing.T) {
	policy := find[admissionv1.ValidatingAdmissionPolicy](t, render(t, nil), "ValidatingAdmissionPolicy")
	v := compilePolicy(t, policy)
	bob := &user.DefaultInfo{Name: "bob", Groups: []string{"qa", "ops", user.AllAuthenticated}}
	account := func(name string) user.Info { return &user.DefaultInfo{Name: "system:serviceaccount:" + name} }
	weft := account("weft-system:weft")
	const release = "application: a, version: v2, by: alice"
	for _, test := range []struct {
		name     string
		kind     api.Kind
		old, now string
		who      user.Info
		refused  string // part of what is said; "": nothing is
	}{
		{"a decision", api.Decision, "", "{run: r, by: bob, groups: [qa]}", bob, ""},
		{"without groups", api.Decision, "", "{run: r, by: bob}", bob, ""},
		{"in nobody's name", api.Decision, "", "{run: r, verb: cancel}", bob, "spec.by must be bob"},
		{"in alice's", api.Decision, "", "{run: r, by: alice}", bob, "spec.by must be bob"},
		{"with a group of others", api.Decision, "", "{run: r, by: bob, groups: [qa, leads]}", bob, "groups some of theirs"},
		{"of one without groups", api.Decision, "", "{run: r, by: bob, groups: [qa]}", &user.DefaultInfo{Name: "bob"}, "groups some of theirs"},
		{"without a spec", api.Decision, "", "{}", bob, "spec.by must be bob"},
		{"of a trigger's name", api.PipelineRun, "", "{trigger: {by: 'weft:git'}}", &user.DefaultInfo{Name: "weft:git"}, "weft's own"},
		{"a run", api.PipelineRun, "", "{pipeline: p, trigger: {by: bob, groups: [ops]}}", bob, ""},
		{"a run of nobody", api.PipelineRun, "", "{pipeline: p, trigger: {type: git}}", bob, "spec.trigger.by must be bob"},
		{"a run without a trigger", api.PipelineRun, "", "{pipeline: p, by: bob}", bob, "spec.trigger.by must be bob"},
		{"a freeze", api.Freeze, "", "{reason: x, by: bob}", bob, ""},
		{"a freeze by alice", api.Freeze, "", "{reason: x, by: alice}", bob, "spec.by must be bob"},
		{"a release", api.Release, "", "{application: a, version: v2, by: bob}", bob, ""},
		{"a release by alice", api.Release, "", "{" + release + "}", bob, "spec.by must be bob"},
		{"weft's, for alice", api.Release, "", "{" + release + "}", weft, ""},
		{"another revision's", api.Release, "", "{" + release + "}", account("weft-system:weft-next"), ""},
		{"the account for people", api.Release, "", "{" + release + "}", account("weft-system:weft-people"), "spec.by must be"},
		{"another namespace's account", api.Release, "", "{" + release + "}", account("shop:weft"), "spec.by must be"},
		{"one that only begins so", api.Release, "", "{" + release + "}", account("weft-system:weftx"), "spec.by must be"},
		{"a release that stays as it is", api.Release, "{" + release + "}", "{" + release + "}", bob, ""},
		{"another thing of alice's release", api.Release, "{" + release + "}", "{" + release + ", reason: x}", bob, "nothing else"},
		{"another version of it", api.Release, "{" + release + "}", "{application: a, version: v3, by: alice}", bob, "nothing else"},
		{"another way", api.Release, "{" + release + ", strategy: {type: canary}}", "{" + release + ", strategy: {type: blueGreen}}", bob, "nothing else"},
		{"an undo of it", api.Release, "{" + release + "}", "{" + release + ", undo: true}", bob, "nothing else"},
		{"an abort taken back", api.Release, "{" + release + ", abort: true, aborter: {by: eve}}", "{" + release + ", aborter: {by: eve}}", bob, "nothing else"},
		{"weft changes it", api.Release, "{" + release + "}", "{" + release + ", reason: x}", weft, ""},
		{"alice's becomes bob's", api.Release, "{" + release + "}", "{application: a, version: v2, by: bob}", bob, "stays who did it"},
		{"and nobody's", api.Release, "{" + release + "}", "{application: a, version: v2}", weft, "stays who did it"},
		{"groups more", api.Release, "{" + release + "}", "{" + release + ", groups: [qa]}", bob, "stays who did it"},
		{"a run's", api.PipelineRun, "{trigger: {by: alice}}", "{trigger: {by: bob}}", bob, "stays who did it"},
		{"abort", api.Release, "{" + release + "}", "{" + release + ", abort: true, aborter: {by: bob, groups: [ops]}}", bob, ""},
		{"abort in nobody's name", api.Release, "{" + release + "}", "{" + release + ", abort: true}", bob, "spec.aborter"},
		{"abort by weft", api.Release, "{" + release + "}", "{" + release + ", abort: true}", weft, ""},
		{"promote", api.Release, "{" + release + "}", "{" + release + ", promote: true, promoter: {by: bob, groups: [qa]}}", bob, ""},
		{"promote as alice", api.Release, "{" + release + "}", "{" + release + ", promote: true, promoter: {by: alice}}", bob, "spec.promoter"},
		{"promote with a group of others", api.Release, "{" + release + "}", "{" + release + ", promote: true, promoter: {by: bob, groups: [leads]}}", bob, "spec.promoter"},
		{"promoted from the start", api.Release, "", "{application: a, version: v2, by: bob, promote: true, promoter: {by: alice}}", bob, "spec.promoter"},
		{"a promoter before it is", api.Release, "{" + release + "}", "{" + release + ", promoter: {by: alice}}", bob, "spec.promoter"},
		{"a promoter who was", api.Release, "{" + release + ", promote: true, promoter: {by: eve}}", "{" + release + ", promote: true, promoter: {by: eve}}", bob, ""},
		{"another promoter", api.Release, "{" + release + ", promote: true, promoter: {by: eve}}", "{" + release + ", promote: true, promoter: {by: bob}}", bob, "spec.promoter"},
	} {
		got := refusals(t, v, test.kind, test.old, test.now, test.who)
		if said := strings.Join(got, "; "); (test.refused == "") != (said == "") || !strings.Contains(said, test.refused) {
			t.Errorf("%s: %q, want %q", test.name, said, test.refused)
		}
	}
}

// everythingFor lets some freeze everything.
type everythingFor string

func (e everythingFor) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetUser().GetName() == string(e) && a.GetVerb() == "everything" && a.GetAPIGroup() == "weft.dev" && a.GetResource() == "freezes" {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// An API server asks weft of whoever may not freeze everything, about each change of a freeze, and takes no answer for a no.
func TestWhoseFreezesAreLookedAt(t *testing.T) {
	hook := find[admissionv1.ValidatingWebhookConfiguration](t, render(t, nil), "ValidatingWebhookConfiguration").Webhooks[0]
	rule := hook.Rules[0]
	for _, operation := range []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete} {
		if !slices.Contains(rule.Operations, operation) {
			t.Errorf("nobody is asked about %s", operation)
		}
	}
	if *hook.FailurePolicy != admissionv1.Fail || !slices.Equal(rule.Resources, []string{"freezes"}) || hook.NamespaceSelector != nil || hook.ObjectSelector != nil {
		t.Errorf("%+v", hook)
	}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, oldestMinor)))
	if err != nil {
		t.Fatal(err)
	}
	var conditions []cel.ExpressionAccessor
	for _, c := range hook.MatchConditions {
		conditions = append(conditions, new(matchconditions.MatchCondition(c)))
	}
	compiled := compiler.CompileCondition(conditions, cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
	matcher := matchconditions.NewMatcher(compiled, hook.FailurePolicy, "webhook", "validating", hook.Name)
	info, _ := api.Freeze.Info()
	gvr := info.Version.GroupVersion().WithResource(info.Resource)
	for name, want := range map[string]bool{"ann": false, "bob": true} {
		a := admission.NewAttributesRecord(object(t, api.Freeze, "{reason: x}"), nil, info.Version, "", "x", gvr, "", admission.Create, nil, false, &user.DefaultInfo{Name: name})
		versioned, err := admission.NewVersionedAttributes(a, info.Version, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := matcher.Match(t.Context(), versioned, nil, everythingFor("ann")); got.Error != nil || got.Matches != want {
			t.Errorf("%s is asked about: %+v, want %v", name, got, want)
		}
	}
}
