package stage

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// maxJob is how long the manifest of a Job may be, bytes, also when its expressions are replaced.
const maxJob = 64 << 10

// job is one to make.
type job struct {
	manifest string
	deadline time.Duration
}

func (j job) as(name string) pipeline.JobWork {
	return pipeline.JobWork{Name: name, Manifest: j.manifest, Deadline: int64(j.deadline / time.Second)}
}

// jobOf is the Job that a stage describes.
func jobOf(c *v1alpha1.RunJobStage) (j job, err error) {
	if c.Deadline != nil {
		j.deadline = c.Deadline.Duration
	}
	beside := len(c.Command) + len(c.Args) + len(c.Env) + len(c.ServiceAccount)
	switch {
	case (c.Manifest == "") == (c.Image == ""):
		return j, errors.New("give it a manifest or an image, one of them")
	case c.Manifest != "" && beside > 0:
		return j, errors.New("command, args, env and serviceAccount go with an image: write them into the manifest")
	case c.Deadline != nil && j.deadline < time.Second:
		return j, fmt.Errorf("deadline: %s is less than a second", j.deadline)
	case strings.ContainsAny(c.Image, " \t\n"):
		return j, fmt.Errorf("image: %q is none", c.Image)
	case len(c.Manifest) > maxJob:
		return j, fmt.Errorf("manifest: it has %d bytes, at most %d are possible", len(c.Manifest), maxJob)
	}
	if j.manifest = c.Manifest; c.Image != "" {
		j.manifest, err = jobOfImage(c)
	}
	return j, err
}

// jobOfImage is a Job of one container, as JSON, which is YAML.
func jobOfImage(c *v1alpha1.RunJobStage) (string, error) {
	type fields = map[string]any
	container := fields{"name": "job", "image": c.Image}
	if len(c.Command) > 0 {
		container["command"] = c.Command
	}
	if len(c.Args) > 0 {
		container["args"] = c.Args
	}
	var env []fields
	for _, v := range c.Env {
		one := fields{"name": v.Name, "value": v.Value}
		if v.SecretKey != "" {
			name, key, ok := strings.Cut(v.SecretKey, "/")
			if !ok || name == "" || key == "" || v.Value != "" {
				return "", fmt.Errorf("env %s: give a value, or as secretKey NAME/KEY of a Secret", v.Name)
			}
			one = fields{"name": v.Name, "valueFrom": fields{"secretKeyRef": fields{"name": name, "key": key}}}
		}
		env = append(env, one)
	}
	if env != nil {
		container["env"] = env
	}
	pod := fields{"restartPolicy": "Never", "containers": []fields{container}}
	if c.ServiceAccount != "" {
		pod["serviceAccountName"] = c.ServiceAccount
	}
	return string(encode(fields{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": fields{"name": "job"}, "spec": fields{"template": fields{"spec": pod}},
	})), nil
}
