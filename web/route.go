package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft.dev/model"
)

// Route is one rule by which calls reach a service, or by which its callers are led elsewhere.
type Route struct {
	Name    string `json:"name,omitempty"`
	Via     string `json:"via"`   // the gateways at which it holds; mesh: between services
	Match   string `json:"match"` // which requests, in words
	Action  string `json:"action"`
	Timeout string `json:"timeout,omitempty"` // "": the application's, or none
	Retries string `json:"retries,omitempty"` // "": the application's, or the mesh's
	From    Origin `json:"from"`
}

// Origin is where something was written.
type Origin struct {
	Object string `json:"object"` // VirtualService shop/reviews
	Path   string `json:"path,omitempty"`
	File   string `json:"file,omitempty"` // with its line, where known
}

func originOf(o model.Origin) Origin {
	out := Origin{Object: o.Key.String(), Path: o.Path, File: o.File}
	if o.File != "" && o.Line > 0 {
		out.File = fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return out
}

// routesOf are the rules for a host, and those of others that lead to it, in the order in which they were written.
func routesOf(host string, tables []model.RouteTable) []Route {
	list := []Route{}
	for _, t := range tables {
		own := slices.Contains(t.Hosts, host)
		for _, rule := range t.Rules {
			leads := slices.ContainsFunc(rule.Backends, func(b model.Backend) bool { return b.Host == host })
			if own || leads {
				list = append(list, routeOf(t, rule))
			}
		}
	}
	return list
}

func routeOf(t model.RouteTable, rule model.Rule) Route {
	r := Route{Name: rule.Name, Via: strings.Join(t.Gateways, ", "), Match: matchText(rule.Matches), Action: actionText(rule), From: originOf(rule.Origin)}
	switch {
	case rule.Timeout == model.NoTimeout:
		r.Timeout = "none"
	case rule.Timeout > 0:
		r.Timeout = rule.Timeout.String()
	}
	if rule.Retry != nil {
		r.Retries = retryText(*rule.Retry)
	}
	return r
}

func retryText(r model.Retry) string {
	if r.Attempts == 0 {
		return "never"
	}
	text := fmt.Sprint(r.Attempts)
	if r.PerTry > 0 {
		text += ", " + r.PerTry.String() + " each"
	}
	return text
}

func matchText(all []model.Match) string {
	var texts []string
	for _, m := range all {
		texts = append(texts, oneMatch(m))
	}
	if len(texts) == 0 || slices.Contains(texts, "") {
		return "everything"
	}
	return strings.Join(texts, " or ")
}

func oneMatch(m model.Match) string {
	var parts []string
	add := func(what string, s model.StringMatch) {
		if !s.IsZero() {
			parts = append(parts, strings.TrimSpace(what+" "+stringText(s)))
		}
	}
	add("", m.Method)
	add("", m.Path)
	if len(m.Within.Methods) > 0 {
		parts = append(parts, strings.Join(m.Within.Methods, " or "))
	}
	add("", m.Within.Path)
	add("authority", m.Authority)
	add("scheme", m.Scheme)
	for _, h := range m.Headers {
		parts = append(parts, valueText("header", h))
	}
	for _, q := range m.Query {
		parts = append(parts, valueText("query", q))
	}
	for _, k := range model.SortedKeys(m.SourceLabels) {
		parts = append(parts, "from "+k+"="+m.SourceLabels[k])
	}
	if m.SourceNamespace != "" {
		parts = append(parts, "from namespace "+m.SourceNamespace)
	}
	if m.Port != 0 {
		parts = append(parts, fmt.Sprintf("port %d", m.Port))
	}
	if len(m.CallerIdentities) > 0 {
		parts = append(parts, "from "+strings.Join(m.CallerIdentities, " or "))
	}
	if len(m.Gateways) > 0 {
		parts = append(parts, "at "+strings.Join(m.Gateways, " or "))
	}
	return strings.Join(parts, ", ")
}

func valueText(what string, h model.HeaderMatch) string {
	text := strings.TrimSpace(what + " " + h.Name + " " + stringText(h.Value))
	if h.Invert {
		return "not " + text
	}
	return text
}

func stringText(s model.StringMatch) string {
	switch {
	case s.Prefix != "":
		return s.Prefix + "*"
	case s.PathPrefix != "":
		return strings.TrimSuffix(s.PathPrefix, "/") + "/*"
	case s.Regex != "":
		return "~" + s.Regex
	case s.Present:
		return "is there"
	}
	return s.Exact
}

func actionText(rule model.Rule) string {
	var parts []string
	switch {
	case rule.Redirect != nil:
		parts = append(parts, fmt.Sprintf("redirect %d to %s", rule.Redirect.Code, cmp.Or(rule.Redirect.Host+rule.Redirect.Path, rule.Redirect.Scheme, "elsewhere")))
	case rule.Direct != nil:
		parts = append(parts, fmt.Sprintf("answer %d", rule.Direct.Status))
	case len(rule.Backends) == 0:
		parts = append(parts, "answer 500: no backend is left")
	default:
		parts = append(parts, backendsText(rule.Backends))
	}
	if rule.Rewrite != nil {
		parts = append(parts, "rewritten")
	}
	if f := rule.Fault; f != nil {
		parts = append(parts, faultText(*f))
	}
	for _, m := range rule.Mirrors {
		parts = append(parts, fmt.Sprintf("a copy of %g%% to %s", m.Percent, backendText(m.Backend)))
	}
	return strings.Join(parts, ", ")
}

func faultText(f model.Fault) string {
	var parts []string
	if f.DelayPercent > 0 {
		parts = append(parts, fmt.Sprintf("%g%% delayed by %s", f.DelayPercent, f.Delay.Round(time.Millisecond)))
	}
	if f.AbortPercent > 0 {
		parts = append(parts, fmt.Sprintf("%g%% aborted", f.AbortPercent))
	}
	return strings.Join(parts, ", ")
}

func backendsText(all []model.Backend) string {
	if len(all) == 1 {
		return backendText(all[0])
	}
	var sum uint32
	for _, b := range all {
		sum += b.Weight
	}
	var parts []string
	for _, b := range all {
		parts = append(parts, fmt.Sprintf("%.3g%% %s", 100*float64(b.Weight)/float64(max(sum, 1)), backendText(b)))
	}
	return strings.Join(parts, ", ")
}

func backendText(b model.Backend) string {
	if b.Invalid != "" {
		return "nowhere: " + b.Invalid
	}
	text := b.Host
	if name, namespace, ok := model.SplitHost(b.Host); ok {
		text = namespace + "/" + name
	}
	if b.Subset != "" {
		text += " " + b.Subset
	}
	return text
}
