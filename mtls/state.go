package mtls

import (
	"fmt"
	"slices"
	"time"

	"weft.dev/model"
)

// state says how far a service is, and why not further.
func (v view) state(s model.Service, one *Service, proxied []model.Workload) (State, []string) {
	if len(proxied) == 0 {
		return Without, []string{"none of its instances has a proxy: run them with one"}
	}
	strict, decided := v.mode(s, one, proxied)
	switch {
	case strict:
		return Strict, nil
	case len(decided) > 0:
		return Decided, []string{keys(decided) + " selects its workloads: say there what is to hold"}
	}
	if why := v.plain(s, one); len(why) > 0 {
		return Plain, why
	}
	if why := v.unknown(one, proxied); len(why) > 0 {
		return Unknown, why
	}
	return Ready, nil
}

// mode says whether every port of every instance is strict, and which objects of somebody else select the workloads:
// beside one of those nobody can say which holds.
func (v view) mode(s model.Service, one *Service, proxied []model.Workload) (strict bool, decided []model.Key) {
	strict = true
	var by []model.Key
	for _, w := range proxied {
		for _, p := range w.Ports {
			mode, from := v.Mode(w, p.Number)
			strict, by = strict && mode == model.MTLSStrict, union(by, from)
		}
		for _, p := range v.PeerAuths {
			if (p.Namespace == "" || p.Namespace == w.Namespace) && len(p.Selector) > 0 && model.Matches(p.Selector, w.Labels) && p.Object.Name != Policy(s.Name) {
				decided = union(decided, []model.Key{p.Object})
			}
		}
	}
	for _, k := range by {
		one.By = append(one.By, k.String())
	}
	return strict, decided
}

func union(all, more []model.Key) []model.Key {
	for _, k := range more {
		if !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}

// plain are those who call in plain text, and who would.
func (v view) plain(s model.Service, one *Service) (why []string) {
	for _, e := range one.Edges {
		if e.Transport == InPlain && v.Now.Sub(e.Last) <= v.Quiet {
			why = append(why, fmt.Sprintf("%s calls in plain text, last %s ago: %s", e.From, v.ago(e.Last), e.Who))
		}
	}
	var told []model.Key
	for _, p := range s.Ports {
		told = union(told, v.Told(model.ClusterName(s.Host, p.Number, "")))
	}
	if len(told) > 0 {
		why = append(why, fmt.Sprintf("%s tells callers to call without mTLS: remove trafficPolicy.tls from it", keys(told)))
	}
	return why
}

// unknown is why nobody can say who calls.
func (v view) unknown(one *Service, proxied []model.Workload) (why []string) {
	for _, w := range proxied {
		since, ok := v.Watched(w.Key())
		switch {
		case !ok:
			why = append(why, w.Key()+": its agent does not say who calls in plain text: is it connected, and as new as the server?")
		case v.Now.Sub(since) < v.Quiet:
			why = append(why, fmt.Sprintf("%s: watched for %s, of %s", w.Key(), v.ago(since), v.Quiet))
		case !v.Current(w.Key()):
			why = append(why, w.Key()+": its proxy does not hold the newest configuration")
		}
	}
	if len(why) == 0 && len(one.Edges) == 0 && !v.Idle {
		why = append(why, "nobody called it, so that nobody called in plain text says nothing: name it, or add --idle")
	}
	for _, w := range one.Lagging {
		why = append(why, w+" calls it, and its proxy has not acknowledged the newest configuration")
	}
	return why
}

func (v view) ago(t time.Time) time.Duration { return max(v.Now.Sub(t), 0).Round(time.Second) }
