package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/store"
)

// rejected is one version of a resource that proxies refused. Key: all of it that is not who and why.
type rejected struct {
	key   string
	first string // proxy
	more  int    // proxies
	model.Refusal
}

func (r rejected) Key() string           { return r.key }
func (r rejected) Equal(o rejected) bool { return reflect.DeepEqual(r, o) }

func keyOf(r model.Refusal) string { return fmt.Sprintf("%s %s|%x", r.Type, r.Name, r.Version) }

// refusals are the problems of the objects that caused what proxies refused:
// one for an object and resource, however many refused it.
func refusals(proxies *flow.Collection[model.Proxy]) *flow.Collection[model.Problem] {
	index := flow.NewIndex(proxies, func(proxy model.Proxy) []string {
		var keys []string
		for _, r := range proxy.Refusals {
			keys = append(keys, keyOf(r))
		}
		return keys
	})
	all := flow.Group(index, "refused by proxies", func(_ *flow.Ctx, key string, by []model.Proxy) *rejected {
		r := rejected{key: key, first: by[0].ID, more: len(by) - 1}
		for i, proxy := range by {
			one := proxy.Refusals[slices.IndexFunc(proxy.Refusals, func(r model.Refusal) bool { return keyOf(r) == key })]
			if i == 0 {
				r.Refusal = one
			} else {
				r.From = suspects(r.From, one.From)
			}
		}
		return &r
	})
	return flow.Derive(all, "problems of proxies", func(_ *flow.Ctx, r rejected) (problems []model.Problem) {
		who := "proxy " + r.first
		if r.more > 0 {
			who += fmt.Sprintf(" and %d more", r.more)
		}
		for _, object := range r.From {
			problems = append(problems, model.Problem{
				Object: object, Code: model.ProblemRefused,
				Message: fmt.Sprintf("%s refused %s %s and keeps what it had: %s", who, r.Type, r.Name, brief(r.Reason)),
			})
		}
		return problems
	})
}

// idle are the problems of what is in files and has no effect there: who runs it
// keeps a record, and a file is none.
func idle(files *flow.Collection[api.Object]) *flow.Collection[model.Problem] {
	return flow.Derive(files, "what does not run from files", func(_ *flow.Ctx, o api.Object) []model.Problem {
		switch o.Kind {
		case api.Release, api.Pipeline, api.PipelineRun, api.Decision:
			return []model.Problem{{
				Object: model.Key{Kind: string(o.Kind), Namespace: o.Namespace, Name: o.Name}, Code: model.ProblemNotHonoured,
				Message: "nothing runs it here, where resources are files: releases and pipelines need the API server of weft serve without --config and --git",
			}}
		}
		return nil
	})
}

// What is shown of a reason, in bytes. Envoy shows the whole resource first, and says last what is wrong with it.
const (
	reasonHead = 100
	reasonTail = 300
)

// brief is a reason in one line, without its middle if it is long.
func brief(reason string) string {
	reason = strings.Join(strings.Fields(reason), " ")
	if len(reason) <= reasonHead+reasonTail {
		return reason
	}
	return strings.ToValidUTF8(reason[:reasonHead]+" ... "+reason[len(reason)-reasonTail:], "")
}

// suspects are those whom both proxies suspect, or else all whom either does.
func suspects(some, others []model.Key) []model.Key {
	both := slices.DeleteFunc(slices.Clone(some), func(key model.Key) bool { return !slices.Contains(others, key) })
	if len(both) > 0 {
		return both
	}
	either := slices.Concat(some, others)
	slices.SortFunc(either, model.Key.Compare)
	return slices.Compact(either)
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
