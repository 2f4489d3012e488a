package judge

import (
	"maps"
	"slices"

	"weft.dev/release"
)

// comparison of the versions in some traffic.
type comparison struct {
	// Seen is all that was compared.
	Seen pair `json:"seen"`
	// Harm is the bet that new is worse.
	Harm mixture `json:"harm"`
	// Excess over Weight is the mean difference of the error rates (Mantel-Haenszel: each window weighs
	// by what it can tell, so changing shares and rates do not bias it).
	Excess float64 `json:"excess"`
	Weight float64 `json:"weight"`
}

func newComparison() comparison { return comparison{Harm: newMixture(harmPrior)} }

// take adds a window in which both versions were asked.
func (c *comparison) take(w window) {
	betHarm(&c.Harm, w)
	o, n := float64(w.old.Requests), float64(w.new.Requests)
	c.Excess += (float64(w.new.Errors)*o - float64(w.old.Errors)*n) / (o + n)
	c.Weight += o * n / (o + n)
	c.see(w)
}

func (c *comparison) see(w window) {
	c.Seen.Old = c.Seen.Old.Add(w.old)
	c.Seen.New = c.Seen.New.Add(w.new)
}

func (c *comparison) increase() float64 {
	if c.Weight == 0 {
		return 0
	}
	return c.Excess / c.Weight
}

// part is the comparison of one stratum.
type part struct {
	comparison
	// Price is how many times the worth that fails a version this part needs: with many parts,
	// one of them looks bad by chance.
	Price float64 `json:"price"`
}

func soundParts(parts map[string]*part) bool {
	for _, p := range parts {
		if p == nil || !p.Harm.sound(len(harmPrior)) || p.Price < 2 {
			return false
		}
	}
	return true
}

// enter begins the parts that are new. Those k that come after n others pay (n+1)(n+k+1) each: whenever
// which comes, the sum of 1/price stays below 1, and so the chance that any of them errs.
func (e *evidence) enter(kinds ...map[string]pair) {
	var fresh []string
	for _, now := range kinds {
		for name := range now {
			if e.Parts[name] == nil {
				fresh = append(fresh, name)
			}
		}
	}
	n, k := float64(len(e.Parts)), float64(len(fresh))
	if e.Parts == nil {
		e.Parts = map[string]*part{}
	}
	for _, name := range fresh {
		e.Parts[name] = &part{comparison: newComparison(), Price: (n + 1) * (n + k + 1)}
	}
}

// shared is by how much the chance to err is divided between all of the traffic and its parts; one part alone is all.
func (e *evidence) shared() float64 {
	if len(e.Parts) > 1 {
		return 2
	}
	return 1
}

// worst is the part that speaks most against new, of those where it errs by more than is allowed and
// beyond the worth of one look at one part; "": none.
func (e *evidence) worst(q release.Question) (name string) {
	if len(e.Parts) < 2 {
		return ""
	}
	top := 0.0
	for _, n := range slices.Sorted(maps.Keys(e.Parts)) {
		p := e.Parts[n]
		if worth := p.Harm.worth(); worth >= needToFail(q) && p.increase() > q.MaxIncrease && worth/p.Price > top {
			name, top = n, worth/p.Price
		}
	}
	return name
}

// fails reports whether this part alone fails the version.
func (e *evidence) fails(name string, q release.Question) bool {
	return name != "" && e.Parts[name].Harm.worth() >= e.partNeed(name, q)
}

// partNeed is the worth at which a part fails the version.
func (e *evidence) partNeed(name string, q release.Question) float64 {
	return e.shared() * e.Parts[name].Price * needToFail(q)
}
