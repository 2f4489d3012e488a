// Package secret reads what objects name by NAME/KEY: values of Secrets in their
// namespace. Errors name Secret and key, and never a value.
package secret

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Secrets are the stored ones, as store.Resource is.
type Secrets interface {
	Get(ctx context.Context, namespace, name string) (*corev1.Secret, error)
}

// Values are all of a Secret. That there is none is the error NotFound of
// k8s.io/apimachinery/pkg/api/errors.
func Values(ctx context.Context, all Secrets, namespace, name string) (map[string]string, error) {
	found, err := all.Get(ctx, namespace, name)
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s: %w", namespace, name, err)
	}
	values := map[string]string{}
	for key, value := range found.Data {
		values[key] = strings.TrimSpace(string(value)) // files end with a newline
	}
	return values, nil
}

// Value is that of NAME/KEY.
func Value(ctx context.Context, all Secrets, namespace, where string) (string, error) {
	name, key, _ := strings.Cut(where, "/")
	values, err := Values(ctx, all, namespace, name)
	if err != nil {
		return "", err
	}
	value, ok := values[key]
	if !ok {
		return "", fmt.Errorf("secret %s/%s has no key %q", namespace, name, key)
	}
	return value, nil
}

// Login is the username and the password in a Secret; none where no name is given.
func Login(ctx context.Context, all Secrets, namespace, name string) (username, password string, err error) {
	if name == "" {
		return "", "", nil
	}
	values, err := Values(ctx, all, namespace, name)
	if err == nil && values["password"] == "" {
		err = fmt.Errorf("secret %s/%s has no password: give it username and password", namespace, name)
	}
	return values["username"], values["password"], err
}
