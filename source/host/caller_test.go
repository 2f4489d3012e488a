package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
)

// A stream is for the proxy that its certificate's account has registered, whatever it says it is.
func TestAProxyIsWhoItsCertificateSays(t *testing.T) {
	p := openPort(t)
	if _, err := say(t, p.workload(t, "reviews"), model.AgentMessage{Register: registration("reviews", "reviews-1")}); err != nil {
		t.Fatal(err)
	}
	machine := p.host(t, identity.Grant{Namespaces: []string{"shop"}, Apps: []string{"reviews"}})
	certificate := func(app string) *x509.Certificate {
		t.Helper()
		held, err := renew(t, machine, "shop", app)
		if err != nil {
			t.Fatal(err)
		}
		return held.Leaf()
	}
	reviews := certificate("reviews")
	machine = p.host(t, identity.Grant{Namespaces: []string{"evil", "shop"}, Apps: []string{"ratings"}})
	ratings := certificate("ratings")
	for name, test := range map[string]struct {
		by              *x509.Certificate
		as              []string
		namespace, name string
		want            codes.Code
	}{
		"itself":                     {reviews, nil, "shop", "reviews-1", codes.OK},
		"another account":            {ratings, nil, "shop", "reviews-1", codes.PermissionDenied},
		"the same name elsewhere":    {reviews, nil, "evil", "reviews-1", codes.Unavailable},
		"one that is not registered": {reviews, nil, "shop", "reviews-2", codes.Unavailable},
		"in another's name":          {ratings, []string{"shop/reviews"}, "shop", "reviews-1", codes.PermissionDenied},
		"in two names":               {ratings, []string{"shop/ratings", "shop/reviews"}, "shop", "reviews-1", codes.InvalidArgument},
		"nobody":                     {nil, nil, "shop", "reviews-1", codes.Unauthenticated},
	} {
		state := tls.ConnectionState{}
		if test.by != nil {
			state.VerifiedChains = [][]*x509.Certificate{{test.by}}
		}
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{}, AuthInfo: credentials.TLSInfo{State: state}})
		ctx = metadata.NewIncomingContext(ctx, metadata.MD{model.AsWorkload: test.as})
		if err := p.server.Proxy(ctx, test.namespace, test.name); status.Code(err) != test.want {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if log := p.log.String(); strings.Count(log, "a stream was refused") != 2 || !strings.Contains(log, "proxy=shop/reviews-1") {
		t.Errorf("the log says\n%s", log)
	}
	if err := p.server.Proxy(context.Background(), "shop", "reviews-1"); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a connection: %v", err)
	}
}
