package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/store"
	"weft.dev/web"
)

// pipelineText is a pipeline as a page edits it; of one that is not there yet, what it may begin with.
func (a acts) pipelineText(r *http.Request) (any, error) {
	_, stored, err := a.pipeline(r)
	if first := r.URL.Query().Get("first"); first != "" {
		return firstText(r, first, stored, err)
	}
	if err != nil {
		return nil, err
	}
	text, err := web.TextOf(stored)
	return web.PipelineText{Text: text, Version: stored.ResourceVersion, Kinds: web.StageFields()}, err
}

func firstText(r *http.Request, first string, stored *v1alpha1.Pipeline, err error) (any, error) {
	if err == nil {
		return nil, fmt.Errorf("there is a pipeline %s in %s already: choose another name, or edit that one", stored.Name, stored.Namespace)
	}
	if !store.IsNotFound(err) {
		return nil, err
	}
	text, err := web.FirstText(r.PathValue("namespace"), r.PathValue("name"), first)
	return web.PipelineText{Text: text, Kinds: web.StageFields()}, err
}

func (a acts) pipeline(r *http.Request) (objects[v1alpha1.Pipeline], *v1alpha1.Pipeline, error) {
	all, err := objectsIn[v1alpha1.Pipeline](a, r, api.Pipeline)
	if err != nil {
		return all, nil, err
	}
	stored, err := all.get(r.Context(), r.PathValue("name"))
	return all, stored, err
}

// editPipeline says what becomes of a text by a change, and what would be said of it: by weft pipeline check, and by the API
// server, which is asked for a dry run. Nothing is stored.
func (a acts) editPipeline(r *http.Request) (any, error) {
	asked, all, stored, err := a.edit(r)
	if err != nil {
		return nil, err
	}
	text := asked.Text
	if asked.Change != nil {
		if text, err = web.ChangeText(text, *asked.Change); err != nil {
			return nil, err
		}
	}
	o, err := web.PipelineOfText(text, stored, asked.Version)
	if err != nil {
		return web.Unread(text, err), nil
	}
	with, err := newMachine()
	if err != nil {
		return nil, err
	}
	edited := web.EditedOf(text, o)
	edited.Problems = web.Problems(wrongWith(o.Namespace, o.Name, &o.Spec, with))
	if err := answered(all.all.Try(r.Context(), o)); err != nil {
		edited.Refused, edited.Conflict = err.Error(), store.IsConflict(err)
	}
	return edited, nil
}

// edit is what is asked for, and of which pipeline.
func (a acts) edit(r *http.Request) (asked web.EditRequest, all objects[v1alpha1.Pipeline], stored *v1alpha1.Pipeline, err error) {
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Text == "" {
		return asked, all, nil, errors.New(`edit: want {"text": YAML, "version": resourceVersion, "" of a new one}`)
	}
	all, stored, err = a.pipeline(r)
	if store.IsNotFound(err) && asked.Version == "" {
		stored, err = &v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}}, nil
	}
	return asked, all, stored, err
}

// savePipeline stores a text over the version that it was made from, and over no other; a new one where there is none.
func (a acts) savePipeline(r *http.Request) (any, error) {
	asked, all, stored, err := a.edit(r)
	if err != nil {
		return nil, err
	}
	o, err := web.PipelineOfText(asked.Text, stored, asked.Version)
	if err != nil {
		return nil, err
	}
	if asked.Version == "" {
		_, err = all.all.Create(r.Context(), o)
	} else {
		_, err = all.all.Update(r.Context(), o)
	}
	if store.IsExists(err) {
		return nil, errors.New("somebody made a pipeline of that name since you began: nothing is stored, and what you wrote is still here; give it another name")
	}
	if store.IsConflict(err) {
		return nil, errors.New("somebody changed the pipeline since you opened it: nothing is stored, and what you wrote is still here; compare it with what is there now, and save again")
	}
	return web.Done{Page: "pipelines/" + o.Namespace + "/" + o.Name}, answered(err)
}
