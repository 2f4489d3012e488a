package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	authentication "k8s.io/api/authentication/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/model"
	"weft.dev/test/peer"
	"weft.dev/test/process"
)

const (
	// calls is how many services a pod calls: those beside its own.
	calls    = 10
	syncTime = 5 * time.Minute
	// somewhere stands for the pod's address, which weft has from Kubernetes.
	somewhere = "10.0.0.1"
	lookTime  = time.Millisecond
)

// fleet are the proxies of the first replicas of services.
type fleet struct {
	shape
	proxies []*peer.Proxy
	running sync.WaitGroup
}

// connect starts the proxies of the first replicas of n services.
func (s shape) connect(ctx context.Context, w *weft, n int) (*fleet, error) {
	f := &fleet{shape: s}
	for first := 0; first < n; first += perNamespace {
		token, err := s.token(ctx, namespace(first))
		if err != nil {
			return nil, err
		}
		held, err := peer.Attest(ctx, w.mesh, w.roots, token)
		if err != nil {
			return nil, err
		}
		for i := first; i < min(first+perNamespace, n); i++ {
			p, err := peer.NewProxy(w.mesh, held, model.Registration{
				Namespace: namespace(i), Name: pod(i, 0), ServiceAccount: "default", Address: somewhere,
			})
			if err != nil {
				return nil, err
			}
			for _, called := range s.called(i) {
				p.Call(host(called))
			}
			f.proxies = append(f.proxies, p)
			f.running.Go(func() { p.Run(ctx) })
		}
	}
	return f, process.Until(syncTime, f.synced)
}

func (s shape) token(ctx context.Context, namespace string) (string, error) {
	request := &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{Audiences: []string{"weft"}}}
	made, err := s.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "default", request, meta.CreateOptions{})
	if err != nil {
		return "", err
	}
	return made.Status.Token, nil
}

// called are the services that a service calls. All of a namespace call the same
// ones: they share an account, and with it what weft learns of it.
func (s shape) called(i int) (all []int) {
	first := i / perNamespace * perNamespace
	for next := range calls {
		all = append(all, (first+next*7)%s.services)
	}
	return all
}

func host(i int) string { return fmt.Sprintf("%s.%s.svc.cluster.local:80", service(i), namespace(i)) }

// synced: every proxy holds the endpoints of all that it calls.
func (f *fleet) synced() error {
	for i, p := range f.proxies {
		for _, called := range f.called(i) {
			if f.endpoints(p, called) == "" {
				return fmt.Errorf("proxy %s has no endpoints of %s: it lost its connection because: %w", p.ID(), host(called), p.Lost())
			}
		}
	}
	return nil
}

// endpoints is the version of the endpoints of a service that a proxy holds; "": none.
func (f *fleet) endpoints(p *peer.Proxy, of int) string {
	prefix := model.TypeEndpoint.String() + " " + strings.TrimSuffix(host(of), ":80")
	for name, version := range p.Versions() {
		if strings.HasPrefix(name, prefix) {
			return version
		}
	}
	return ""
}

// change removes a pod that a proxy calls, and says how long it takes until the
// proxy's endpoints are others: the API server's part included.
func (f *fleet) change(ctx context.Context, i int) (time.Duration, error) {
	caller := f.proxies[i%len(f.proxies)]
	target := f.called(i % len(f.proxies))[i%calls]
	before := f.endpoints(caller, target)
	start := time.Now()
	replica := 1 + i/calls%(f.replicas-1)
	if err := f.client.CoreV1().Pods(namespace(target)).Delete(ctx, pod(target, replica), meta.DeleteOptions{}); err != nil {
		return 0, err
	}
	for f.endpoints(caller, target) == before {
		if time.Since(start) > time.Minute {
			return 0, fmt.Errorf("pod %s is gone, and proxy %s does not learn of it", pod(target, replica), caller.ID())
		}
		time.Sleep(lookTime)
	}
	return time.Since(start), nil
}

// percentile of sorted durations.
func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
