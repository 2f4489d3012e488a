package serve

import (
	"context"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// namespaceRetry is how long a namespace with contents that do not go away
// (they have finalizers of their own) waits for the next look.
const namespaceRetry = time.Second

// namespaceController empties namespaces that are being deleted, and then lets
// them go. On a cluster the controller manager does this.
type namespaceController struct {
	client    kubernetes.Interface
	objects   metadata.Interface
	discovery discovery.DiscoveryInterface
	lister    corelisters.NamespaceLister
	queue     workqueue.TypedRateLimitingInterface[string]
	log       *slog.Logger
}

func newNamespaceController(config *rest.Config, factory informers.SharedInformerFactory, log *slog.Logger) (*namespaceController, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	informer := factory.Core().V1().Namespaces()
	c := &namespaceController{
		client: client, objects: objects, discovery: client.Discovery(), lister: informer.Lister(), log: log,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	enqueue := func(obj any) {
		if ns, ok := obj.(*corev1.Namespace); ok && ns.DeletionTimestamp != nil {
			c.queue.Add(ns.Name)
		}
	}
	_, err = informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, obj any) { enqueue(obj) },
	})
	return c, err
}

// run works until ctx ends.
func (c *namespaceController) run(ctx context.Context) {
	go func() {
		<-ctx.Done()
		c.queue.ShutDown()
	}()
	for {
		name, quit := c.queue.Get()
		if quit {
			return
		}
		switch gone, err := c.empty(ctx, name); {
		case ctx.Err() != nil:
		case err != nil:
			c.log.Error("namespace "+name+": cannot be emptied yet", "error", err)
			c.queue.AddRateLimited(name)
		case !gone:
			c.queue.AddAfter(name, namespaceRetry)
		default:
			c.queue.Forget(name)
		}
		c.queue.Done(name)
	}
}

// empty deletes what is in a namespace, and lets it go if nothing is.
func (c *namespaceController) empty(ctx context.Context, name string) (gone bool, err error) {
	ns, err := c.lister.Get(name)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if ns.Status.Phase != corev1.NamespaceTerminating {
		// From here on nothing can be created in it; what is in it is listed only after that.
		if ns, err = c.client.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{}); err != nil {
			return false, ignoreGone(err)
		}
	}
	kinds, err := c.kinds()
	if err != nil {
		return false, err
	}
	left := 0
	for _, kind := range kinds {
		n, err := c.deleteAll(ctx, kind, name)
		if err != nil {
			return false, err
		}
		left += n
	}
	if left > 0 {
		return false, nil
	}
	ns = ns.DeepCopy()
	ns.Finalizers = slices.DeleteFunc(ns.Finalizers, func(f string) bool { return f == contentFinalizer })
	_, err = c.client.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{})
	return err == nil, ignoreGone(err)
}

// kinds are all resources that live in namespaces and can be listed and deleted.
func (c *namespaceController) kinds() ([]schema.GroupVersionResource, error) {
	lists, err := c.discovery.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	lists = discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists)
	resources, err := discovery.GroupVersionResources(lists)
	if err != nil {
		return nil, err
	}
	all := make([]schema.GroupVersionResource, 0, len(resources))
	for r := range resources {
		all = append(all, r)
	}
	return all, nil
}

// deleteAll asks to delete every object of a kind and returns how many there were.
func (c *namespaceController) deleteAll(ctx context.Context, kind schema.GroupVersionResource, namespace string) (int, error) {
	client := c.objects.Resource(kind).Namespace(namespace)
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, ignoreGone(err)
	}
	for _, o := range list.Items {
		if o.DeletionTimestamp != nil {
			continue
		}
		if err := client.Delete(ctx, o.Name, metav1.DeleteOptions{}); ignoreGone(err) != nil {
			return 0, err
		}
	}
	return len(list.Items), nil
}

// ignoreGone forgives that somebody was faster; the next event or look decides.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// ensureNamespace creates a namespace that must exist.
func (s *Server) ensureNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := s.namespaces.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
