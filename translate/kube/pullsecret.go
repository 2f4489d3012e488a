package kube

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// PullSecret is who asks registries of images, or nobody where the Secret is about something else.
func PullSecret(o *object.Object, s *corev1.Secret) []model.PullSecret {
	if s.Type != corev1.SecretTypeDockerConfigJson {
		return nil
	}
	at := object.Path("data").Entry(corev1.DockerConfigJsonKey)
	text := s.Data[corev1.DockerConfigJsonKey]
	var form struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if len(text) > object.MaxBody || json.Unmarshal(text, &form) != nil || len(form.Auths) == 0 {
		o.Invalid(at, "has %d bytes, or is no JSON with auths, so no image is pulled by it; make it with kubectl create secret docker-registry", len(text))
		return nil
	}
	return []model.PullSecret{{Name: o.Namespace + "/" + o.Key.Name, Config: text}}
}
