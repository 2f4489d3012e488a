package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/pin"
	"weft.dev/release/pipeline"
	"weft.dev/web"
)

// acts are what pages do: what commands do, with the rights of who runs `weft ui`, and with no other way to the server.
type acts struct{ command *cobra.Command }

// maxAsked is the size of what a page may send: a reason, the parameters of a run, or the text of a pipeline.
const maxAsked = 1 << 20

func (a acts) handle(mux *http.ServeMux) {
	release := web.Prefix + "releases/{namespace}/{name}/"
	mux.HandleFunc("POST "+release+"abort", a.answer(a.decision("abort", "aborter")))
	mux.HandleFunc("POST "+release+"promote", a.answer(a.decision("promote", "promoter")))
	application := web.Prefix + "applications/{namespace}/{name}/"
	mux.HandleFunc("POST "+application+"release", a.answer(a.release))
	mux.HandleFunc("GET "+application+"undo", a.answer(a.undoPlan))
	mux.HandleFunc("POST "+application+"undo", a.answer(a.undo))
	run := web.Prefix + "runs/{namespace}/{name}/"
	mux.HandleFunc("POST "+run+"judge", a.answer(a.judge))
	mux.HandleFunc("POST "+run+"cancel", a.answer(a.cancel))
	pipeline := web.Prefix + "pipelines/{namespace}/{name}/"
	mux.HandleFunc("POST "+pipeline+"run", a.answer(a.start))
	mux.HandleFunc("GET "+pipeline+"text", a.answer(a.pipelineText))
	mux.HandleFunc("POST "+pipeline+"edit", a.answer(a.editPipeline))
	mux.HandleFunc("POST "+pipeline+"save", a.answer(a.savePipeline))
	mux.HandleFunc("GET "+web.Prefix+web.RightsPath, a.answer(a.rights))
	mux.HandleFunc("POST "+web.Prefix+"freezes", a.answer(a.freeze))
	mux.HandleFunc("POST "+web.Prefix+"freezes/{name}/lift", a.answer(a.lift))
}

// answer says what the API server does not let happen as it says it.
func (a acts) answer(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxAsked)
		value, err := do(r)
		if err != nil {
			fail(w, refusal(err), err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
}

// refusal is the status of an error: the API server's own, or that nothing can be done as things are.
func refusal(err error) int {
	var said apierrors.APIStatus
	var coded exitCode
	switch {
	case errors.As(err, &said):
		return cmp.Or(int(said.Status().Code), http.StatusBadGateway)
	case errors.As(err, &coded) && coded.code == exitNoServer:
		return http.StatusBadGateway
	case errors.As(err, &coded) && coded.code == exitDenied:
		return http.StatusForbidden
	}
	return http.StatusConflict
}

func (a acts) releases(r *http.Request) (objects[v1alpha1.Release], error) {
	return objectsIn[v1alpha1.Release](a, r, api.Release)
}

// objectsIn are those of the namespace that a request names.
func objectsIn[T any](a acts, r *http.Request, kind api.Kind) (objects[T], error) {
	all, err := objectsOf[T](a.command, kind)
	all.namespace = r.PathValue("namespace")
	return all, err
}

func (a acts) decision(verb, who string) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		releases, err := a.releases(r)
		if err != nil {
			return nil, err
		}
		return web.Done{}, decideRelease(a.command, releases, r.PathValue("name"), verb, who)
	}
}

func (a acts) release(r *http.Request) (any, error) {
	var asked web.ReleaseRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Version == "" {
		return nil, errors.New(`release: want {"version": VERSION, "strategy": STRATEGY}`)
	}
	releases, err := a.releases(r)
	if err != nil {
		return nil, err
	}
	made, err := startRelease(a.command, releases, r.PathValue("name"), asked.Version, v1alpha1.StrategyType(asked.Strategy))
	if err != nil {
		return nil, err
	}
	return web.Done{Page: releasePage(made)}, nil
}

// releasePage is where a release is seen.
func releasePage(r *v1alpha1.Release) string { return "releases/" + r.Namespace + "/" + r.Name }

func (a acts) undoPlan(r *http.Request) (any, error) {
	releases, err := a.releases(r)
	if err != nil {
		return nil, err
	}
	target, serving, err := undoTarget(a.command, releases, r.PathValue("name"), "")
	if err != nil {
		return nil, err
	}
	then, err := compared(a.command, releases.namespace, r.PathValue("name"), target)
	plan := then.plan(serving, target, pin.Back{}).value.(web.UndoPlan)
	if err != nil {
		plan.Unknown = err.Error()
	}
	return plan, nil
}

// undo gives back traffic alone, to the version that its page has named: another may serve since it was looked at.
func (a acts) undo(r *http.Request) (any, error) {
	var asked web.UndoRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.To == "" {
		return nil, errors.New(`undo: want {"to": VERSION, "reason": TEXT}`)
	}
	releases, err := a.releases(r)
	if err != nil {
		return nil, err
	}
	made, err := standing{namespace: releases.namespace}.undo(a.command, releases, r.PathValue("name"), asked.To, asked.Reason, pin.Back{})
	if made == nil {
		return nil, err
	}
	return web.Done{Page: releasePage(made)}, err
}

func (a acts) judge(r *http.Request) (any, error) {
	var asked web.JudgeRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Stage == "" || asked.Choice == "" {
		return nil, errors.New(`judge: want {"stage": NAME, "attempt": N, "choice": CHOICE, "reason": TEXT}`)
	}
	return a.decide(r, v1alpha1.DecisionSpec{Verb: pipeline.Judge, Stage: asked.Stage, Attempt: asked.Attempt, Choice: asked.Choice, Reason: asked.Reason})
}

func (a acts) cancel(r *http.Request) (any, error) {
	var asked web.CancelRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, errors.New(`cancel: want {"reason": TEXT}`)
	}
	return a.decide(r, v1alpha1.DecisionSpec{Verb: pipeline.Cancel, Reason: asked.Reason})
}

func (a acts) decide(r *http.Request, spec v1alpha1.DecisionSpec) (any, error) {
	runs, err := objectsIn[v1alpha1.PipelineRun](a, r, api.PipelineRun)
	if err != nil {
		return nil, err
	}
	run, err := runs.get(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return web.Done{}, writeDecision(a.command, run, spec)
}

func (a acts) start(r *http.Request) (any, error) {
	var asked web.StartRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, errors.New(`run: want {"parameters": {NAME: TEXT}}`)
	}
	runs, err := objectsIn[v1alpha1.PipelineRun](a, r, api.PipelineRun)
	if err != nil {
		return nil, err
	}
	made, err := startRun(a.command, runs, "", v1alpha1.PipelineRunSpec{Pipeline: r.PathValue("name"), Parameters: asked.Parameters})
	if err != nil {
		return nil, err
	}
	return web.Done{Page: "runs/" + made.Namespace + "/" + made.Name}, nil
}

func (a acts) freeze(r *http.Request) (any, error) {
	var asked web.FreezeRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Reason == "" {
		return nil, errors.New(`freeze: want {"reason": TEXT}: say why, for those who wait`)
	}
	spec := v1alpha1.FreezeSpec{Reason: asked.Reason, Except: asked.Except, Namespaces: asked.Namespaces, Applications: asked.Applications}
	if asked.Until != "" {
		end, err := parseUntil(asked.Until, time.Now())
		if err != nil {
			return nil, err
		}
		spec.Until = &metav1.Time{Time: end}
	}
	_, err := freeze(a.command, "", spec)
	return web.Done{}, err
}

func (a acts) lift(r *http.Request) (any, error) {
	freezes, err := objectsOf[v1alpha1.Freeze](a.command, api.Freeze)
	if err != nil {
		return nil, err
	}
	return web.Done{}, answered(freezes.all.Delete(r.Context(), "", r.PathValue("name")))
}
