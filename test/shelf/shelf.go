// Package shelf is an API server for tests that run in virtual time: the objects of
// one kind, and processes that reach them and are killed between any two operations.
package shelf

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Shelf stores the objects of one kind as an API server does: copies in and out,
// conflicts by resourceVersion, generations, finalizers, a status of its own.
type Shelf[T any] struct {
	mu       *sync.Mutex
	items    map[string][]byte
	version  int
	watches  int
	watchers map[int]func(o *T, deleted bool)
}

// New is an empty shelf. Shelves with the same mu change one at a time.
func New[T any](mu *sync.Mutex) *Shelf[T] {
	return &Shelf[T]{mu: mu, items: map[string][]byte{}, watchers: map[int]func(*T, bool){}}
}

func meta[T any](o *T) metav1.Object { return any(o).(metav1.Object) }

func path(namespace, name string) string { return namespace + "/" + name }

func field[T any](o *T, name string) reflect.Value {
	return reflect.ValueOf(o).Elem().FieldByName(name)
}

// setStatus gives an object the status of another, if there is one.
func setStatus[T any](to, from *T) {
	if status := field(to, "Status"); status.IsValid() {
		status.Set(field(from, "Status"))
	}
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func decode[T any](raw []byte) *T {
	o := new(T)
	if err := json.Unmarshal(raw, o); err != nil {
		panic(err)
	}
	return o
}

func (s *Shelf[T]) load(namespace, name string) (*T, error) {
	raw, ok := s.items[path(namespace, name)]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", *new(T))}, path(namespace, name))
	}
	return decode[T](raw), nil
}

// put stores o, or takes it out when nothing holds a deleted object any longer.
func (s *Shelf[T]) put(o *T) *T {
	m := meta(o)
	s.version++
	m.SetResourceVersion(strconv.Itoa(s.version))
	raw := encode(o)
	at := path(m.GetNamespace(), m.GetName())
	s.items[at] = raw
	gone := m.GetDeletionTimestamp() != nil && len(m.GetFinalizers()) == 0
	if gone {
		delete(s.items, at)
	}
	for _, changed := range s.watchers {
		changed(decode[T](raw), gone)
	}
	return decode[T](raw)
}

// Create adds an object as it is, its status included.
func (s *Shelf[T]) Create(o *T) (*T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := meta(o)
	if _, taken := s.items[path(m.GetNamespace(), m.GetName())]; taken {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{}, m.GetName())
	}
	m.SetGeneration(1)
	m.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version+1)))
	m.SetCreationTimestamp(metav1.NewTime(time.Now()))
	return s.put(o), nil
}

// change writes o over the version that it was read at.
func (s *Shelf[T]) change(o *T, status bool) (*T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.load(meta(o).GetNamespace(), meta(o).GetName())
	if err != nil {
		return nil, err
	}
	if meta(old).GetResourceVersion() != meta(o).GetResourceVersion() {
		return nil, apierrors.NewConflict(schema.GroupResource{}, meta(o).GetName(), errors.New("it was changed meanwhile"))
	}
	if status {
		setStatus(old, o)
		return s.put(old), nil
	}
	generation := meta(old).GetGeneration()
	if string(encode(field(old, "Spec").Interface())) != string(encode(field(o, "Spec").Interface())) {
		generation++
	}
	meta(o).SetGeneration(generation)
	setStatus(o, old)
	return s.put(o), nil
}

// Get reads one object.
func (s *Shelf[T]) Get(namespace, name string) (*T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(namespace, name)
}

// List reads all objects of a namespace; "" is all.
func (s *Shelf[T]) List(namespace string) (out []*T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, raw := range s.items {
		if o := decode[T](raw); namespace == "" || meta(o).GetNamespace() == namespace {
			out = append(out, o)
		}
	}
	return out
}

// Edit changes an object as a person with kubectl edit does.
func (s *Shelf[T]) Edit(namespace, name string, edit func(*T)) {
	for {
		o, err := s.Get(namespace, name)
		if err != nil {
			return
		}
		edit(o)
		if _, err = s.change(o, false); !apierrors.IsConflict(err) {
			return
		}
	}
}

// Delete removes an object, once nothing holds it. It is no error if there is none.
func (s *Shelf[T]) Delete(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, err := s.load(namespace, name); err == nil {
		now := metav1.NewTime(time.Now())
		meta(o).SetDeletionTimestamp(&now)
		s.put(o)
	}
}

// Watch tells of every object that there is, and then of each change while it happens:
// changed must not reach for the shelf. It returns what ends that.
func (s *Shelf[T]) Watch(changed func(o *T, deleted bool)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches++
	id := s.watches
	s.watchers[id] = changed
	for _, raw := range s.items {
		changed(decode[T](raw), false)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, id)
	}
}
