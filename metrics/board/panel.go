package board

import (
	"fmt"
	"strings"
)

// legend has the values of the labels.
func legend(by []string) string { return "{{" + strings.Join(by, "}} {{") + "}}" }

func sumBy(by []string) string {
	if len(by) == 0 {
		return "sum"
	}
	return "sum by (" + strings.Join(by, ", ") + ")"
}

func rate(family, selector string) string {
	return fmt.Sprintf("(rate(%s{%s}[$__rate_interval]))", family, selector)
}

// requests is how many calls that are selected end in a second.
func requests(title, selector string, by ...string) Panel {
	return Panel{title, "Calls that ended, a second.", Rate, []Query{{sumBy(by) + " " + rate("weft_requests_total", selector), legend(by)}}}
}

// failures is the share of them that failed: 0, not nothing, where none did.
func failures(title, selector, by string) Panel {
	labels, named := []string{}, "failures"
	if by != "" {
		labels, named = []string{by}, legend([]string{by})
	}
	sum := sumBy(labels)
	all := sum + " " + rate("weft_requests_total", selector)
	failed := sum + " " + rate("weft_requests_total", selector+`, status="5xx"`)
	return Panel{title, "Share of the calls that were answered with 5xx.", Percent, []Query{{fmt.Sprintf("100 * (%s or 0 * %s) / %s", failed, all, all), named}}}
}

func quantile(q, selector string, by ...string) Query {
	named := q + " quantile"
	if len(by) > 0 {
		named = legend(by)
	}
	return Query{fmt.Sprintf("histogram_quantile(%s, %s %s)", q, sumBy(by), rate("weft_request_duration_seconds", selector)), named}
}

// latency is what 99% of the calls are done in.
func latency(title, selector string, by ...string) Panel {
	return Panel{title, "What 99% of the calls are done in.", Seconds, []Query{quantile("0.99", selector, by...)}}
}

// attempts is what callers do not see.
func attempts(selector, by string) Panel {
	labels := []string{by}
	return Panel{"Retries and fallbacks", "Attempts that failed and were tried again, and failures that a fallback answered.", Rate, []Query{
		{sumBy(labels) + " " + rate("weft_retries_total", selector), legend(labels) + " retries"},
		{sumBy(labels) + " " + rate("weft_fallbacks_total", selector), legend(labels) + " fallbacks"},
		{sumBy(labels) + " " + rate("weft_retries_exhausted_total", selector), legend(labels) + " last try failed"},
	}}
}

// troubles is why requests fail on their way.
func troubles(selector, by string) Panel {
	labels := []string{by}
	return Panel{"Timeouts, breakers, connections", "Not answered in time, not sent because too much was under way, and connections that could not be opened.", Rate, []Query{
		{sumBy(labels) + " " + rate("weft_timeouts_total", selector), legend(labels) + " timeouts"},
		{sumBy(labels) + " " + rate("weft_breaker_overflows_total", selector), legend(labels) + " breaker"},
		{sumBy(labels) + " " + rate("weft_connect_failures_total", selector), legend(labels) + " not connected"},
	}}
}

// traffic is what connections carry, whatever is spoken there.
func traffic(selector, by string) Panel {
	labels := []string{by}
	return Panel{"Bytes", "Bytes that the callers sent and received, a second.", Bytes, []Query{
		{sumBy(labels) + " " + rate("weft_sent_bytes_total", selector), legend(labels) + " sent"},
		{sumBy(labels) + " " + rate("weft_received_bytes_total", selector), legend(labels) + " received"},
	}}
}

// connections is how many are open, and of which of the edges in plain text.
func connections(selector, by string) Panel {
	labels := []string{by}
	return Panel{"Open connections", "And, of what is called in plain text, how many edges.", Count, []Query{
		{sumBy(labels) + " " + rate("weft_connection_seconds_total", selector), legend(labels)},
		{fmt.Sprintf("%s (weft_plaintext{%s})", sumBy(labels), selector), legend(labels) + " in plain text"},
	}}
}
