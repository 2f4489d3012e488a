package serve

import (
	"context"

	"k8s.io/apiserver/pkg/endpoints/request"
)

// Who is the client behind a request that Options.Extra answers, as the API server knows it, with the
// groups that somebody gave to it. Name "": the request is not one of those.
func Who(ctx context.Context) (name string, groups []string) {
	u, ok := request.UserFrom(ctx)
	if !ok {
		return "", nil
	}
	return u.GetName(), groupsOf(u)
}
