package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/store"
)

// Store is a scope.Memory in the statuses of Scope objects, one an account,
// of its name. Any number of servers may write.
type Store struct {
	scopes store.Resource[v1alpha1.Scope]
}

// NewStore makes a memory; it connects when first used.
func NewStore(c *store.Client) *Store {
	return &Store{store.For[v1alpha1.Scope](c, api.Scope)}
}

// List is all that is kept.
func (s *Store) List(ctx context.Context) ([]model.Learned, error) {
	found, err := s.scopes.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("scopes: %w", err)
	}
	var all []model.Learned
	for _, o := range found {
		all = append(all, learned(o)...)
	}
	return all, nil
}

// Watch tells of every account, and then of each change.
func (s *Store) Watch(ctx context.Context, told func(scope.Account, []model.Learned)) error {
	return s.scopes.Watch(ctx, "", func(o *v1alpha1.Scope, deleted bool) {
		if deleted {
			o = &v1alpha1.Scope{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name}}
		}
		told(scope.Account{Namespace: o.Namespace, Name: o.Name}, learned(o))
	})
}

// Change writes one object after the other. Where one fails, the others are
// written all the same.
func (s *Store) Change(ctx context.Context, accounts []scope.Account, change func(scope.Account, []model.Learned) []model.Learned) error {
	var failed []error
	for _, a := range accounts {
		err := store.RetryOnConflict(func() error { return s.change(ctx, a, change) })
		if err != nil {
			failed = append(failed, fmt.Errorf("scope %s: %w", a, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func (s *Store) change(ctx context.Context, a scope.Account, change func(scope.Account, []model.Learned) []model.Learned) error {
	o, err := s.scopes.Get(ctx, a.Namespace, a.Name)
	gone := store.IsNotFound(err)
	if err != nil && !gone {
		return err
	}
	if gone {
		o = &v1alpha1.Scope{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}}
	}
	before := learned(o)
	now := change(a, slices.Clone(before))
	if slices.EqualFunc(before, now, model.Learned.Equal) {
		return nil
	}
	if gone {
		if o, err = s.scopes.Create(ctx, o); err != nil {
			return err
		}
	}
	o.Status.Learned = nil
	for _, l := range now {
		o.Status.Learned = append(o.Status.Learned, v1alpha1.LearnedService{
			Host: l.Host, How: string(l.How), FirstSeen: metav1.NewTime(l.First), LastSeen: metav1.NewTime(l.Last),
		})
	}
	_, err = s.scopes.UpdateStatus(ctx, o)
	return err
}

// learned are the rows of an object, by host.
func learned(o *v1alpha1.Scope) []model.Learned {
	var all []model.Learned
	for _, l := range o.Status.Learned {
		all = append(all, model.Learned{
			Namespace: o.Namespace, Account: o.Name, Host: l.Host, How: model.How(l.How), First: l.FirstSeen.Time, Last: l.LastSeen.Time,
		})
	}
	slices.SortFunc(all, func(a, b model.Learned) int { return cmp.Compare(a.Host, b.Host) })
	return all
}
