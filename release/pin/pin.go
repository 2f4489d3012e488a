// Package pin keeps what stands beside a version while it serves, and says what differs later.
//
// Input: an application, its version's manifests, and objects as an API server has them. Output: Objects, to be
// written down, and the changes since. It is pure: who reads and writes objects asks it which, and how.
package pin

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Part is what an undo puts back together.
type Part string

const (
	Routes Part = "routes" // what leads the application's traffic
	Config Part = "config" // the Application itself, and the ConfigMaps and Secrets of its instances
	Access Part = "access" // who may call it: told, and never put back, for what was open then may have been closed since
)

// RouteKinds are those whose objects may lead an application's traffic, and AccessKinds those which may say who calls it.
func RouteKinds() []string {
	return []string{"VirtualService", "DestinationRule", "HTTPRoute", "GRPCRoute", "Resilience", "Service"}
}
func AccessKinds() []string { return []string{"AuthorizationPolicy"} }

// part is where a kind belongs.
func part(kind string) Part {
	switch {
	case slices.Contains(RouteKinds(), kind):
		return Routes
	case slices.Contains(AccessKinds(), kind):
		return Access
	}
	return Config
}

// theirs are fields of a kind's spec that no undo looks at: who may do what to an Application, and when, and what an API server
// gave a Service. They stay as they are now.
var theirs = map[string][]string{
	"Application": {"roles", "fourEyes", "windows"},
	"Service":     {"clusterIP", "clusterIPs"},
}

// Object is one object as it was.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	// Content is what people write of it; nil: it is known by its hash alone.
	Content map[string]any `json:"content,omitempty"`
	Hash    string         `json:"hash,omitempty"` // empty: it may not be read, so nobody says how it differs
	// Alone says that it is about nobody else, so that it can be deleted: see Alone.
	Alone bool `json:"-"`
}

// Unread is for a kind of which nothing may be read: nobody says how its objects differ.
func Unread(kind string) Object { return Object{Kind: kind} }

// Of is an object as it is now. Of a Secret only that it was written is kept, and nothing from which its values could be guessed.
func Of(o map[string]any) Object {
	meta, _ := o["metadata"].(map[string]any)
	p := Object{APIVersion: text(o["apiVersion"]), Kind: text(o["kind"]), Name: text(meta["name"])}
	if p.Kind == "Secret" {
		p.Hash = hash([]any{meta["uid"], meta["resourceVersion"]})
		return p
	}
	p.Content = maps.Clone(o)
	for _, field := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(p.Content, field)
	}
	return p.ours()
}

// ours is p without what is not looked at.
func (p Object) ours() Object {
	if spec, ok := p.Content["spec"].(map[string]any); ok && theirs[p.Kind] != nil {
		spec = maps.Clone(spec)
		for _, field := range theirs[p.Kind] {
			delete(spec, field)
		}
		p.Content = maps.Clone(p.Content)
		p.Content["spec"] = spec
	}
	p.Hash = hash(p.Content)
	return p
}

// Into is an object with the content of p; o is what is there now, nil: nothing.
func (p Object) Into(o map[string]any, namespace string) map[string]any {
	written := map[string]any{"apiVersion": p.APIVersion, "kind": p.Kind, "metadata": map[string]any{"namespace": namespace, "name": p.Name}}
	if o != nil {
		written["metadata"] = o["metadata"]
		if status, ok := o["status"]; ok {
			written["status"] = status
		}
	}
	maps.Copy(written, p.Content)
	now, _ := o["spec"].(map[string]any)
	for _, field := range theirs[p.Kind] {
		if value, there := now[field]; there {
			spec, _ := written["spec"].(map[string]any)
			spec = maps.Clone(spec)
			spec[field] = value
			written["spec"] = spec
		}
	}
	return written
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func hash(v any) string {
	data, _ := json.Marshal(v) // it came as JSON
	return fmt.Sprintf("%.16x", sha256.Sum256(data))
}

// Bytes is objects as they are written down. Where they are more than limit, the largest are known by their hash alone.
func Bytes(all []Object, limit int) ([]byte, error) {
	all = slices.Clone(all)
	for {
		data, err := json.Marshal(all)
		if err != nil || len(data) <= limit {
			return data, err
		}
		largest, most := -1, 0
		for i, o := range all {
			if content, _ := json.Marshal(o.Content); o.Content != nil && len(content) > most {
				largest, most = i, len(content)
			}
		}
		if largest < 0 {
			return nil, fmt.Errorf("%d objects stand beside the version, more than can be written down", len(all))
		}
		all[largest].Content = nil
	}
}

// Read is what Bytes wrote.
func Read(data []byte) (all []Object, err error) {
	if len(data) > 0 {
		err = json.Unmarshal(data, &all)
	}
	for i, p := range all {
		if p.Content != nil && theirs[p.Kind] != nil { // it may be an older record's, which has them
			all[i] = p.ours()
		}
	}
	return all, err
}
