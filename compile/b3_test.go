package compile

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"weft.dev/model"
)

// The two calls of an application that passes on nothing but headers of B3 are of the trace of the request that
// it answers, whichever of B3's forms that came in; what is not B3 begins a trace as if it was not there.
func TestB3(t *testing.T) {
	const long, short, span = "4bb87cd24242e5a3de2fbbd83dd70900", "de2fbbd83dd70900", "00f067aa0ba902b7"
	const padded = "0000000000000000" + short
	c := newCollector(t)
	web, reviews, inbound := freePort(t), freePort(t), freePort(t)
	onward := proxied(reviews)
	app := application(t, func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{"GET", "POST"} {
			request, _ := http.NewRequest(method, "http://api.example.com/rates", nil)
			for name := range r.Header {
				if strings.HasPrefix(strings.ToLower(name), strings.TrimPrefix(r.URL.Path, "/")) {
					request.Header[name] = r.Header[name]
				}
			}
			status, parent := answerTo(t, onward, request)
			fmt.Fprint(w, status, " ", parent, "\n")
		}
	})
	outside := application(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("traceparent")) })
	m := newMeshWith(Options{TrustDomain: testTrust, Tracing: model.Tracing{Percent: 0.0001, B3: true}})
	m.set(parseRows(t, fmt.Appendf(nil, tracedRows, web, reviews, inbound, app, outside)))
	ca := newTestCA(t)
	for _, proxy := range []string{"web-1", "reviews-1"} {
		account, _, _ := strings.Cut(proxy, "-")
		runEnvoy(t, c.connected(staticBootstrapOf(t, m.viewOf(t, "shop/"+proxy), ca.secrets(t, account))))
	}
	for _, test := range []struct{ name, headers, trace, flags string }{
		{"parts", "x-b3-traceid " + long + " x-b3-spanid " + span + " x-b3-sampled 1", long, "01"},
		{"parts, 64 bits", "x-b3-traceid " + short + " x-b3-spanid " + span + " x-b3-sampled 1 x-b3-parentspanid " + span, padded, "01"},
		{"parts, debug", "x-b3-traceid " + long + " x-b3-spanid " + span + " x-b3-flags 1", long, "01"},
		{"parts, not sampled", "x-b3-traceid " + long + " x-b3-spanid " + span + " x-b3-sampled 0", long, "00"},
		{"one header", "b3 " + long + "-" + span + "-1-" + span, long, "01"},
		{"one header, 64 bits", "b3 " + short + "-" + span, padded, "01"},
		{"one header, not sampled", "b3 " + short + "-" + span + "-0", padded, "00"},
		{"W3C comes first", "traceparent 00-" + padded + "-" + span + "-00 b3 " + long + "-" + span + "-1", padded, "00"},
		{"none", "", "", "00"},
		{"no ids", "b3 0", "", "00"},
		{"no span", "x-b3-traceid " + long + " x-b3-sampled 1", "", "00"},
		{"no hexadecimal digits", "x-b3-traceid " + strings.Repeat("z", 32) + " x-b3-spanid " + span, "", "00"},
		{"a digit in the wrong part", "b3 " + long[1:] + "-" + span + "0-1", "", "00"},
		{"too long", "x-b3-traceid " + long + "0 x-b3-spanid " + span + " b3 " + long + "0-" + span, "", "00"},
	} {
		for _, form := range []string{"x-b3-", "b3"} {
			request, _ := http.NewRequest("GET", "http://reviews:9080/"+form, nil)
			for words := strings.Fields(test.headers); len(words) > 0; words = words[2:] {
				request.Header.Set(words[0], words[1])
			}
			_, body := answerTo(t, proxied(web), request)
			trace := test.trace
			if trace == "" { // a new one: that of the first call
				trace = strings.Split(body+"----", "-")[1]
				if strings.Contains(body, long) || len(trace) != len(long) {
					t.Errorf("%s, passed on by %s: %swant a trace of its own", test.name, form, body)
				}
			}
			for _, line := range strings.SplitN(strings.TrimSpace(body), "\n", 2) {
				if !strings.HasPrefix(line, "200 00-"+trace+"-") || !strings.HasSuffix(line, "-"+test.flags) {
					t.Errorf("%s, passed on by %s: %s, want both calls of trace %s and flags %s", test.name, form, body, trace, test.flags)
				}
			}
			if test.flags == "01" {
				c.below(t, test.name, span)
			}
		}
	}
	if len(c.spans) > 0 {
		t.Errorf("%d spans more; who began those traces decided not to tell of them", len(c.spans))
	}
}

// below wants the spans of one request and its two calls, each below the one that called it.
func (c *collector) below(t *testing.T, name, parent string) {
	t.Helper()
	all := c.next(t, 4)
	caller, callee := all["client GET reviews:9080"], all["server GET reviews:9080"]
	first, second := all["client GET api.example.com"], all["client POST api.example.com"]
	if caller == nil || callee == nil || first == nil || second == nil {
		t.Fatalf("%s: spans %v", name, all)
	}
	if fmt.Sprintf("%x", caller.ParentSpanId) != parent || !bytes.Equal(callee.ParentSpanId, caller.SpanId) ||
		!bytes.Equal(first.ParentSpanId, callee.SpanId) || !bytes.Equal(second.ParentSpanId, callee.SpanId) {
		t.Errorf("%s: parents of %v", name, all)
	}
}
