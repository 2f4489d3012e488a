// Package blob packs what a run keeps beside its record, as Blobs have it.
//
// Input: bytes, and the run that they are of. Output: a Blob whose name says both, so
// that storing it twice stores one, and no two runs share one.
package blob

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
)

const (
	// MaxBytes is what a Blob holds at most, packed.
	MaxBytes = 512 << 10
	// MaxManifests is what a version's manifests in Blobs have at most, unpacked.
	MaxManifests = 16 << 20
)

// Name is another one for each run and content.
func Name(run types.UID, data []byte) string {
	sum := sha256.Sum256(append([]byte(run+"/"), data...))
	return fmt.Sprintf("b-%x", sum[:20])
}

// New is the Blob of data; use is one word that says what for.
func New(run types.UID, namespace, name, use string, data []byte) *v1alpha1.Blob {
	return &v1alpha1.Blob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{v1alpha1.BlobRunLabel: string(run), v1alpha1.BlobUseLabel: use},
		},
		Spec: v1alpha1.BlobSpec{Data: Pack(data)},
	}
}

// Pack is data as a Blob has it.
func Pack(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, errWrite := w.Write(data)
	if err := errors.Join(errWrite, w.Close()); err != nil {
		panic(err) // to memory
	}
	return out.Bytes()
}

// Read unpacks a Blob, of which no more than limit bytes are wanted.
func Read(b *v1alpha1.Blob, limit int64) ([]byte, error) {
	in, err := gzip.NewReader(bytes.NewReader(b.Spec.Data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(in, limit))
}
