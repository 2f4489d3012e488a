package compile

import (
	"fmt"

	"weft.dev/flow"
	"weft.dev/model"
)

// unasked are the policies of a scope whose authorizer cannot be asked at some of its ports, so that what it would be asked is denied there.
func (c *compiler) unasked(x *flow.Ctx, s scope) []report {
	g := c.guards(x, s)
	if len(g.asked) == 0 {
		return nil
	}
	var problems []model.Problem
	for _, p := range s.Ports {
		if s.Gateway == "" && !p.Protocol.IsHTTP() {
			problems = append(problems, g.denied(attributes{port: p.Number}, func(a asked) bool { return a.HTTP != nil },
				fmt.Sprintf("port %d of %s/%s carries connections whose bytes nobody reads, about which an authorizer is asked by gRPC alone; name the ports of HTTP in the rules, or ask it by gRPC", p.Number, s.Namespace, s.Account))...)
		}
	}
	ports, _ := c.gatewayPorts(x, s.asGate())
	for _, p := range ports {
		for _, chain := range p.chains {
			if chain.tls.Callers == model.CallerUnproven {
				problems = append(problems, g.denied(attributes{port: p.number, http: true, nameless: true}, func(a asked) bool { return a.HTTP == nil },
					fmt.Sprintf("at port %d of the gateway %s/%s certificates of callers prove nothing, and by gRPC an authorizer would be told the names in them; ask it by HTTP", p.number, s.Namespace, s.Gateway))...)
			}
		}
	}
	return reportOf("authorizers "+s.Key(), sortedOnce(problems))
}

// denied are the policies whose authorizer is one of those who cannot be asked, where they would be asked anything.
func (g guards) denied(at attributes, cannot func(asked) bool, why string) (problems []model.Problem) {
	for _, a := range g.asked {
		if !cannot(a) || a.askedAbout(g.rules, at) == nil {
			continue
		}
		for _, rule := range g.rules {
			if rule.Action == model.Custom && rule.Provider == a.Key() {
				problems = append(problems, model.Problem{Object: rule.Object, Code: model.ProblemNotHonoured, Path: "spec.provider",
					Message: "what " + a.Object.String() + " would be asked is denied: " + why})
			}
		}
	}
	return problems
}
