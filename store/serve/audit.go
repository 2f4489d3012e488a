package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"

	"weft.dev/api"
)

// Mutation is a change that somebody asked for, that all rules let through, and that is stored next. A
// conflict may still keep it out.
type Mutation struct {
	By     string
	Groups []string
	// Own: the server's own process asks.
	Own                              bool
	Verb, Kind, Namespace, Name, UID string
	// Before and After are hashes of the object but for its status; empty: there is none, or it is a secret.
	Before, After string
	// Changed are the paths of the spec that differ, each with its new value where that is short.
	Changed []string
}

const (
	// maxChanged paths are told, and maxValue bytes of a value.
	maxChanged, maxValue = 20, 120
)

// ownAudited are the kinds in which the server's own writes are worth an entry.
var ownAudited = []api.Kind{api.Release, api.PipelineRun, api.TrafficSplit, api.Application}

// auditor has each mutation recorded before it is stored, as the last rule. What cannot be recorded is
// refused, but the server's own: traffic does not wait for it.
type auditor struct{ record func(Mutation) error }

func (auditor) Handles(o admission.Operation) bool {
	return o == admission.Create || o == admission.Update || o == admission.Delete
}

func (r auditor) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	info, ours := api.KindOf(a.GetKind().Group, a.GetKind().Kind)
	own := a.GetUserInfo().GetName() == user.APIServerUser
	if !ours || a.GetSubresource() != "" || a.IsDryRun() || own && !slices.Contains(ownAudited, info.Kind) {
		return nil
	}
	old, now := plainOf(a.GetOldObject()), plainOf(a.GetObject())
	if a.GetOperation() == admission.Delete {
		now = nil
	}
	if a.GetOperation() == admission.Update && reflect.DeepEqual(old, now) {
		return nil
	}
	m := Mutation{
		By: a.GetUserInfo().GetName(), Groups: groupsOf(a.GetUserInfo()), Own: own, Verb: strings.ToLower(string(a.GetOperation())),
		Kind: string(info.Kind), Namespace: a.GetNamespace(), Name: nameOf(a), UID: uidOf(a),
	}
	if info.Kind != api.Secret {
		m.Before, m.After, m.Changed = hashOf(old), hashOf(now), changed(old, now)
	}
	err := r.record(m)
	if err == nil || own {
		return nil
	}
	return apierrors.NewServiceUnavailable(fmt.Sprintf("nothing is changed that cannot be recorded: %v; see weft serve --audit", err))
}

// plainOf is an object without what others write: nil, where there is none.
func plainOf(o runtime.Object) map[string]any {
	if o == nil || reflect.ValueOf(o).IsNil() {
		return nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	plain := map[string]any{}
	for name, value := range fields {
		if name != "status" && name != "metadata" {
			plain[name] = value
		}
	}
	if m, ok := fields["metadata"].(map[string]any); ok {
		plain["metadata"] = map[string]any{"labels": m["labels"], "annotations": m["annotations"], "deletionTimestamp": m["deletionTimestamp"]}
	}
	return plain
}

func hashOf(plain map[string]any) string {
	if plain == nil {
		return ""
	}
	data, err := json.Marshal(plain)
	if err != nil {
		return "" // what came as JSON always marshals
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// changed are the paths of an update that differ, sorted, as people read them.
func changed(old, now map[string]any) (all []string) {
	if old == nil || now == nil {
		return nil
	}
	compare("", old, now, &all)
	slices.Sort(all)
	if over := len(all) - maxChanged; over > 0 {
		all = append(all[:maxChanged], fmt.Sprintf("and %d more", over))
	}
	return all
}

func compare(path string, old, now any, all *[]string) {
	before, isMap := old.(map[string]any)
	after, areMaps := now.(map[string]any)
	if !isMap || !areMaps {
		if !reflect.DeepEqual(old, now) {
			*all = append(*all, strings.TrimPrefix(path, ".")+valueOf(now))
		}
		return
	}
	for name := range before {
		compare(path+"."+name, before[name], after[name], all)
	}
	for name := range after {
		if _, known := before[name]; !known {
			compare(path+"."+name, nil, after[name], all)
		}
	}
}

// valueOf is a new value, where it is short.
func valueOf(now any) string {
	data, err := json.Marshal(now)
	switch {
	case now == nil:
		return " removed"
	case err != nil || len(data) > maxValue:
		return ""
	}
	return ": " + string(data)
}

func nameOf(a admission.Attributes) string {
	if m, err := meta.Accessor(a.GetObject()); a.GetName() == "" && err == nil {
		return m.GetName()
	}
	return a.GetName()
}

func uidOf(a admission.Attributes) string {
	for _, o := range []runtime.Object{a.GetOldObject(), a.GetObject()} {
		if m, err := meta.Accessor(o); o != nil && err == nil && m.GetUID() != "" {
			return string(m.GetUID())
		}
	}
	return ""
}
