package spinnaker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weft.dev/api/v1alpha1"
)

// versioned is a name of Spinnaker's or of a team's that ends with a version: reviews-v2, reviews-${parameters.version}.
var versioned = regexp.MustCompile(`^([a-z0-9][-a-z0-9]*?)-(v[0-9][A-Za-z0-9._]*|\$\{.*\})$`)

// ofName is the application and version that a workload's name has.
func (j *job) ofName() (application, version string, err error) {
	if mode := text(j.raw["mode"]); mode != "" && mode != "static" {
		return "", "", fmt.Errorf("mode %q: which version is the %s one, Spinnaker's names say alone: name it", cut(mode, 40), cut(text(j.raw["criteria"]), 40))
	}
	_, name, _ := strings.Cut(strings.TrimSpace(text(j.raw["manifestName"])), " ")
	parts := versioned.FindStringSubmatch(name)
	if parts == nil {
		return "", "", fmt.Errorf("manifestName: %q is not KIND APPLICATION-VERSION, such as deployment reviews-v2", cut(name, 80))
	}
	if version, err = j.within("manifestName", parts[2], maxVersion); err != nil {
		return "", "", err
	}
	j.note(Changed, "manifestName", "it is version %s of application %s, and the mesh leads the traffic", cut(parts[2], 80), cut(parts[1], 80))
	return parts[1], version, j.account()
}

func enableManifest(j *job, out *v1alpha1.Stage) error {
	application, version, err := j.ofName()
	out.Enable = &v1alpha1.EnableStage{Application: cut(application, maxVersion), Version: version}
	if err == nil {
		j.note(Changed, "type", "the version gets everything, and goes back where it does harm; there it answers beside those that are enabled")
	}
	return err
}

func disableManifest(j *job, out *v1alpha1.Stage) error {
	application, version, err := j.ofName()
	out.Disable = &v1alpha1.DisableStage{Application: cut(application, maxVersion), Version: version}
	return err
}

// undoRollout goes back to what served before. Spinnaker puts a template of the workload's back.
func undoRollout(j *job, out *v1alpha1.Stage) error {
	t, err := j.target()
	switch back := text(j.raw["numRevisionsBack"]); {
	case err != nil:
		return err
	case t.Name == "":
		return errors.New("mode: the versions of one application are undone: name its workload")
	case back != "" && back != "1":
		return fmt.Errorf("numRevisionsBack: weft goes one back, or to a version that is named, and not %s back", cut(back, 40))
	}
	out.Undo = &v1alpha1.UndoStage{Application: t.Name, Reason: "stage " + j.name}
	j.note(Changed, "manifestName", "the traffic of application %s goes back to the version that served before; there the template of a workload is put back", cut(t.Name, 80))
	return nil
}

// rollback goes back to the server group before, of one cluster.
func rollback(j *job, out *v1alpha1.Stage) error {
	cluster := label(text(j.raw["cluster"]), maxIdentifier)
	if cluster == "" || cluster != text(j.raw["cluster"]) {
		return fmt.Errorf("cluster %q is no application's name", cut(text(j.raw["cluster"]), 80))
	}
	out.Undo = &v1alpha1.UndoStage{Application: cluster, Reason: "stage " + j.name}
	j.note(Changed, "cluster", "the traffic of application %s goes back to the version that served before", cluster)
	return nil
}

// serverGroups converts a deploy that starts virtual machines or containers elsewhere: their release.
// Starting them is for whoever runs them.
func serverGroups(j *job, out *v1alpha1.Stage) error {
	clusters := objects(j.raw["clusters"])
	if len(clusters) != 1 {
		return fmt.Errorf("clusters: there are %d, and a release is of one: make a stage of each", len(clusters))
	}
	c := clusters[0]
	said := strings.ToLower(text(c["strategy"]))
	strategy, known := strategyOf[said]
	if !known {
		return fmt.Errorf("clusters[0].strategy: %q is none of weft's: choose redblack, rollingredblack, highlander or monitored", cut(said, 40))
	}
	version := versionOfCluster(c)
	if version == "" {
		return errors.New("clusters[0]: the tag of no image says which version it is")
	}
	r := &v1alpha1.ReleaseStage{Application: clusterName(c), Strategy: &v1alpha1.Strategy{Type: strategy}}
	var err error
	if r.Version, err = j.within("clusters[0].version", version, maxVersion); err != nil {
		return err
	}
	if r.Strategy.Steps, err = steps(said, c); err != nil {
		return err
	}
	j.note(Changed, "clusters", "it releases version %s of application %s and starts nothing: instances of that version have to run before", cut(version, 80), cut(r.Application, 80))
	if said == "monitored" {
		j.note(Changed, "clusters[0].deploymentMonitor", "weft judges each step by its own traffic, and goes back where the version does harm")
	}
	out.Release = r
	return nil
}

// clusterName is that of a cluster in Frigga's words.
func clusterName(c object) string {
	parts := slices.DeleteFunc([]string{text(c["application"]), text(c["stack"]), text(c["freeFormDetails"])}, func(s string) bool { return s == "" })
	return label(strings.Join(parts, "-"), maxIdentifier)
}

// versionOfCluster is the tag of its image.
func versionOfCluster(c object) string {
	if tag := tagOf(text(c["imageId"])); tag != "" {
		return tag
	}
	description, _ := c["imageDescription"].(object)
	if truth(description["fromTrigger"], false) {
		return "${trigger['tag']}"
	}
	return text(description["tag"])
}

// steps are the shares in percent of the strategies that have some.
func steps(strategy string, c object) (out []int32, err error) {
	key, values := map[string]string{"rollingredblack": "targetPercentages", "monitored": "deploySteps"}[strategy], []string(nil)
	if values = texts(c[key]); len(values) == 0 {
		values = map[string][]string{"targetPercentages": {"50", "100"}, "deploySteps": {"10", "40", "100"}}[key]
	}
	for _, value := range values {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 100 || (len(out) > 0 && int32(n) <= out[len(out)-1]) {
			return nil, fmt.Errorf("clusters[0].%s: %v are no shares that rise to 100", key, values)
		}
		out = append(out, int32(n))
	}
	if len(out) > 0 && out[len(out)-1] < 100 {
		out = append(out, 100)
	}
	if len(out) > maxOptions {
		return nil, fmt.Errorf("clusters[0].%s: there are %d, at most %d are possible", key, len(out), maxOptions)
	}
	return out, nil
}
