package scope

import (
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// asked is an ask, and what it means. Key: that of the ask.
type asked struct {
	ID        string
	Proxy     string
	Account   Account
	Authority string
	Host      string // of the service; "": there is none
	Learn     bool   // the service becomes known by it
}

func (a asked) Key() string        { return a.ID }
func (a asked) Equal(o asked) bool { return a == o }

// want is that proxies of an account have asked for a service and not let go of
// it. Key: account|host.
type want struct {
	Account Account
	Host    string
}

func (w want) Key() string       { return w.Account.String() + "|" + w.Host }
func (w want) Equal(o want) bool { return w == o }

func (s *Scopes) wireAsked() {
	if s.in.Asks == nil {
		return
	}
	s.asked = flow.Derive(s.in.Asks, "asked", func(x *flow.Ctx, ask model.Ask) []asked {
		authority, ok := strings.CutPrefix(ask.Name, model.AskPrefix)
		b, found := s.boundOf(x, ask.Proxy)
		if ask.Type != model.TypeVirtualHost || !ok || authority == "" || !found || b.Gateway || b.Inline {
			return nil
		}
		a := asked{ID: ask.Key(), Proxy: ask.Proxy, Account: b.Account, Authority: strings.ToLower(authority)}
		a.Host, ok = s.names.resolve(x, b.Account.Namespace, a.Authority)
		a.Learn = ok && b.Egress == "" && !closed(lookup(x, s.declaredOf, b.Account.String()))
		return []asked{a}
	})
	s.askedOf = index(s.asked, func(a asked) string { return a.Account.String() })
	wanted := flow.NewIndex(s.asked, func(a asked) []string {
		if !a.Learn || a.Account.Name == "" {
			return nil
		}
		return []string{want{a.Account, a.Host}.Key()}
	})
	s.wanted = flow.Group(wanted, "wanted", func(_ *flow.Ctx, _ string, all []asked) *want {
		return &want{all[0].Account, all[0].Host}
	})
}
