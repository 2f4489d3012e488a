package join

import (
	"fmt"

	"weft.dev/flow"
	"weft.dev/model"
)

// wirePeers keeps one policy for each whole namespace: the oldest. Those with
// a selector are more specific and all stay.
func (m *Mesh) wirePeers() {
	peers := said(m.parts, "peer claims", model.PeerAuth.Key)
	m.peersOf = flow.NewIndex(peers, func(i item[model.PeerAuth]) []string {
		if len(i.Value.Selector) > 0 {
			return nil
		}
		return []string{i.Value.Namespace}
	})
	m.PeerAuths = flow.Derive(peers, "peer authentications", func(x *flow.Ctx, i item[model.PeerAuth]) []model.PeerAuth {
		if m.decider(x, i.Value) != i.Object {
			return nil
		}
		return []model.PeerAuth{i.Value}
	})
}

// decider is the object that decides where the policy wants to.
func (m *Mesh) decider(x *flow.Ctx, p model.PeerAuth) model.Key {
	if len(p.Selector) > 0 {
		return p.Object
	}
	return oldest(flow.Lookup(x, m.peersOf, p.Namespace)).Object
}

func (m *Mesh) checkPeers(x *flow.Ctx, p *problems) {
	for _, peer := range Of[model.PeerAuth](p.part) {
		if by := m.decider(x, peer); by != p.part.Object {
			p.add(model.ProblemConflict, "spec", fmt.Sprintf("%s is older and decides for the namespace; remove one of them, or add a selector", by))
		}
	}
}
