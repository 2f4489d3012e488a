// Command loadbalancer gives the Services of type LoadBalancer of a test
// cluster an address each, from a range that is routed in the node's network
// namespace; kube-proxy does the rest. It must not know whose Services they are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// retryTime is how soon a Service that could not be served is looked at again.
const retryTime = time.Second

func main() {
	addresses := flag.String("addresses", "", "range to give from, like 10.97.0.0/24")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addresses); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addresses string) error {
	all, err := netip.ParsePrefix(addresses)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	services := factory.Core().V1().Services()
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default: // one pass sees all changes
		}
	}
	if _, err := services.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	b := balancer{client, services.Lister(), all}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			if err := b.assign(ctx); err != nil {
				log.Print(err)
				time.AfterFunc(retryTime, wake)
			}
		}
	}
}

type balancer struct {
	client    kubernetes.Interface
	services  listers.ServiceLister
	addresses netip.Prefix
}

// assign gives an address to each Service that lacks one, or has another than it asks for. Those that ask come first.
func (b balancer) assign(ctx context.Context) error {
	services, err := b.services.List(labels.Everything())
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, s := range services {
		for _, in := range s.Status.LoadBalancer.Ingress {
			taken[in.IP] = true
		}
	}
	slices.SortStableFunc(services, func(x, y *core.Service) int { return strings.Compare(y.Spec.LoadBalancerIP, x.Spec.LoadBalancerIP) })
	var errs []error
	for _, s := range services {
		if s.Spec.Type == core.ServiceTypeLoadBalancer && !served(s) {
			errs = append(errs, b.give(ctx, s.DeepCopy(), taken))
		}
	}
	return errors.Join(errs...)
}

// served says whether a Service has an address, and that for which it asks.
func served(s *core.Service) bool {
	in := s.Status.LoadBalancer.Ingress
	return len(in) > 0 && (s.Spec.LoadBalancerIP == "" || s.Spec.LoadBalancerIP == in[0].IP)
}

func (b balancer) give(ctx context.Context, s *core.Service, taken map[string]bool) error {
	address, err := b.choose(s.Spec.LoadBalancerIP, taken)
	if err != nil {
		log.Printf("service %s/%s: %v", s.Namespace, s.Name, err) // as it asks for what cannot be had, trying again soon is no use
		return nil
	}
	taken[address.String()] = true
	s.Status.LoadBalancer.Ingress = []core.LoadBalancerIngress{{IP: address.String()}}
	_, err = b.client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, s, meta.UpdateOptions{})
	return err
}

// choose finds a free address, or the one that is asked for.
func (b balancer) choose(asked string, taken map[string]bool) (netip.Addr, error) {
	address := b.addresses.Addr().Next()
	if asked != "" {
		address, _ = netip.ParseAddr(asked)
		if !b.addresses.Contains(address) || taken[asked] {
			return address, fmt.Errorf("the address %s is not in %v, or another Service has it", asked, b.addresses)
		}
		return address, nil
	}
	for taken[address.String()] {
		address = address.Next()
	}
	if !b.addresses.Contains(address) {
		return address, fmt.Errorf("all addresses of %v are taken", b.addresses)
	}
	return address, nil
}
