package join

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// outcome is what became of one part's gateways, or of its route tables.
type outcome struct {
	Object   model.Key
	Gateways []model.Gateway
	Tables   []model.RouteTable
	Problems []model.Problem
	Parents  []attachment        // of a route of the Gateway API
	Faults   map[string]fault    // of listeners, by name
	Trusts   []model.Certificate // whom its listeners trust
	Shown    shown               // what its proxies show to services
	Set      *admission          // of a ListenerSet
}

func (o outcome) Key() string          { return o.Object.String() }
func (o outcome) Equal(p outcome) bool { return reflect.DeepEqual(o, p) }

func (m *Mesh) wireGrants() {
	grants := said(m.parts, "grants", func(g gateway.Grant) string { return fmt.Sprintf("%+v", g) })
	m.grantsTo = flow.NewIndex(grants, func(i item[gateway.Grant]) []string { return []string{i.Value.ToNamespace} })
}

func (m *Mesh) wireGateways() *flow.Collection[outcome] {
	m.namespaces = flow.Derive(m.parts, "namespaces", func(_ *flow.Ctx, p Part) []item[map[string]string] {
		if p.Object.Kind != string(api.Namespace) {
			return nil
		}
		space := item[map[string]string]{ID: p.Object.Name, Object: p.Object}
		for _, labels := range Of[Labels](p) {
			space.Value = labels
		}
		return []item[map[string]string]{space}
	})
	m.setsOf = flow.NewIndex(said(m.parts, "listener sets", func(s gateway.Set) string { return s.Parent.String() }),
		func(i item[gateway.Set]) []string { return []string{i.Value.Parent.String()} })
	gates := flow.Derive(m.parts, "gateway outcomes", func(x *flow.Ctx, p Part) []outcome {
		gateways := Of[model.Gateway](p)
		if len(gateways) == 0 {
			return nil
		}
		found := &problems{part: p}
		out := outcome{Object: p.Object}
		for _, g := range gateways {
			for _, set := range Of[gateway.Set](p) {
				g, out.Set = m.admit(x, found, set, g)
			}
			g.Shows, out.Shown = m.showing(x, found)
			m.gateway(x, found, g, &out)
		}
		out.Problems = found.all
		return []outcome{out}
	})
	m.Gateways = rows(gates, "gateways", func(o outcome) []model.Gateway { return o.Gateways })
	m.gatewaysOf = flow.NewIndex(m.Gateways, func(g model.Gateway) []string { return []string{g.Name} })
	return gates
}

// gateway resolves what the listeners name. One whose certificate must not be
// used does not open, nor does one that can tell of no caller who it is.
func (m *Mesh) gateway(x *flow.Ctx, p *problems, g model.Gateway, out *outcome) {
	listeners, asks := g.Listeners, m.frontendOf(x, p.part)
	g.Listeners, out.Faults = nil, map[string]fault{}
	for _, l := range listeners {
		f := fault{Resolved: string(gatewayv1.ListenerReasonRefNotPermitted), Closed: true}
		if m.certified(x, p, g, l) {
			var trusts *model.Certificate
			trusts, f = m.asking(x, p, asks, &l)
			out.Trusts = withTrust(out.Trusts, trusts)
		}
		if f != (fault{}) {
			out.Faults[l.Name] = f
		}
		if f.Closed {
			continue
		}
		for _, spaces := range Of[gateway.Spaces](p.part) {
			if selector := spaces[l.Name]; selector != nil {
				l.RouteSpace = m.spaces(x, selector)
			}
		}
		g.Listeners = append(g.Listeners, l)
	}
	out.Gateways = append(out.Gateways, g)
}

// certified says whether a listener may open. With a certificate that is not
// usable (yet) it does: proxies keep the one that they have. A name without a
// namespace is looked up where the proxies are known.
func (m *Mesh) certified(x *flow.Ctx, p *problems, g model.Gateway, l model.GatewayListener) bool {
	namespace, name, whole := strings.Cut(l.TLS.Secret, "/")
	if !whole {
		return true
	}
	if namespace != g.Object.Namespace && !m.granted(x, g.Object, "Secret", namespace, name) {
		p.add(model.ProblemNotPermitted, l.Origin.Path, fmt.Sprintf("no ReferenceGrant of the namespace %s lets a %s of %s use the Secret %s, so this listener stays closed", namespace, g.Object.Kind, g.Object.Namespace, l.TLS.Secret))
		return false
	}
	if c, ok := flow.Get(x, m.secrets, l.TLS.Secret); !ok || len(c.Chain) == 0 {
		p.add(model.ProblemMissingSecret, l.Origin.Path, c.Missing(l.TLS.Secret))
	}
	return true
}

// spaces are the namespaces that a selector matches.
func (m *Mesh) spaces(x *flow.Ctx, selector *metav1.LabelSelector) []string {
	matches, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return []string{} // reported where the Gateway was read
	}
	found := []string{}
	for _, n := range flow.All(x, m.namespaces) {
		have := labels.Merge(n.Value, labels.Set{corev1.LabelMetadataName: n.ID})
		if matches.Matches(have) {
			found = append(found, n.ID)
		}
	}
	return found
}

// granted says whether a namespace allows the object to name something in it.
func (m *Mesh) granted(x *flow.Ctx, by model.Key, kind, namespace, name string) bool {
	return slices.ContainsFunc(flow.Lookup(x, m.grantsTo, namespace), func(i item[gateway.Grant]) bool {
		g := i.Value
		return g.From == by.Kind && g.FromNamespace == by.Namespace && g.To == kind && (g.Name == "" || g.Name == name)
	})
}
