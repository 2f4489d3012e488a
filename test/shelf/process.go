package shelf

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// Process is one life of a program: a killed one does nothing any more.
type Process struct {
	kill context.CancelFunc
	mu   sync.Mutex
	dies func() bool
	dead bool
}

// NewProcess lives until dies, which is asked before and after each operation, says so; then kill is called.
func NewProcess(kill context.CancelFunc, dies func() bool) *Process {
	return &Process{kill: kill, dies: dies}
}

// Chance kills at a share of all moments.
func Chance(share float64, random *rand.Rand) func() bool {
	return func() bool { return random.Float64() < share }
}

// ErrKilled is all that a dead process learns.
var ErrKilled = errors.New("killed")

// Op does one operation on the world, unless the process is killed before it, or after
// it and before the answer.
func Op[R any](p *Process, do func() (R, error)) (R, error) {
	var none R
	if p.isDead() {
		return none, ErrKilled
	}
	r, err := do()
	if p.isDead() {
		return none, ErrKilled
	}
	return r, err
}

func (p *Process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead && p.dies() {
		p.dead = true
		p.kill()
	}
	return p.dead
}

// Objects is a shelf as one process reaches it.
type Objects[T any] struct {
	Shelf   *Shelf[T]
	Process *Process
	Wrote   func(*T) // after a Create or an Update of this process took effect; may be nil
}

func (o Objects[T]) Get(_ context.Context, namespace, name string) (*T, error) {
	return Op(o.Process, func() (*T, error) { return o.Shelf.Get(namespace, name) })
}

func (o Objects[T]) List(_ context.Context, namespace string) ([]*T, error) {
	return Op(o.Process, func() ([]*T, error) { return o.Shelf.List(namespace), nil })
}

func (o Objects[T]) Create(_ context.Context, x *T) (*T, error) {
	return Op(o.Process, func() (*T, error) { return o.wrote(o.Shelf.Create(x)) })
}

func (o Objects[T]) Update(_ context.Context, x *T) (*T, error) {
	return Op(o.Process, func() (*T, error) { return o.wrote(o.Shelf.change(x, false)) })
}

func (o Objects[T]) UpdateStatus(_ context.Context, x *T) (*T, error) {
	return Op(o.Process, func() (*T, error) { return o.Shelf.change(x, true) })
}

func (o Objects[T]) Delete(_ context.Context, namespace, name string) error {
	_, err := Op(o.Process, func() (any, error) { o.Shelf.Delete(namespace, name); return nil, nil })
	return err
}

func (o Objects[T]) DeleteAll(_ context.Context, namespace, label, value string) error {
	_, err := Op(o.Process, func() (any, error) {
		for _, x := range o.Shelf.List(namespace) {
			if m := meta(x); m.GetLabels()[label] == value {
				o.Shelf.Delete(m.GetNamespace(), m.GetName())
			}
		}
		return nil, nil
	})
	return err
}

func (o Objects[T]) Watch(ctx context.Context, _ string, changed func(o *T, deleted bool)) error {
	stop := o.Shelf.Watch(changed)
	<-ctx.Done()
	stop()
	return ctx.Err()
}

func (o Objects[T]) wrote(x *T, err error) (*T, error) {
	if err == nil && o.Wrote != nil {
		o.Wrote(x)
	}
	return x, err
}
