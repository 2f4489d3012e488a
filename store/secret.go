package store

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
)

// secretTimeout bounds what a file may wait for the store.
const secretTimeout = 10 * time.Second

// SecretFiles are small files in one Secret, which several servers may share. It
// is what identity.Files asks for.
type SecretFiles struct {
	secrets         Resource[corev1.Secret]
	namespace, name string

	mu   sync.Mutex
	last *corev1.Secret // as last read or written; nil: there was none
}

// NewSecretFiles are the files in a Secret, which the first Write makes.
func NewSecretFiles(c *Client, namespace, name string) *SecretFiles {
	return &SecretFiles{secrets: For[corev1.Secret](c, api.Secret), namespace: namespace, name: name}
}

// Read reads a file; fs.ErrNotExist: there is none.
func (s *SecretFiles) Read(name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), secretTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.secrets.Get(ctx, s.namespace, s.name)
	if IsNotFound(err) {
		s.last = nil
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	s.last = found
	data, ok := found.Data[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

// Write replaces a file. It fails if anybody wrote the Secret since it was read.
func (s *SecretFiles) Write(name string, data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), secretTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	write := s.secrets.Update
	next := s.last.DeepCopy()
	if next == nil {
		write = s.secrets.Create
		next = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name}}
	}
	if next.Data == nil {
		next.Data = map[string][]byte{}
	}
	next.Data[name] = data
	written, err := write(ctx, next)
	if err != nil {
		return fmt.Errorf("secret %s/%s: %w; try again", s.namespace, s.name, err)
	}
	s.last = written
	return nil
}
