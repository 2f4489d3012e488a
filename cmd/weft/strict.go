package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weft.dev/mtls"
	"weft.dev/store"
)

var peerAuthentications = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "peerauthentications"}

// turn makes services strict. It writes objects and reads what proxies acknowledged: it talks to none.
type turn struct {
	mtlsFlags
	watch, timeout time.Duration

	from   *server
	client dynamic.NamespaceableResourceInterface
}

// turned is what became of a service.
type turned struct {
	Service string      `json:"service"`
	Strict  bool        `json:"strict"`
	Why     string      `json:"why,omitempty"`
	Refused []mtls.Edge `json:"refused,omitempty"` // because of whom it was taken back
}

func (t *turn) connect(c *cobra.Command) error {
	config, err := restConfig(c)
	if err != nil {
		return err
	}
	all, _, err := newObjects(config)
	if err != nil {
		return err
	}
	t.client = all.Resource(peerAuthentications)
	t.from, err = connect(c)
	return err
}

// begin connects, and finds the services that are named in the plan of now.
func (t *turn) begin(c *cobra.Command, words []string) ([]mtls.Service, error) {
	if err := t.connect(c); err != nil {
		return nil, err
	}
	p, err := t.plan(c, t.from)
	if err != nil {
		return nil, err
	}
	return t.pick(p, words)
}

// all takes one service after the other, until one had to be taken back.
func (t *turn) all(c *cobra.Command, picked []mtls.Service) (done []turned, err error) {
	done = []turned{}
	for _, s := range picked {
		one, err := t.one(c, s)
		done = append(done, one)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (t *turn) one(c *cobra.Command, s mtls.Service) (turned, error) {
	name := plannedName(s)
	say := func(text string) { fmt.Fprintln(c.ErrOrStderr(), name+": "+text) }
	if s.State == mtls.Strict {
		return turned{Service: name, Strict: true, Why: "it was before"}, nil
	}
	s, err := t.until(c, s, func(now mtls.Service) (bool, error) {
		if now.State == mtls.Ready || now.State == mtls.Unknown && len(now.Lagging) > 0 {
			return now.State == mtls.Ready, nil
		}
		return false, fmt.Errorf("service %s is not ready, but %s: %s", name, now.State, strings.Join(now.Why, "; "))
	})
	if err != nil {
		return turned{Service: name, Why: err.Error()}, err
	}
	say("whoever calls it speaks mTLS")
	if err := t.write(c.Context(), s); err != nil {
		return turned{Service: name, Why: err.Error()}, err
	}
	say("PeerAuthentication " + mtls.Policy(s.Name) + " written")
	strict, err := t.until(c, s, func(now mtls.Service) (bool, error) {
		return now.State == mtls.Strict && now.Current == now.Instances, nil
	})
	if err != nil {
		return t.takeBack(c, s, nil, err)
	}
	say(fmt.Sprintf("strict, acknowledged by %d of %d; watching for %s", strict.Current, strict.Instances, t.watch))
	refused, err := t.refused(c, s)
	if err != nil || len(refused) > 0 {
		return t.takeBack(c, s, refused, err)
	}
	return turned{Service: name, Strict: true, Why: "nobody was refused"}, nil
}

// until asks for plans until check holds of the service, at most for the timeout.
func (t *turn) until(c *cobra.Command, s mtls.Service, check func(mtls.Service) (bool, error)) (now mtls.Service, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), t.timeout)
	defer cancel()
	now = s
	err = poll(ctx, func() (bool, error) {
		var err error
		if now, err = t.now(c, s); err != nil {
			return false, err
		}
		return check(now)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("service %s: not acknowledged within %s: %d of its %d proxies; callers that lack something: %s",
			plannedName(s), t.timeout, now.Current, now.Instances, strings.Join(now.Lagging, ", "))
	}
	return now, err
}

func (t *turn) now(c *cobra.Command, s mtls.Service) (mtls.Service, error) {
	p, err := t.plan(c, t.from)
	if err != nil {
		return s, err
	}
	found, err := t.pick(p, []string{plannedName(s)})
	if err != nil {
		return s, err
	}
	return found[0], nil
}

// write makes the service strict, by an object that people can see.
func (t *turn) write(ctx context.Context, s mtls.Service) error {
	body, err := json.Marshal(map[string]any{
		"apiVersion": peerAuthentications.GroupVersion().String(), "kind": "PeerAuthentication",
		"metadata": map[string]any{"name": mtls.Policy(s.Name), "namespace": s.Namespace, "labels": map[string]any{managedBy: fieldManager}},
		"spec":     map[string]any{"selector": map[string]any{"matchLabels": s.Selector}, "mtls": map[string]any{"mode": "STRICT"}},
	})
	if err != nil {
		return err
	}
	force := true
	_, err = t.client.Namespace(s.Namespace).Patch(ctx, mtls.Policy(s.Name), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	return answered(err)
}

// refused watches, and gives those who were refused since the service was strict.
func (t *turn) refused(c *cobra.Command, before mtls.Service) (edges []mtls.Edge, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), t.watch)
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		now, err := t.now(c, before)
		if err != nil {
			return false, err
		}
		edges = newlyRefused(before, now)
		return len(edges) > 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && c.Context().Err() == nil {
		err = nil
	}
	return edges, err
}

// newlyRefused are those of now of whom more calls were refused than before.
func newlyRefused(before, now mtls.Service) (all []mtls.Edge) {
	for _, e := range now.Edges {
		i := slices.IndexFunc(before.Edges, func(o mtls.Edge) bool {
			return o.From == e.From && o.Port == e.Port && o.Transport == mtls.Refused
		})
		if e.Transport == mtls.Refused && (i < 0 || before.Edges[i].Calls < e.Calls) {
			all = append(all, e)
		}
	}
	return all
}

// takeBack lets plain text in again, because of who was refused or of why.
func (t *turn) takeBack(c *cobra.Command, s mtls.Service, refused []mtls.Edge, why error) (turned, error) {
	one := turned{Service: plannedName(s), Refused: refused}
	if c.Context().Err() != nil {
		one.Strict, one.Why = true, "nobody watched to the end; weft mtls undo "+one.Service+" lets plain text in again"
		return one, fmt.Errorf("service %s: %s", one.Service, one.Why)
	}
	if err := t.back(c, s); err != nil {
		return one, errors.Join(why, err)
	}
	if why != nil {
		one.Why = "taken back: " + why.Error()
		return one, fmt.Errorf("service %s: %s", one.Service, one.Why)
	}
	var who []string
	for _, e := range refused {
		who = append(who, fmt.Sprintf("%s (%s)", e.From, e.Who))
	}
	one.Why = "taken back, because it refused " + strings.Join(who, ", ")
	return one, exitCode{exitFindings, fmt.Errorf("service %s: %s", one.Service, one.Why)}
}

// back deletes what write wrote, and waits until the service's proxies know.
func (t *turn) back(c *cobra.Command, s mtls.Service) error {
	err := t.client.Namespace(s.Namespace).Delete(c.Context(), mtls.Policy(s.Name), metav1.DeleteOptions{})
	if store.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return answered(err)
	}
	by := "PeerAuthentication " + s.Namespace + "/" + mtls.Policy(s.Name)
	_, err = t.until(c, s, func(now mtls.Service) (bool, error) {
		return !slices.Contains(now.By, by) && now.Current == now.Instances, nil
	})
	return err
}
