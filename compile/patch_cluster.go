package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/flow"
	"weft.dev/model"
)

func (p patching) isCluster(name string) bool {
	host, port, subset, called := model.ParseClusterName(name)
	m := p.Cluster
	if m.Name != "" && m.Name != name || m.Host != "" && m.Host != host || m.Subset != "" && m.Subset != subset {
		return false
	}
	return p.Port == 0 || called && p.Port == port || !called && InboundName(p.Port) == name
}

// keepsCluster says what of a cluster is no patch's to change: where it leads and came from, and how that is proved.
func keepsCluster(before, after *clusterv3.Cluster) error {
	was, is := leadingOf(before), leadingOf(after)
	if !proto.Equal(was, is) {
		return errors.New("where a cluster leads and how it is encrypted is weft's; use a DestinationRule")
	}
	return nil
}

func leadingOf(c *clusterv3.Cluster) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: c.Name, ClusterDiscoveryType: c.ClusterDiscoveryType, EdsClusterConfig: c.EdsClusterConfig, LoadAssignment: c.LoadAssignment,
		Metadata:        &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{MetadataKey: c.GetMetadata().GetFilterMetadata()[MetadataKey]}},
		TransportSocket: c.TransportSocket, TransportSocketMatches: c.TransportSocketMatches, LbSubsetConfig: c.LbSubsetConfig,
	}
}

// addedClusters are those that EnvoyFilters bring for filters of theirs.
func (c *compiler) addedClusters(x *flow.Ctx, s scope) (all []*model.Resource, problems []model.Problem) {
	filters, _ := c.good(x, allFound(x, c.EnvoyFilters, s.Patches))
	taken := map[string]bool{}
	for _, f := range filters {
		for _, p := range f.Patches {
			if p.Of != model.PatchCluster || p.Do != model.PatchAdd || p.At != model.PatchAnywhere && (p.At == model.PatchGateway) != (s.Gateway != "") {
				continue
			}
			added, err := addedCluster(p, taken)
			if err != nil {
				problems = append(problems, model.Problem{Object: f.Object, Code: model.ProblemInvalid, Path: p.Origin.Path,
					Message: "the cluster is not added: " + err.Error()})
				continue
			}
			taken[added.Name] = true
			all = append(all, c.intern.resource(model.TypeCluster, added.Name, added, nil, f.Object))
		}
	}
	return all, problems
}

func addedCluster(p model.Patch, taken map[string]bool) (*clusterv3.Cluster, error) {
	added := &clusterv3.Cluster{}
	if err := read(p.Value, added); err != nil {
		return nil, err
	}
	switch {
	case added.Name == "" || isOwnCluster(added.Name):
		return nil, fmt.Errorf("the name %q is weft's; choose another", added.Name)
	case taken[added.Name]:
		return nil, fmt.Errorf("another EnvoyFilter adds one of the name %s; choose another", added.Name)
	case added.GetType() == clusterv3.Cluster_EDS && added.GetClusterType() == nil:
		return nil, errors.New("nobody would tell its endpoints; write them into it, or a name of DNS")
	}
	return added, sound(added.ProtoReflect())
}

var ownClusters = []string{connectName, straysName, refusedName, noKeysName, model.AgentCluster}

// isOwnCluster says whether weft has clusters of such a name.
func isOwnCluster(name string) bool {
	_, _, _, called := model.ParseClusterName(name)
	return called || slices.Contains(ownClusters, name) || strings.HasPrefix(name, "inbound.") || strings.HasPrefix(name, "gateway.") || strings.HasPrefix(name, ownFilters)
}
