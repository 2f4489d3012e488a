package tap

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"weft.dev/model"
)

// Text is a request in lines, proxy by proxy: what it met there, and what caused it.
func Text(all []Record) string {
	var b strings.Builder
	for i, r := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(r.text())
	}
	return b.String()
}

func (r Record) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	line := func(what, text string) {
		if text = strings.TrimSpace(text); text != "" {
			fmt.Fprintf(w, "%s\t%s\n", what, text)
		}
	}
	line("proxy", r.Proxy+"  "+r.Time.Local().Format("15:04:05.000"))
	if r.Side == model.TapIn {
		line("from", cmp.Or(r.From, "nobody that a certificate names"))
	}
	line("request", fmt.Sprintf("%s %s%s  id %s", r.Method, r.Host, r.Path, r.ID))
	if r.Route != "" {
		because := ""
		if len(r.Because) > 0 {
			because = "  <- " + strings.Join(r.Because, ", ")
		}
		line("route", r.Route+because)
	}
	line("policy", r.policy())
	line("cluster", r.Cluster)
	line("endpoint", r.Endpoint+" "+r.Version)
	if r.Attempts > 1 {
		line("attempts", fmt.Sprint(r.Attempts))
	}
	end := fmt.Sprintf("%d after %.1f ms", r.Status, r.Ms)
	if r.Status == 0 {
		end = fmt.Sprintf("without an answer after %.1f ms", r.Ms)
	}
	line("ended", strings.Join(append([]string{end}, r.Flags...), ", "))
	line("details", strings.TrimSpace(r.Details+" "+r.Failure))
	w.Flush()
	return b.String()
}

// policy is what did not let the request in.
func (r Record) policy() string {
	name, denied := strings.CutPrefix(r.Details, "rbac_access_denied_matched_policy[")
	switch name = strings.TrimSuffix(name, "]"); {
	case !denied:
		return ""
	case name == "none":
		return "refused: no ALLOW rule holds"
	default:
		return "refused by " + name
	}
}
