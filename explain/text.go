package explain

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// maxMissLines is how many routes that do not match are told in lines.
const maxMissLines = 8

// Text is the way in lines: what the request meets, what that does, and what
// caused it.
func (r Trace) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	line := func(what, name, text string, from []string) {
		if name == "" && text == "" {
			return
		}
		said := strings.TrimSpace(name + "  " + text)
		if len(from) > 0 {
			fmt.Fprintf(w, "%s\t%s\t<- %s\n", what, said, strings.Join(from, ", "))
		} else {
			fmt.Fprintf(w, "%s\t%s\n", what, said)
		}
	}
	line("proxy", r.Proxy, r.Identity, nil)
	line("listener", r.Listener.Name, r.Listener.Text, r.Listener.From)
	line("host", r.Host.Name, r.Host.Text, r.Host.From)
	line("route", r.Route.Name, r.Route.Text, r.Route.From)
	for _, m := range r.Misses[:min(len(r.Misses), maxMissLines)] {
		line("not", m.Name, m.Why, m.From)
	}
	if more := len(r.Misses) + r.MoreMisses - maxMissLines; more > 0 {
		line("not", fmt.Sprintf("%d more routes; see -o json", more), "", nil)
	}
	for _, p := range r.Policies {
		line(p.Name, p.Text, "", p.From)
	}
	for _, a := range r.Answers {
		line("answer", fmt.Sprintf("%s%%", number(a.Percent)), fmt.Sprintf("%d %s", a.Status, a.Text), a.From)
	}
	for _, t := range r.Targets {
		line("cluster", t.Name, fmt.Sprintf("%s%%, %s", number(t.Percent), t.Text), t.From)
		line("breaker", "", t.Breaker, nil)
		line("fallback", "", t.Fallback, nil)
		if len(t.Endpoints) == 0 {
			line("endpoint", "none: answered with 503", "", nil)
		}
		for _, e := range t.Endpoints {
			line("endpoint", e.Address, strings.Join(strings.Fields(e.Workload+" "+e.Version+" "+e.Health+" "+e.Place), " "), nil)
			if g := e.Guard; g != nil {
				line("guard", "", g.Text, g.From)
				for _, policy := range g.DryRun {
					line("dry run", "", "would be refused by "+policy, nil)
				}
				for _, l := range g.Limits {
					line(l.Name, l.Text, "", l.From)
				}
			}
		}
	}
	w.Flush()
	return b.String()
}
