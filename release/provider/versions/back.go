package versions

import (
	"context"
	"errors"
	"fmt"

	"weft.dev/release/pin"
)

// Writer writes the objects that Beside reads. Each fails where somebody changes the object meanwhile.
type Writer interface {
	// Put makes an object, or has one that is there be so.
	Put(ctx context.Context, kind string, o map[string]any, there bool) error
	// Remove deletes an object as it was read.
	Remove(ctx context.Context, kind string, o map[string]any) error
}

// ErrUnrecorded says that nobody knows what stood beside a version.
var ErrUnrecorded = errors.New("what stood beside it is not recorded")

// Restorer puts back what stood beside a version, in the name of who writes.
type Restorer struct {
	Records
	Writer Writer
}

// Since is what was changed beside an application's versions since one served.
func (r Restorer) Since(ctx context.Context, namespace, application, version string) ([]pin.Change, error) {
	v, err := r.Find(ctx, namespace, application, version)
	if err != nil {
		return nil, err
	}
	if v == nil || v.Spec.Pins == "" {
		return nil, fmt.Errorf("version %s of %s: %w", version, application, ErrUnrecorded)
	}
	was, err := r.Pinned(ctx, v)
	if err != nil {
		return nil, err
	}
	is, err := r.Standing(ctx, v)
	if err != nil {
		return nil, err // nothing that was not seen counts as gone
	}
	return pin.Changes(was, is), nil
}

// Undo begins an undo, and puts back what it is asked to. Safe to repeat, as begin has to be.
func (r Restorer) Undo(ctx context.Context, namespace, application, version string, back pin.Back, begin func() error) error {
	changes, err := r.Since(ctx, namespace, application, version)
	return errors.Join(err, r.Around(ctx, namespace, changes, back, begin))
}

// Around begins an undo. What instances read is put back before it, as some may be started; routes after it, as traffic is in
// a hurry. What cannot be put back stops nothing, but then nothing is deleted.
func (r Restorer) Around(ctx context.Context, namespace string, changes []pin.Change, back pin.Back, begin func() error) error {
	put := func(part pin.Part) error {
		if !back.Has(part) {
			return nil
		}
		return r.each(changes, func(c pin.Change) error { return r.put(ctx, namespace, c, part) })
	}
	faults := put(pin.Config)
	if err := begin(); err != nil {
		return errors.Join(faults, err)
	}
	routes := put(pin.Routes)
	if routes == nil && back.Prune {
		routes = r.each(changes, func(c pin.Change) error { return r.unmake(ctx, namespace, c) })
	}
	return errors.Join(faults, routes)
}

func (r Restorer) each(changes []pin.Change, do func(pin.Change) error) error {
	var faults []error
	for _, c := range changes {
		faults = append(faults, do(c))
	}
	return errors.Join(faults...)
}

// put has one object of a part be as it was, if that is known.
func (r Restorer) put(ctx context.Context, namespace string, c pin.Change, part pin.Part) error {
	if c.Part != part || c.Was == nil {
		return nil
	}
	now, err := r.Beside.Get(ctx, c.Kind, namespace, c.Name)
	if err == nil {
		err = r.Writer.Put(ctx, c.Kind, c.Was.Into(now, namespace), now != nil)
	}
	if err != nil {
		return fmt.Errorf("%s %s/%s is not put back: %w", c.Kind, namespace, c.Name, err)
	}
	return nil
}

// unmake deletes one object that was not there then, if it still is what people were told.
func (r Restorer) unmake(ctx context.Context, namespace string, c pin.Change) error {
	if c.Is == nil {
		return nil
	}
	now, err := r.Beside.Get(ctx, c.Kind, namespace, c.Name)
	if now == nil && err == nil {
		return nil
	}
	if err == nil && pin.Of(now).Hash != c.Is.Hash {
		err = errors.New("somebody changes it: look again, with --dry-run")
	}
	if err == nil {
		err = r.Writer.Remove(ctx, c.Kind, now)
	}
	if err != nil {
		return fmt.Errorf("%s %s/%s is not deleted: %w", c.Kind, namespace, c.Name, err)
	}
	return nil
}
