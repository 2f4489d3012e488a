package compile

import (
	"strings"
	"testing"
	"unicode/utf8"

	rbaccfgv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"weft.dev/model"
)

// validated is what the generated code of every message has: the bounds that
// Envoy checks first.
type validated interface{ ValidateAll() error }

// acceptable says what Envoy would refuse a message for, as far as that can be
// said without Envoy: for one bad pattern it refuses a whole table.
func acceptable(t *testing.T, m proto.Message) {
	t.Helper()
	if err := m.(validated).ValidateAll(); err != nil {
		t.Errorf("Envoy refuses %v: %v", m, err)
	}
	err := protorange.Range(m.ProtoReflect(), func(p protopath.Values) error {
		inner, ok := p.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok {
			return nil
		}
		if r, ok := inner.Interface().(*matcherv3.RegexMatcher); ok {
			if err := checkRegex(r.Regex); err != nil {
				t.Errorf("Envoy refuses %v: %v", m, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Whatever an AuthorizationPolicy says, its guard is one that Envoy accepts.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"*", "a*", "*a", "**", "", "/a/{*}/b", "/{**}", "{*", "10.0.0.0/8", "10.0.0.1", "fe80::1%eth0", "::/0", "1.2.3.4/33",
		"spiffe://", "a.example.com", strings.Repeat("n", 90), "/" + strings.Repeat("{*}/", 60), "x\x00", "é*", "\r\n"} {
		f.Add(seed, "request.headers[x-a]")
	}
	f.Add("a", "request.headers[]")
	f.Add("a", "request.headers[:path]")
	f.Add("a", "destination.ip")
	f.Add("a", "connection.sni")
	f.Fuzz(func(t *testing.T, value, key string) {
		if !utf8.ValidString(value) || !utf8.ValidString(key) {
			return // JSON and the store have none
		}
		v := []string{value}
		rule := model.AuthzRule{
			From: []model.AuthzSource{{Principals: v}, {Namespaces: v}, {IPBlocks: v}, {RemoteBlocks: v}, {NotNamespaces: v}},
			To:   []model.AuthzOperation{{Hosts: v}, {Methods: v}, {Paths: v}, {Ports: v}, {NotPaths: v}},
			When: []model.AuthzCondition{{Key: key, Values: v}},
		}
		for _, action := range []model.AuthzAction{model.Allow, model.Deny} {
			for _, http := range []bool{true, false} {
				if p := (attributes{port: 80, http: http}).policy(rule, action); p != nil {
					acceptable(t, &rbaccfgv3.RBAC{Policies: map[string]*rbaccfgv3.Policy{"p": p}})
				}
			}
		}
	})
}

// Whatever a rule says, its routes are such that Envoy accepts.
func FuzzRoute(f *testing.F) {
	for _, seed := range []string{"", "/", "a", "/a/", "(", ".*", `\p{Letter}`, `\p{Greek}`, "(?<n>a)", "[[:word:]]", "%REQ(x)%", "%", "x\r\n", ":authority", strings.Repeat("/a", 100), "é", "\x00"} {
		f.Add(seed, "x-a", uint8(0))
		f.Add("/a", seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, value, name string, form uint8) {
		if !utf8.ValidString(value) || !utf8.ValidString(name) {
			return
		}
		is := []model.StringMatch{{Exact: value}, {Prefix: value}, {Regex: value}, {PathPrefix: value}, {Present: true}}[form%5]
		header := model.HeaderChange{Set: []model.Header{{Name: name, Value: value}}, Add: []model.Header{{Name: name, Value: value}}, Remove: []string{name}}
		rule := model.Rule{
			Matches:        []model.Match{{Path: is, Method: is, Authority: is, Headers: []model.HeaderMatch{{Name: name, Value: is}}, Query: []model.HeaderMatch{{Name: name, Value: is}}}},
			RequestHeaders: header, ResponseHeaders: header, Origin: model.Origin{Key: model.Key{Kind: "VirtualService", Name: "x"}},
			Backends: []model.Backend{{Host: "a", Weight: 1}},
		}
		empty := ""
		for _, rewrite := range []*model.Rewrite{nil, {Host: value}, {Path: value}, {PrefixPath: &value}, {PrefixPath: &empty}, {Regex: value, RegexSubst: name}} {
			rule.Rewrite = rewrite
			routesAcceptable(t, rule)
		}
		rule.Backends = nil
		for _, to := range []*model.Redirect{{Host: value}, {Path: value}, {PrefixPath: &value}, {PrefixPath: &empty}, {Scheme: value}} {
			rule.Redirect = to
			routesAcceptable(t, rule)
		}
	})
}

func routesAcceptable(t *testing.T, rule model.Rule) {
	t.Helper()
	s := model.Service{Host: "a", Name: "a", Namespace: "shop", External: true, Ports: []model.Port{{Number: 80, Protocol: model.HTTP}}}
	r := newRouter(world{
		service: func(string) (shape, bool) { return shape{Service: s}, true },
		policy:  func(string) model.Policy { return model.Policy{} },
		split:   func(string) *model.Split { return nil },
	}, s.Host, 80)
	for _, c := range r.routes(candidate{rule: rule, match: rule.Matches[0]}) {
		acceptable(t, &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Name: "a", Domains: []string{"a"}, Routes: []*routev3.Route{c.route}}}})
	}
}
