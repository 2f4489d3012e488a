package scope

import (
	"cmp"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// Inputs are the rows that scopes follow from. All but Replicas and Services
// may be nil: there is nothing of the kind then.
type Inputs struct {
	Replicas *flow.Collection[model.Replicas]
	Services *flow.Collection[model.Service]
	Egresses *flow.Collection[model.Egress]
	Declared *flow.Collection[model.Declared]
	Learned  *flow.Collection[model.Learned]
	Asks     *flow.Collection[model.Ask]
	Routes   *flow.Collection[model.RouteTable] // for reasons only: compile adds what a route needs
	// Alone: there is no server that a proxy could ask. Who has nothing declared
	// knows every service.
	Alone bool
}

// Scopes is the wired package.
type Scopes struct {
	Cohorts *flow.Collection[model.Cohort]
	Known   *flow.Collection[model.Known] // by cohort
	// Families finds a workload: see model.Among.
	Families *flow.Index[model.Replicas]

	in       Inputs
	names    names
	bounds   *flow.Collection[bound]
	reaches  *flow.Collection[reach]
	accounts *flow.Collection[needs]
	asked    *flow.Collection[asked]
	wanted   *flow.Collection[want]

	tunnels    *flow.Index[tunnel]           // by namespace
	egressesOf *flow.Index[model.Egress]     // by namespace
	declaredOf *flow.Index[model.Declared]   // by account
	learnedOf  *flow.Index[model.Learned]    // by account
	askedOf    *flow.Index[asked]            // by account
	routesOf   *flow.Index[model.RouteTable] // by host
}

// Account is whose calls are alike: all workloads of one identity.
type Account struct{ Namespace, Name string }

// String is "namespace/name".
func (a Account) String() string { return a.Namespace + "/" + a.Name }

// Compare orders accounts by namespace and name.
func (a Account) Compare(o Account) int {
	return cmp.Or(cmp.Compare(a.Namespace, o.Namespace), cmp.Compare(a.Name, o.Name))
}

// bound is what matters here of a cohort. Key: Cohort.
type bound struct {
	Cohort  string
	Account Account
	Gateway bool
	Inline  bool   // it cannot ask, so it knows everything
	Caught  bool   // all that it calls is led into its proxy
	Egress  string // key of the one that decides; "": the account's needs do
	Closed  bool   // it calls nothing that no service has
}

func (b bound) Key() string        { return b.Cohort }
func (b bound) Equal(o bound) bool { return b == o }

// New wires scopes. What it reads must be wired before.
func New(in Inputs) *Scopes {
	s := &Scopes{in: in, names: newNames(in.Services), Cohorts: Cohorts(in.Replicas)}
	s.Families = flow.NewIndex(in.Replicas, model.Replicas.Families)
	s.egressesOf = index(in.Egresses, func(e model.Egress) string { return e.Namespace })
	s.declaredOf = index(in.Declared, func(d model.Declared) string { return Account{d.Namespace, d.Account}.String() })
	s.learnedOf = index(in.Learned, func(l model.Learned) string { return Account{l.Namespace, l.Account}.String() })
	if in.Routes != nil {
		s.routesOf = flow.NewIndex(in.Routes, hostsOfMesh)
	}
	s.tunnels = flow.NewIndex(flow.Derive(in.Services, "tunnels", tunnelsOf), func(t tunnel) []string { return []string{t.Namespace} })
	s.bounds = flow.Derive(s.Cohorts, "bounds of scopes", func(x *flow.Ctx, c model.Cohort) []bound {
		return []bound{s.bound(x, c)}
	})
	s.wireReaches()
	s.wireAsked()
	s.wireAccounts()
	s.Known = flow.Derive(s.bounds, "known", func(x *flow.Ctx, b bound) []model.Known {
		return []model.Known{s.known(x, b)}
	})
	return s
}

// Singles are workloads that have no replicas, as rows of Replicas.
func Singles(workloads *flow.Collection[model.Workload]) *flow.Collection[model.Replicas] {
	return flow.Derive(workloads, workloads.Name()+", each", func(_ *flow.Ctx, w model.Workload) []model.Replicas {
		return []model.Replicas{model.Single(w)}
	})
}

// Cohorts are those of all workloads that have a proxy: what a proxy knows and is
// told is found once for all replicas.
func Cohorts(replicas *flow.Collection[model.Replicas]) *flow.Collection[model.Cohort] {
	alike := flow.NewIndex(replicas, func(w model.Replicas) []string {
		if id := w.Cohort(); id != "" {
			return []string{id}
		}
		return nil
	})
	return flow.Group(alike, "cohorts", func(_ *flow.Ctx, id string, all []model.Replicas) *model.Cohort {
		return &model.Cohort{ID: id, Workload: all[0].Alike()}
	})
}

// index may be of nothing.
func index[V flow.Row[V]](c *flow.Collection[V], by func(V) string) *flow.Index[V] {
	if c == nil {
		return nil
	}
	return flow.NewIndex(c, func(v V) []string { return []string{by(v)} })
}

func lookup[V flow.Row[V]](x *flow.Ctx, ix *flow.Index[V], by string) []V {
	if ix == nil {
		return nil
	}
	return flow.Lookup(x, ix, by)
}

func (s *Scopes) bound(x *flow.Ctx, c model.Cohort) bound {
	b := bound{Cohort: c.ID, Account: Account{c.Namespace, c.Account()}, Gateway: c.Gateway != "", Inline: c.InlineRoutes, Caught: c.Gateway == "" && c.Interception.Transparent()}
	if e, ok := s.egress(x, c.Workload); ok && !b.Gateway && !b.Inline {
		if b.Closed = e.Closed; !e.Unbound {
			b.Egress = e.Key()
		}
	}
	return b
}

// boundOf is what matters of a workload, by its key; false: it has no proxy.
func (s *Scopes) boundOf(x *flow.Ctx, workload string) (b bound, ok bool) {
	w, ok := model.Among(flow.Lookup(x, s.Families, model.Family(workload)), workload)
	if !ok {
		return b, false
	}
	return flow.Get(x, s.bounds, w.Cohort())
}

// known is what a gateway's routes need, which compile finds; else what the
// Sidecar says, else what the account needs. A proxy of state of the world gets
// whole tables.
func (s *Scopes) known(x *flow.Ctx, b bound) model.Known {
	k := model.Known{Cohort: b.Cohort, Closed: b.Closed}
	if b.Gateway || b.Inline {
		k.All = b.Inline
		return k
	}
	account, _ := flow.Get(x, s.accounts, b.Account.String())
	if b.Egress == "" {
		if k.All = s.in.Alone && !account.Declared; k.All {
			return k
		}
		if k.Hosts = account.Hosts; account.Open {
			k.Hosts = sorted(slices.Concat(k.Hosts, s.names.wild(x, b.Account.Namespace)))
		}
		if k.Hosts = s.names.below(x, k.Hosts); b.Caught {
			k.Hosts = s.withTunnels(x, b.Account.Namespace, k.Hosts)
		}
		return k
	}
	r, _ := flow.Get(x, s.reaches, reachKey(b))
	if r.All {
		k.All = true
		return k
	}
	k.Hosts = r.Hosts
	return k
}

// needs are those of an account. Key: Account.
type needs struct {
	Account  Account
	Hosts    []string // of services, sorted
	Declared bool     // somebody wrote down what it calls
	Learns   bool     // what it calls is worth to be remembered
	Open     bool     // nobody said that it needs nothing else
}

func (n needs) Key() string { return n.Account.String() }
func (n needs) Equal(o needs) bool {
	return n.Account == o.Account && n.Declared == o.Declared && n.Learns == o.Learns && n.Open == o.Open && slices.Equal(n.Hosts, o.Hosts)
}

func (s *Scopes) wireAccounts() {
	members := flow.NewIndex(s.bounds, func(b bound) []string {
		if b.Gateway {
			return nil
		}
		return []string{b.Account.String()}
	})
	s.accounts = flow.Group(members, "needs of accounts", func(x *flow.Ctx, key string, all []bound) *needs {
		n := needs{Account: all[0].Account}
		declared := lookup(x, s.declaredOf, key)
		n.Declared = len(declared) > 0
		for _, d := range declared {
			for _, h := range d.Hosts {
				n.Hosts = append(n.Hosts, h.Host)
			}
		}
		learns := !closed(declared)
		n.Open = learns
		n.Learns = learns && n.Account.Name != "" && slices.ContainsFunc(all, func(b bound) bool { return b.Egress == "" && !b.Inline })
		if learns {
			for _, l := range lookup(x, s.learnedOf, key) {
				n.Hosts = append(n.Hosts, l.Host)
			}
		}
		for _, a := range lookup(x, s.askedOf, key) {
			if a.Learn {
				n.Hosts = append(n.Hosts, a.Host)
			}
		}
		n.Hosts = sorted(n.Hosts)
		return &n
	})
}

// closed says whether somebody declared that nothing else is needed.
func closed(all []model.Declared) bool {
	return slices.ContainsFunc(all, func(d model.Declared) bool { return d.Only })
}

func sorted(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}
