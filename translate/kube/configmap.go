package kube

import (
	"fmt"
	"unique"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/translate/object"
)

// Bundle is what a ConfigMap says of whom to trust.
type Bundle struct {
	// CA is PEM; "": it is of no use. Many namespaces have one and the same, which is kept once.
	CA      unique.Handle[string]
	Invalid string // why it is of no use
}

// ConfigMap gives its certificates, or nothing where it is about something else. It has no problems: most of those
// with a bundle are for applications, and who names one that is of no use is told.
func ConfigMap(_ *object.Object, c *corev1.ConfigMap) []Bundle {
	text, ok := c.Data[caField]
	if !ok {
		return nil
	}
	if err := checkCA([]byte(text)); err != nil {
		return []Bundle{{CA: unique.Make(""), Invalid: fmt.Sprintf("data[%s]: %s", caField, err)}}
	}
	return []Bundle{{CA: unique.Make(text)}}
}
