package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/model"
)

// What is listed of a service is what holds, with who says so; the rest are defaults.
func TestTermsOfAService(t *testing.T) {
	host := model.HostOf("shop", "reviews")
	at := func(kind string) model.Origin {
		return model.Origin{Key: model.Key{Kind: kind, Namespace: "shop", Name: "x"}, Path: "spec"}
	}
	rule, said := at("VirtualService"), at("Resilience")
	service := model.Service{Host: host, Namespace: "shop", Name: "reviews", Selector: map[string]string{"app": "reviews"}, Ports: []model.Port{{Number: 80, Protocol: model.HTTP}}}
	tables := []model.RouteTable{{Hosts: []string{host}, Gateways: []string{model.Mesh}, Rules: []model.Rule{{
		Matches:  []model.Match{{Within: model.Within{Path: model.StringMatch{PathPrefix: "/a"}}}},
		Backends: []model.Backend{{Host: host, Fallback: &model.Fallback{On: []uint32{503}, Status: 200, Body: "-", From: []model.Origin{said}}}},
		Calls:    model.Calls{Timeout: time.Second, Retry: &model.Retry{Attempts: 2, HedgeAfter: time.Millisecond}, RetryFrom: &said}, Origin: rule,
	}}}}
	all := Policies{
		Policies: []model.Policy{
			{Object: model.Key{Namespace: "other"}, Host: "*", Traffic: model.TrafficPolicy{Pool: model.Pool{MaxPending: 9}}},
			{Host: host, Traffic: model.TrafficPolicy{Pool: model.Pool{MaxConnections: 7, MaxRequests: 8}}, From: []model.Origin{at("DestinationRule"), said}},
		},
		Limits:     []model.Policy{{Host: host, Traffic: model.TrafficPolicy{Pool: model.Pool{MaxRequests: 8}}, From: []model.Origin{said}}},
		RateLimits: []model.RateLimit{{Object: model.Key{Namespace: "shop"}, Target: model.LimitTarget{Kind: "Service", Name: "reviews"}, Limits: []model.Limit{{Name: "all", Requests: 5, Per: time.Minute, Burst: 5, Origin: at("RateLimit")}}}},
		Mode: func(w model.Workload, port uint32) (model.MTLSMode, []model.Key) {
			if w.Namespace == "shop" && w.Labels["app"] == "reviews" && port == 80 {
				return model.MTLSStrict, []model.Key{at("PeerAuthentication").Key}
			}
			return model.MTLSOff, nil
		},
		Authorizations: []model.Authorization{
			{Reach: model.Reach{Namespace: "shop"}, Action: model.Allow, Rules: []model.AuthzRule{{From: []model.AuthzSource{{Principals: []string{"web"}}}}}, From: []model.Origin{at("AuthorizationPolicy")}},
			{Reach: model.Reach{Namespace: "shop", Targets: []model.Target{{Gateway: "shop/edge"}}}, Action: model.Deny, From: []model.Origin{at("AuthorizationPolicy")}},
			{Reach: model.Reach{Namespace: "shop", Targets: []model.Target{{Service: host}}}, Action: model.Audit, From: []model.Origin{at("AuthorizationPolicy")}},
		},
	}
	var got []string
	for _, term := range all.of(service, tables) {
		who := term.From.Object
		if term.Default {
			who = "default"
		}
		got = append(got, term.Requests+": "+term.Name+" "+term.Value+" <- "+who)
	}
	for _, want := range []string{
		"/a/*: timeout 1s <- VirtualService shop/x",
		"/a/*: retries 2, one beside the first after 1ms <- Resilience shop/x",
		"/a/*: fallback 503: 200 - <- Resilience shop/x",
		"everything: circuitBreaker 7 connections <- DestinationRule shop/x",
		"everything: circuitBreaker 8 requests at once <- Resilience shop/x",
		"everything: circuitBreaker 4096 requests waiting <- default",
		"everything: rateLimit all: 5 per minute <- RateLimit shop/x",
		"everything: mtls strict at port 80 <- PeerAuthentication shop/x",
		"everything: allow web <- AuthorizationPolicy shop/x",
		"everything: audit nobody <- AuthorizationPolicy shop/x",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in\n%q", want, got)
		}
	}
	if slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, ": deny ") }) {
		t.Errorf("a gateway's policy is listed:\n%q", got)
	}
}
