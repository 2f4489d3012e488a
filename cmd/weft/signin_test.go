package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// begun is a session of somebody, since some seconds.
func begun(name string, age int) *session {
	one := &session{name: name, began: time.Now().Add(-time.Duration(age) * time.Second)}
	one.ctx, one.end = context.WithCancel(context.Background())
	return one
}

// Somebody's oldest session makes room for the newest, and nobody's for another person's.
func TestSessionsAreBounded(t *testing.T) {
	s := sessions{all: map[string]*session{}}
	add := func(one *session) string {
		t.Helper()
		key, err := s.add(one)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ann, oldest := add(begun("ann", 1000)), begun("bob", 100)
	first := add(oldest)
	for i := range perPerson {
		add(begun("bob", i))
	}
	if s.of(first) != nil || oldest.ctx.Err() == nil || s.of(ann) == nil || len(s.all) != perPerson+1 {
		t.Errorf("%d sessions; the oldest of bob: %v, ann's: %v", len(s.all), s.of(first), s.of(ann))
	}
	for i := len(s.all); i < maxSessions; i++ {
		add(begun(fmt.Sprint("person-", i), 0))
	}
	if _, err := s.add(begun("one more", 0)); err != errFull {
		t.Errorf("one more: %v", err)
	}
	s.of(ann).end()
	if s.of(ann) != nil {
		t.Error("what has ended is a session")
	}
	add(begun("one more", 0)) // in ann's place
}

// What cannot be meant is said before the server starts.
func TestUIFlags(t *testing.T) {
	for why, f := range map[string]serveFlags{
		"give that, too":              {ui: uiFlags{url: "https://weft.example"}},
		"they use weft ui":            {kube: true, ui: uiFlags{address: "127.0.0.1:1"}},
		"--ui-key go together":        {ui: uiFlags{address: "127.0.0.1:1", certificate: "c"}},
		"for loopback alone":          {ui: uiFlags{address: "0.0.0.0:1"}},
		"want what people open":       {ui: uiFlags{address: "127.0.0.1:1", url: "http://weft.example"}},
		"--oidc-client go together":   {ui: uiFlags{address: "127.0.0.1:1", issuer: "https://login.example"}},
		"to which the provider sends": {ui: uiFlags{address: "127.0.0.1:1", issuer: "https://login.example", client: "weft"}},
	} {
		if err := f.ui.check(f); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %s", err, why)
		}
	}
	for _, f := range []uiFlags{
		{}, {address: "127.0.0.1:1"}, {address: "0.0.0.0:1", certificate: "c", key: "k"}, {address: "0.0.0.0:1", url: "https://weft.example/mesh"},
		{address: "127.0.0.1:1", url: "http://127.0.0.1:1", issuer: "https://login.example", client: "weft"},
	} {
		if err := f.check(serveFlags{}); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
