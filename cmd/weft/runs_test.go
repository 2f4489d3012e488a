package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// What is allowed is, but never a port of weft's own.
func TestWebhooksReachWhatIsAllowed(t *testing.T) {
	var flags serveFlags
	for _, text := range []string{"127.0.0.0/8", "::1/128"} {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		flags.webhookAllow = append(flags.webhookAllow, *network)
	}
	flags.listen, flags.mesh, flags.webhook = "127.0.0.1:7443", "[::]:7444", ":7445"
	for text, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "10.0.0.1:80": false, "[::2]:80": false,
		"127.0.0.1:7443": false, "127.0.0.1:7444": false, "[::1]:7445": false,
	} {
		if err := flags.guard().Check(netip.MustParseAddrPort(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Where nobody vouches for who writes a decision, a judgment is refused, and says why.
func TestNobodyJudgesWhereNobodyVouches(t *testing.T) {
	with, err := newMachine()
	if err != nil {
		t.Fatal(err)
	}
	with.Stages["judgment"] = unvouched{}
	spec := &v1alpha1.PipelineSpec{Stages: []v1alpha1.Stage{{Name: "ask", Judgment: &v1alpha1.JudgmentStage{}}}}
	in := pipeline.Input{
		Now: time.Unix(1, 0), Run: pipeline.Run{UID: "1", Name: "r", Trigger: v1alpha1.TriggerFact{Type: pipeline.Manual, By: "ann"}},
		Decisions: []pipeline.Decision{{Name: "d", Verb: pipeline.Judge, Stage: "ask", Attempt: 1, Choice: "continue", By: "bob"}},
	}
	var state pipeline.State
	for range 5 {
		for _, e := range pipeline.Next(spec, state, in, with).Events {
			state = pipeline.Apply(state, e)
		}
	}
	if state.Phase != v1alpha1.RunFailed || !strings.Contains(state.Why, "does not vouch") {
		t.Errorf("%s: %s", state.Phase, state.Why)
	}
}
