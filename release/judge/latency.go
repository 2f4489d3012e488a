package judge

import "weft.dev/release"

// latency is the evidence on late answers.
func (m *memory) latency() *evidence {
	if m.Latency == nil {
		e := newEvidence()
		m.Latency = &e
	}
	return m.Latency
}

// late is a question about late answers, asked as one about bad answers. They are counted apart: one that is bad and
// late would count twice in a sum, and how many are both, the proxies' counters do not say.
func late(q release.Question) release.Question {
	traffic := map[string]map[string]release.Counts{}
	for version, strata := range q.Traffic {
		traffic[version] = map[string]release.Counts{}
		for name, c := range strata {
			traffic[version][name] = lateCounts(c)
		}
	}
	q.Traffic, q.Routes, q.MaxIncrease = traffic, nil, q.Latency.MaxIncrease // no proxy times its answers by route
	if q.Reference != nil {
		before := lateCounts(*q.Reference)
		q.Reference = &before
	}
	return q
}

func lateCounts(c release.Counts) release.Counts {
	return release.Counts{Requests: c.Timed, Errors: c.Slow}
}
