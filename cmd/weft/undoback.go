package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pin"
	"weft.dev/release/provider/versions"
	"weft.dev/store"
)

// putBack is what an undo is asked to put back, besides traffic and instances.
type putBack struct{ routes, config bool }

func (p putBack) has(part pin.Part) bool {
	return p.routes && part == pin.Routes || p.config && part == pin.Config
}

// becomes says what an undo does about a change.
func (p putBack) becomes(c pin.Change) string {
	switch {
	case c.Was == nil:
		return "stays"
	case p.has(c.Part):
		return "put back"
	}
	return fmt.Sprintf("stays; --%s puts it back", c.Part)
}

// standing is what stood beside a version, and is not so now.
type standing struct {
	records   versions.Records
	writer    beside
	namespace string
	changes   []pin.Change
}

// standingThen compares what stands beside an application's versions with what did when one served.
func standingThen(c *cobra.Command, namespace, application, version string) (standing, error) {
	s := standing{namespace: namespace}
	config, err := restConfig(c)
	if err != nil {
		return s, err
	}
	client, err := store.NewClient(config)
	if err != nil {
		return s, err
	}
	s.records, s.writer = newRecords(client), beside{client}
	v, err := s.records.Find(c.Context(), namespace, application, version)
	if v == nil || err != nil {
		return s, err
	}
	was, err := s.records.Pinned(c.Context(), v)
	if len(was) == 0 || err != nil {
		return s, err
	}
	is, err := s.records.Standing(c.Context(), v)
	if err == nil {
		s.changes = pin.Changes(was, is)
	}
	return s, err
}

// tell says what people wrote since, and what becomes of it.
func (s standing) tell(out io.Writer, back putBack) {
	for _, c := range s.changes {
		fmt.Fprintf(out, "%s %s was changed since then: %s\n", c.Kind, c.Name, back.becomes(c))
		for _, line := range c.Text {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
}

// undoPlan is what weft undo --dry-run prints with -o json.
type undoPlan struct {
	From    string       `json:"from,omitempty"` // version that serves
	To      string       `json:"to"`
	Changes []pin.Change `json:"changes"` // since To served
}

func (s standing) plan(serving, target string, back putBack) table {
	t := table{header: []string{"KIND", "NAME", "DIFFERENCE", "BECOMES"}, value: undoPlan{serving, target, append([]pin.Change{}, s.changes...)}}
	t.rows = append(t.rows, []string{"Version", target, cmp.Or(serving, "nothing") + " serves", "gets all traffic"})
	for _, c := range s.changes {
		for _, line := range c.Text {
			t.rows = append(t.rows, []string{c.Kind, c.Name, line, back.becomes(c)})
		}
	}
	return t
}

// undo makes the Release that undoes. What instances read is put back before it, as some may be started; routes after it, as
// traffic is in a hurry. What cannot be put back stops nothing.
func (s standing) undo(c *cobra.Command, releases objects[v1alpha1.Release], application, target, reason string, back putBack) (*v1alpha1.Release, error) {
	me, err := signature(c)
	if err != nil {
		return nil, err
	}
	var faults []error
	put := func(part pin.Part) {
		if back.has(part) {
			faults = append(faults, s.records.PutBack(c.Context(), s.writer, s.namespace, s.changes, part))
		}
	}
	put(pin.Config)
	made, err := releases.create(c.Context(), &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: releases.namespace, GenerateName: application + "-undo-"},
		Spec:       v1alpha1.ReleaseSpec{Application: application, Version: target, Undo: true, Reason: reason, By: me.By, Groups: me.Groups},
	})
	if err != nil {
		return nil, errors.Join(append(faults, err)...)
	}
	put(pin.Routes)
	return made, errors.Join(faults...)
}
