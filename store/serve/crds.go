package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"

	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	crdlisters "k8s.io/apiextensions-apiserver/pkg/client/listers/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"golang.org/x/sync/errgroup"

	"weft.dev/api"
)

const (
	// hashAnnotation holds the hash of the text that a CRD was made from. Writing a CRD compiles all its
	// rules, so at a restart only those that differ are written.
	hashAnnotation = "weft.dev/crd-hash"
	// crdWriters is how many CRDs are written at the same time.
	crdWriters = 4
)

// installCRDs brings the CRDs of every accepted kind to the text in this
// binary, and returns when all of them are served.
func (s *Server) installCRDs(ctx context.Context) error {
	client, err := crdclient.NewForConfig(s.config)
	if err != nil {
		return err
	}
	wanted, err := readCRDs(api.Served())
	if err != nil {
		return err
	}
	lister := s.api.Informers.Apiextensions().V1().CustomResourceDefinitions().Lister()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(crdWriters)
	for _, crd := range wanted {
		group.Go(func() error { return installCRD(groupCtx, client.CustomResourceDefinitions(), lister, crd) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) { return allServed(wanted, lister) })
}

func readCRDs(files fs.FS) ([]*crdv1.CustomResourceDefinition, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	all := make([]*crdv1.CustomResourceDefinition, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		crd := &crdv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sum := sha256.Sum256(text)
		metav1.SetMetaDataAnnotation(&crd.ObjectMeta, hashAnnotation, hex.EncodeToString(sum[:8]))
		all[i] = crd
	}
	return all, nil
}

func installCRD(ctx context.Context, client crdclient.CustomResourceDefinitionInterface, lister crdlisters.CustomResourceDefinitionLister,
	crd *crdv1.CustomResourceDefinition) error {
	present, err := lister.Get(crd.Name)
	if apierrors.IsNotFound(err) {
		_, err = client.Create(ctx, crd, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	if present.Annotations[hashAnnotation] == crd.Annotations[hashAnnotation] {
		return establish(ctx, client, present)
	}
	crd.ResourceVersion = present.ResourceVersion
	_, err = client.Update(ctx, crd, metav1.UpdateOptions{})
	return err
}

// establish begins the status of a CRD anew that a killed server left with its names accepted and not yet established: the
// libraries establish a CRD when they see its names accepted, and otherwise minutes later. Nothing was stored of its kind.
func establish(ctx context.Context, client crdclient.CustomResourceDefinitionInterface, present *crdv1.CustomResourceDefinition) error {
	if condition(present, crdv1.NamesAccepted) != crdv1.ConditionTrue || condition(present, crdv1.Established) == crdv1.ConditionTrue {
		return nil
	}
	anew := present.DeepCopy()
	anew.Status = crdv1.CustomResourceDefinitionStatus{}
	_, err := client.UpdateStatus(ctx, anew, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		return nil // this server is about to establish it
	}
	return err
}

func allServed(wanted []*crdv1.CustomResourceDefinition, lister crdlisters.CustomResourceDefinitionLister) (bool, error) {
	for _, crd := range wanted {
		present, err := lister.Get(crd.Name)
		if apierrors.IsNotFound(err) {
			return false, nil // the server's own cache is a little behind
		}
		if err != nil {
			return false, err
		}
		if condition(present, crdv1.NamesAccepted) == crdv1.ConditionFalse {
			return false, fmt.Errorf("%s: its names are taken by another CRD; delete that one", crd.Name)
		}
		if condition(present, crdv1.Established) != crdv1.ConditionTrue {
			return false, nil
		}
	}
	return true, nil
}

func condition(crd *crdv1.CustomResourceDefinition, t crdv1.CustomResourceDefinitionConditionType) crdv1.ConditionStatus {
	for _, c := range crd.Status.Conditions {
		if c.Type == t {
			return c.Status
		}
	}
	return crdv1.ConditionUnknown
}
