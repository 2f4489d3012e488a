package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"

	"weft.dev/api"
)

// signed are the objects that say who made them: in these fields of the spec.
var signed = map[api.Kind][]string{
	api.Decision:    nil,
	api.Freeze:      nil,
	api.Release:     nil,
	api.PipelineRun: {"trigger"},
}

// voucher has what signed objects say of who made them be true: by and groups are
// those of who asks, are filled in where they are absent, and never change. Only
// the server's own process may name somebody else, for whom it acts.
type voucher struct{}

func (voucher) Handles(o admission.Operation) bool {
	return o == admission.Create || o == admission.Update
}

func (voucher) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	u, isCustom := a.GetObject().(*unstructured.Unstructured)
	if !isCustom || a.GetSubresource() != "" || a.GetUserInfo().GetName() == user.APIServerUser {
		return nil
	}
	info, ok := api.KindOf(a.GetKind().Group, a.GetKind().Kind)
	path, isSigned := signed[info.Kind]
	if !ok || !isSigned {
		return nil
	}
	me := signature{a.GetUserInfo().GetName(), groupsOf(a.GetUserInfo())}
	old := &unstructured.Unstructured{}
	made := a.GetOperation() == admission.Create
	if !made {
		old = a.GetOldObject().(*unstructured.Unstructured)
	}
	err := signIf(made, u, old, append([]string{"spec"}, path...), me)
	if info.Kind == api.Release {
		for verb, who := range words {
			err = errors.Join(err, signIf(is(u, verb) && !is(old, verb), u, old, []string{"spec", who}, me))
		}
	}
	if err != nil {
		return apierrors.NewForbidden(a.GetResource().GroupResource(), a.GetName(), err)
	}
	return nil
}

// words are what people say about a release, and in which field of its spec stands who said it.
var words = map[string]string{"abort": "aborter", "promote": "promoter"}

func is(u *unstructured.Unstructured, verb string) bool {
	said, _, _ := unstructured.NestedBool(u.Object, "spec", verb)
	return said
}

// signIf has the signature at path be that of who asks, if it is theirs to make, else the old one.
func signIf(theirs bool, u, old *unstructured.Unstructured, path []string, me signature) error {
	if theirs {
		return sign(u, path, me)
	}
	return sign(u, path, signatureOf(old, path))
}

// signature is who made an object.
type signature struct {
	by     string
	groups []string
}

func signatureOf(u *unstructured.Unstructured, path []string) signature {
	by, _, _ := unstructured.NestedString(u.Object, append(slices.Clone(path), "by")...)
	groups, _, _ := unstructured.NestedStringSlice(u.Object, append(slices.Clone(path), "groups")...)
	return signature{by, groups}
}

// sign writes the signature where there is none, and refuses another one.
func sign(u *unstructured.Unstructured, path []string, want signature) error {
	at, has := strings.Join(path, "."), signatureOf(u, path)
	if has.by != "" && has.by != want.by {
		return fmt.Errorf("%s.by is %q, and who asks is %q: leave it out", at, has.by, want.by)
	}
	if len(has.groups) > 0 && !slices.Equal(has.groups, want.groups) {
		return fmt.Errorf("%s.groups is %q, and those of %s are %q: leave it out", at, has.groups, want.by, want.groups)
	}
	if has.by == "" && want.by != "" {
		if err := unstructured.SetNestedField(u.Object, want.by, append(slices.Clone(path), "by")...); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	if len(has.groups) > 0 || len(want.groups) == 0 {
		return nil
	}
	return unstructured.SetNestedStringSlice(u.Object, want.groups, append(slices.Clone(path), "groups")...)
}

// groupsOf are those that somebody gave to a user: not those that follow from being one.
func groupsOf(u user.Info) []string {
	return slices.DeleteFunc(slices.Clone(u.GetGroups()), func(group string) bool {
		return group == user.AllAuthenticated || group == peopleGroup
	})
}
