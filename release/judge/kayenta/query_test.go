package kayenta

import (
	"strings"
	"testing"
)

// Queries are those that Kayenta would ask of a Prometheus.
func TestQueries(t *testing.T) {
	values := map[string]string{"scope": "v3", "location": "tokyo"}
	for query, want := range map[string]string{
		`"customInlineTemplate":"PromQL:sum(e{v=\"${scope}\"})"`:                                             `sum(e{v="v3"})`,
		`"customInlineTemplate":"PromQL:e{v=\"$\\{scope}\",l=\"${ location }\"}"`:                            `e{v="v3",l="tokyo"}`,
		`"customFilterTemplate":"mine","metricName":"e"`:                                                     `avg(e{app="x",v="v3"})`,
		`"customFilter":"v='${scope}'","metricName":"e","labelBindings":["a='b'"],"groupByFields":["c","d"]`: `avg(e{v='v3',a='b'}) by (c,d)`,
		`"customInlineTemplate":"PromQL:${zone}"`:                                                            `metric m: ${zone} is no part of its scope: give it as one of the scope's parameters`,
		`"customInlineTemplate":"<#if a>x</#if>"`:                                                            `metric m: weft replaces ${...} in templates, and no other directive`,
		`"metricName":"e","resourceType":"gce_instance"`:                                                     `metrics[0].query: it has no template or filter that says which version it is of: give customInlineTemplate`,
		`"type":"datadog"`: `metrics[0].query.type is "datadog": weft asks prometheus alone`,
	} {
		if !strings.Contains(query, `"type"`) {
			query = `"type":"prometheus",` + query
		}
		all, err := ReadQueries([]byte(`{"templates":{"mine":"app=\"x\",v=\"${scope}\""},"metrics":[{"name":"m","scopeName":"s","query":{` + query + `}}]}`))
		got := ""
		if err == nil {
			got, err = all[0].Build(values)
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", query, got, want)
		}
	}
	if _, err := ReadQueries([]byte(`{"metrics":[]}`)); err == nil {
		t.Error("nothing is compared, and that is no error")
	}
}
