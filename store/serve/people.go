package serve

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/tools/clientcmd"

	"weft.dev/api"
)

// peopleGroup is that of everybody who is no administrator.
const peopleGroup = "weft:people"

// maxName is how long a certificate lets a name be, in bytes.
const maxName = 64

// Person makes the kubeconfig of somebody who is no administrator: they may read
// what the mesh is made of but its secrets, start runs of pipelines and releases, decide in
// them and freeze, as roles let them, and what they write is theirs. Dir is the data directory of a server that runs. The
// certificate lasts for so long; before that nobody can take it back.
func Person(dir, name string, groups []string, lasts time.Duration) ([]byte, error) {
	for _, text := range append([]string{name}, groups...) {
		if err := checkName(text); err != nil {
			return nil, err
		}
	}
	path := filepath.Join(dir, kubeconfigName)
	admin, err := clientcmd.LoadFromFile(path)
	if err != nil || admin.Clusters[clusterName] == nil {
		return nil, fmt.Errorf("%s: no server serves this data directory now; start it, or name another directory (%w)", path, err)
	}
	ca, err := readAuthority(filepath.Join(dir, authorityName))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return ca.kubeconfig(admin.Clusters[clusterName].Server, name, append(slices.Clone(groups), peopleGroup), now, now.Add(lasts))
}

// checkName keeps people from names that mean something to the server.
func checkName(name string) error {
	switch {
	case name == "", len(name) > maxName, strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("name %q: want 1 to %d bytes, without spaces", name, maxName)
	case name == adminName, name == "weft", strings.HasPrefix(name, "system:"), strings.HasPrefix(name, "weft:"):
		return fmt.Errorf("name %q: the server's own; choose another", name)
	}
	return nil
}

// authorize lets administrators do everything, and people what they may.
func authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetUser() == nil || strings.HasPrefix(a.GetVerb(), "impersonate") { // what is written in a name, its owner wrote
		return authorizer.DecisionNoOpinion, "nobody acts in another's name here", nil
	}
	groups := a.GetUser().GetGroups()
	if slices.Contains(groups, adminGroup) || slices.Contains(groups, peopleGroup) && peopleMay(a) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "people read what the mesh is made of, start pipelines and releases, decide in them, and freeze; ask an administrator for the rest", nil
}

func peopleMay(a authorizer.Attributes) bool {
	if !a.IsResourceRequest() {
		return a.IsReadOnly() && readable(a.GetPath()) || a.GetVerb() == "post" && (a.GetPath() == previewsPath || a.GetPath() == tapPath || strings.HasPrefix(a.GetPath(), questionsPath))
	}
	return slices.ContainsFunc(api.Kinds(), func(info api.Info) bool {
		if info.Version.Group != a.GetAPIGroup() || info.Resource != a.GetResource() {
			return false
		}
		switch info.Kind {
		case api.Secret, api.ConfigMap:
			return false
		}
		return a.IsReadOnly() || a.GetSubresource() == "" && slices.Contains(theirs[info.Kind], a.GetVerb())
	})
}

// theirs are the verbs by which people write, of which Options.Rules says more.
var theirs = map[api.Kind][]string{
	api.Decision: {"create"}, api.PipelineRun: {"create"}, api.Release: {"create", "update", "patch"}, api.Freeze: {"create", "delete"},
}

// previewsPath is answered by roles of the application that is asked for.
const previewsPath = extraPath + "v1/previews"

// tapPath tells of requests what traces tell, as they pass.
const tapPath = extraPath + "v1/tap"

// questionsPath is below which a POST only asks: a query may be too long for an address.
const questionsPath = extraPath + "metrics/api/"

// readable are the paths that are no resources and that people's tools need.
func readable(path string) bool {
	return path == "/version" || slices.ContainsFunc([]string{"/api", "/apis", "/openapi", strings.TrimSuffix(extraPath, "/")}, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}
