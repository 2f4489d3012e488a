package compile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"weft.dev/model"
)

// Static is the bootstrap of an Envoy that has a view, with nothing left to be
// delivered: Envoy's validation does not see what xDS delivers. secrets are
// those that the view names, as the JSON of Envoy's Secret. An error says that the
// view is not whole.
func Static(v *model.View, secrets []any) (map[string]any, error) {
	s := static{view: v}
	resources := map[string]any{
		"secrets": secrets, "clusters": s.all(model.TypeCluster), "listeners": s.all(model.TypeListener),
	}
	return map[string]any{
		"node":             map[string]any{"id": "static", "cluster": "static"},
		"static_resources": resources,
		"bootstrap_extensions": []any{map[string]any{
			"name":         "envoy.bootstrap.internal_listener",
			"typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"},
		}},
	}, s.err
}

// static puts together what a view has in pieces. err is the first thing that was wrong.
type static struct {
	view *model.View
	err  error
}

func (s *static) all(t model.Type) (all []any) {
	for r := range s.view.All(t) {
		all = append(all, s.inlined(s.tree(r)))
	}
	return all
}

// inlined puts what a resource only names, or would fetch, into it.
func (s *static) inlined(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		delete(tree, "sdsConfig")
		withoutFiles(tree)
		if _, ok := tree["edsClusterConfig"]; ok {
			delete(tree, "edsClusterConfig")
			tree["type"] = "STATIC"
			tree["loadAssignment"] = s.find(model.TypeEndpoint, tree["name"].(string))
		}
		if _, ok := tree["configDiscovery"]; ok {
			delete(tree, "configDiscovery")
			tree["typedConfig"] = s.extension(tree["name"].(string))
		}
		if rds, ok := tree["rds"].(map[string]any); ok {
			delete(tree, "rds")
			tree["routeConfig"] = s.wholeTable(rds["routeConfigName"].(string))
		}
		for k, child := range tree {
			tree[k] = s.inlined(child)
		}
	case []any:
		for i, child := range tree {
			tree[i] = s.inlined(child)
		}
	}
	return tree
}

// extension is what a filter is told; of code that is not there, or in a file of some other machine, nothing.
func (s *static) extension(name string) any {
	plugin, missing := strings.HasPrefix(name, pluginPrefix), s.view.Find(model.TypeExtension, name) == nil
	if !plugin || !missing {
		config := s.find(model.TypeExtension, name)["typedConfig"]
		if !plugin || !hasFile(config) {
			return config
		}
	}
	return map[string]any{"@type": pack(passing).TypeUrl}
}

// hasFile says whether the code of a plugin is in a file.
func hasFile(config any) bool {
	for _, name := range []string{"config", "vmConfig", "code", "local"} {
		message, _ := config.(map[string]any)
		config = message[name]
	}
	local, _ := config.(map[string]any)
	return local["filename"] != nil
}

// withoutFiles leaves out certificates in files of some other machine.
func withoutFiles(tree map[string]any) {
	const shown = "tlsCertificateSdsSecretConfigs"
	isFile := func(config any) bool {
		name, _ := config.(map[string]any)["name"].(string)
		return model.IsFileSecret(name)
	}
	if all, ok := tree[shown].([]any); ok {
		tree[shown] = slices.DeleteFunc(all, isFile)
	}
	if isFile(tree) {
		tree["name"] = model.SecretSystemRoots
	}
}

// wholeTable is a table with the virtual hosts that it discovers.
func (s *static) wholeTable(name string) map[string]any {
	table := s.find(model.TypeRoute, name)
	if _, discovered := table["vhds"]; discovered {
		delete(table, "vhds")
		var hosts []any
		for r := range s.view.All(model.TypeVirtualHost) {
			if strings.HasPrefix(r.Name, name+"/") {
				hosts = append(hosts, s.tree(r))
			}
		}
		table["virtualHosts"] = hosts
	}
	return table
}

func (s *static) find(t model.Type, name string) map[string]any {
	r := s.view.Find(t, name)
	if r == nil {
		s.fail(fmt.Errorf("view %s: no %v %s", s.view.Scope, t, name))
		return map[string]any{}
	}
	return s.tree(r)
}

func (s *static) tree(r *model.Resource) map[string]any {
	tree, err := treeOf(r)
	if err != nil {
		s.fail(fmt.Errorf("view %s: %v %s: %w", s.view.Scope, r.Type, r.Name, err))
	}
	return tree
}

func (s *static) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// treeOf is a resource as JSON.
func treeOf(r *model.Resource) (tree map[string]any, err error) {
	message, err := Message(r)
	if err != nil {
		return nil, err
	}
	body, err := protojson.Marshal(message)
	if err != nil {
		return nil, err
	}
	return tree, json.Unmarshal(body, &tree)
}

// Message is what a resource says. The error is of a body that compile has not made.
func Message(r *model.Resource) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByURL(r.Type.TypeURL())
	if err != nil {
		return nil, err
	}
	message := kind.New().Interface()
	return message, proto.Unmarshal(r.Body, message)
}
