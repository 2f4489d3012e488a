package main

import (
	"net"
	"net/netip"
	"testing"
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
