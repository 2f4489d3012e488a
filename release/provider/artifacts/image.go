package artifacts

import (
	"context"
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/pipeline"
	"weft.dev/release/secret"
)

// image finds the newest tag, and which image that is now.
func (w World) image(ctx context.Context, namespace string, c *v1alpha1.FindImage) (seen pipeline.ArtifactSeen, err error) {
	repository, err := artifact.ParseRepository(c.Repository)
	if err != nil {
		return seen, none{err}
	}
	match, err := artifact.NewMatch(c.Tag, c.Version)
	if err != nil {
		return seen, none{err}
	}
	repository.Insecure = c.Insecure
	if repository.Login.Username, repository.Login.Password, err = secret.Login(ctx, w.Secrets, namespace, c.Secret); err != nil {
		return seen, err
	}
	tags, err := w.Registry.Tags(ctx, repository)
	if err != nil {
		return seen, err
	}
	wanted := match.Of(tags)
	if len(wanted) == 0 {
		return seen, none{fmt.Errorf("image %s: none of its %d tags is one of tag %q, version %q: push one, or ask for another", repository, len(tags), c.Tag, c.Version)}
	}
	tag := wanted[len(wanted)-1]
	digest, err := w.Registry.Digest(ctx, repository, tag)
	if err != nil {
		return seen, err
	}
	return found(fmt.Sprintf("%s:%s, the newest of %d", repository, tag, len(wanted)), map[string]string{
		"image": repository.String() + "@" + digest, "repository": repository.String(), "tag": tag, "digest": digest,
	}), nil
}
