package store

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"weft.dev/api"
)

// pageSize is how many objects a list asks for at once, so that neither side
// holds the text of a whole large collection.
const pageSize = 500

// Client reaches one API server. It may be shared.
type Client struct {
	dynamic dynamic.Interface
}

// NewClient makes a client; it connects when first used.
func NewClient(config *rest.Config) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the server limits requests, and it knows its load
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Client{dynamic: d}, nil
}

// resource addresses a kind in a namespace; an empty one means all, or none
// for a kind that has none.
func (c *Client) resource(kind api.Kind, namespace string) dynamic.ResourceInterface {
	info, ok := kind.Info()
	if !ok {
		panic(fmt.Sprintf("store: kind %q is not in the list of accepted kinds", kind))
	}
	r := c.dynamic.Resource(info.GVR())
	if !info.Namespaced || namespace == "" {
		return r
	}
	return r.Namespace(namespace)
}

// IsNotFound reports whether the object, or its kind, does not exist.
func IsNotFound(err error) bool { return apierrors.IsNotFound(err) }

// IsExists reports whether a create found the name taken.
func IsExists(err error) bool { return apierrors.IsAlreadyExists(err) }

// IsConflict reports whether the object has changed since it was read, or an
// applied field belongs to somebody else.
func IsConflict(err error) bool { return apierrors.IsConflict(err) }

// IsInvalid reports whether the server refused the object's content: trying
// again will not help.
func IsInvalid(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) }

// RetryOnConflict repeats do, which reads, changes and writes an object or makes
// the one that is not there, while somebody else does so in between; a few times,
// with pauses.
func RetryOnConflict(do func() error) error {
	return retry.OnError(retry.DefaultRetry, func(err error) bool { return IsConflict(err) || IsExists(err) }, do)
}
