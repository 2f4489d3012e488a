package main

import (
	"fmt"
	"iter"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/store"
)

// refusal is one resource that proxies refused, of one object that caused it.
type refusal struct {
	object     model.Key
	kind, name string
	version    uint64
}

func (r refusal) key() string {
	return fmt.Sprintf("%s|%s %s|%x", r.object, r.kind, r.name, r.version)
}

// refusals are the problems of the objects that caused what proxies refused:
// one for an object and resource, however many refused it.
func refusals(proxies *flow.Collection[model.Proxy]) *flow.Collection[model.Problem] {
	index := flow.NewIndex(proxies, func(proxy model.Proxy) []string {
		var keys []string
		for r := range refusedBy(proxy) {
			keys = append(keys, r.key())
		}
		return keys
	})
	return flow.Group(index, "problems of proxies", func(_ *flow.Ctx, key string, all []model.Proxy) *model.Problem {
		for r, reason := range refusedBy(all[0]) {
			if r.key() != key {
				continue
			}
			who := "proxy " + all[0].ID
			if others := len(all) - 1; others > 0 {
				who += fmt.Sprintf(" and %d more", others)
			}
			return &model.Problem{
				Object: r.object, Code: model.ProblemRefused,
				Message: fmt.Sprintf("%s refused %s %s and keeps what it had: %s", who, r.kind, r.name, reason),
			}
		}
		return nil
	})
}

// refusedBy yields what a proxy refused, by each object that caused it, and why.
func refusedBy(proxy model.Proxy) iter.Seq2[refusal, string] {
	return func(yield func(refusal, string) bool) {
		for _, r := range proxy.Refusals {
			for _, object := range r.From {
				if !yield(refusal{object, r.Type, r.Name, r.Version}, r.Reason) {
					return
				}
			}
		}
	}
}

// objectProblems is all that is wrong with one object. Key: the object's.
type objectProblems struct {
	object   model.Key
	problems []model.Problem
}

func (p objectProblems) Key() string { return p.object.String() }

func (p objectProblems) Equal(o objectProblems) bool {
	if p.object != o.object || len(p.problems) != len(o.problems) {
		return false
	}
	for i := range p.problems {
		if p.problems[i] != o.problems[i] {
			return false
		}
	}
	return true
}

// writeProblems keeps the statuses of objects true.
func writeProblems(all *flow.Collection[model.Problem], to *store.StatusWriter) {
	byObject := flow.NewIndex(all, func(p model.Problem) []string { return []string{p.Object.String()} })
	grouped := flow.Group(byObject, "problems by object", func(_ *flow.Ctx, _ string, problems []model.Problem) *objectProblems {
		return &objectProblems{problems[0].Object, problems}
	})
	grouped.Observe(func(_ flow.Revision, changes []flow.Change[objectProblems]) {
		for _, change := range changes {
			if change.New != nil {
				to.Set(report(*change.New))
			} else {
				to.Set(report(objectProblems{object: change.Old.object}))
			}
		}
	})
}

func report(p objectProblems) store.Report {
	r := store.Report{Kind: api.Kind(p.object.Kind), Namespace: p.object.Namespace, Name: p.object.Name}
	for _, problem := range p.problems {
		r.Generation = max(r.Generation, problem.Generation)
		r.Problems = append(r.Problems, v1alpha1.Problem{Code: problem.Code, Path: problem.Path, Message: problem.Message})
	}
	return r
}
