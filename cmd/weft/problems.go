package main

import (
	"fmt"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/store"
)

// refusals are the problems of the objects that caused what a proxy refused.
func refusals(proxies *flow.Collection[model.Proxy]) *flow.Collection[model.Problem] {
	return flow.Derive(proxies, "problems of proxies", func(_ *flow.Ctx, proxy model.Proxy) []model.Problem {
		var found []model.Problem
		for _, refusal := range proxy.Refusals {
			for _, object := range refusal.From {
				found = append(found, model.Problem{
					Object: object, Code: model.ProblemRefused,
					Message: fmt.Sprintf("proxy %s refused %s %s and keeps what it had: %s", proxy.ID, refusal.Type, refusal.Name, refusal.Reason),
				})
			}
		}
		return found
	})
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
