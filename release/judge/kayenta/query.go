package kayenta

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Query is how the points of one metric are asked of Prometheus.
type Query struct {
	Name  string // of the metric
	Scope string // that its configuration names; empty: any
	text  string // template of a filter, or of the whole query behind whole
	of    promQL
}

// promQL is the section of a metric that Kayenta's store for Prometheus reads.
type promQL struct {
	Type                 string   `json:"type"`
	ServiceType          string   `json:"serviceType"`
	MetricName           string   `json:"metricName"`
	LabelBindings        []string `json:"labelBindings"`
	GroupByFields        []string `json:"groupByFields"`
	CustomInlineTemplate string   `json:"customInlineTemplate"`
	CustomFilter         string   `json:"customFilter"`
	CustomFilterTemplate string   `json:"customFilterTemplate"`
}

// whole is before a template that is a whole query.
const whole = "PromQL:"

// ReadQueries reads the queries of a canary configuration in Kayenta's JSON, in the order of its metrics.
func ReadQueries(text []byte) ([]Query, error) {
	var d struct {
		Templates map[string]string
		Metrics   []struct {
			Name      string
			ScopeName string
			Query     promQL
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("canary configuration: %w; it is the JSON that Kayenta stores", err)
	}
	if len(d.Metrics) == 0 {
		return nil, errors.New("canary configuration: it has no metrics, and nothing could be compared")
	}
	var all []Query
	for i, m := range d.Metrics {
		q := Query{Name: m.Name, Scope: m.ScopeName, of: m.Query}
		if kind := m.Query.Type; kind != "prometheus" {
			return nil, fmt.Errorf("metrics[%d].query.type is %.40q: weft asks prometheus alone", i, kind)
		}
		switch {
		case m.Query.CustomInlineTemplate != "":
			q.text = m.Query.CustomInlineTemplate
		case m.Query.CustomFilterTemplate != "":
			q.text = d.Templates[m.Query.CustomFilterTemplate]
		default:
			q.text = m.Query.CustomFilter
		}
		if q.text == "" {
			return nil, fmt.Errorf("metrics[%d].query: it has no template or filter that says which version it is of: give customInlineTemplate", i)
		}
		all = append(all, q)
	}
	return all, nil
}

// placeholder as FreeMarker has it; Kayenta's files often escape it.
var placeholder = regexp.MustCompile(`\$\\?\{\s*([^}]*?)\s*\}`)

// Build is the query for one side of the comparison. What it names must be among values.
func (q Query) Build(values map[string]string) (string, error) {
	var missing error
	text := placeholder.ReplaceAllStringFunc(q.text, func(found string) string {
		name := placeholder.FindStringSubmatch(found)[1]
		value, ok := values[name]
		if !ok && missing == nil {
			missing = fmt.Errorf("metric %s: ${%s} is no part of its scope: give it as one of the scope's parameters", q.Name, name)
		}
		return value
	})
	if missing != nil {
		return "", missing
	}
	if strings.Contains(text, "<#") {
		return "", fmt.Errorf("metric %s: weft replaces ${...} in templates, and no other directive", q.Name)
	}
	if query, ok := strings.CutPrefix(text, whole); ok {
		return query, nil
	}
	filters := append(strings.Split(text, ","), q.of.LabelBindings...)
	query := "avg(" + q.of.MetricName + "{" + strings.Join(filters, ",") + "})"
	if len(q.of.GroupByFields) > 0 {
		query += " by (" + strings.Join(q.of.GroupByFields, ",") + ")"
	}
	return query, nil
}
