package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pin"
	"weft.dev/release/provider/versions"
	"weft.dev/store"
	"weft.dev/web"
)

// standing is what stood beside a version, and is not so now.
type standing struct {
	versions.Restorer
	namespace string
	changes   []pin.Change
}

// newRestorer puts back what stood beside versions, in the name of who has the client.
func newRestorer(client *store.Client) versions.Restorer {
	return versions.Restorer{Records: newRecords(client), Writer: beside{client}}
}

// standingThen compares what stands beside an application's versions with what did when one served. Where that is not known
// stderr says so, and it is an error if something of it is to be put back.
func standingThen(c *cobra.Command, namespace, application, version string, back pin.Back) (standing, error) {
	s, err := compared(c, namespace, application, version)
	if err != nil {
		fmt.Fprintf(c.ErrOrStderr(), "nothing beside %s is compared, so it stays as it is: %v\n", version, err)
	}
	if back == (pin.Back{}) {
		err = nil
	}
	return s, err
}

func compared(c *cobra.Command, namespace, application, version string) (standing, error) {
	s := standing{namespace: namespace}
	config, err := restConfig(c)
	if err != nil {
		return s, err
	}
	client, err := store.NewClient(config)
	if err != nil {
		return s, err
	}
	s.Restorer = newRestorer(client)
	s.changes, err = s.Since(c.Context(), namespace, application, version)
	return s, err
}

// tell says what people wrote since, and what becomes of it.
func (s standing) tell(out io.Writer, back pin.Back) {
	for _, c := range s.changes {
		fmt.Fprintf(out, "%s %s was changed since then: %s\n", c.Kind, c.Name, back.Becomes(c))
		for _, line := range c.Text {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
}

func (s standing) plan(serving, target string, back pin.Back) table {
	plan := web.UndoPlan{From: serving, To: target, Changes: []web.UndoChange{}}
	t := table{header: []string{"KIND", "NAME", "DIFFERENCE", "BECOMES"}}
	t.rows = append(t.rows, []string{"Version", target, cmp.Or(serving, "nothing") + " serves", "gets all traffic"})
	for _, c := range s.changes {
		plan.Changes = append(plan.Changes, web.UndoChange{Change: c, Becomes: back.Becomes(c)})
		for _, line := range c.Text {
			t.rows = append(t.rows, []string{c.Kind, c.Name, line, back.Becomes(c)})
		}
	}
	t.value = plan
	return t
}

// undo makes the Release that undoes, in the name of who asks.
func (s standing) undo(c *cobra.Command, releases objects[v1alpha1.Release], application, target, reason string, back pin.Back) (made *v1alpha1.Release, err error) {
	me, err := signature(c)
	if err != nil {
		return nil, err
	}
	err = s.Around(c.Context(), s.namespace, s.changes, back, func() (err error) {
		made, err = releases.create(c.Context(), &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: releases.namespace, GenerateName: application + "-undo-"},
			Spec:       v1alpha1.ReleaseSpec{Application: application, Version: target, Undo: true, Reason: reason, By: me.By, Groups: me.Groups},
		})
		return err
	})
	return made, err
}
