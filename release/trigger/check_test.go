package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/expr"
)

func TestCheck(t *testing.T) {
	eval, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	hook := &v1alpha1.ForgeHook{Forge: "gitea", SecretKey: "a/b"}
	poll := &metav1.Duration{Duration: time.Minute}
	for want, one := range map[string]v1alpha1.Trigger{
		"":                             {Git: &v1alpha1.GitTrigger{URL: "git@host:a/b", Hook: hook, Paths: []string{"a/**"}}, Parameters: map[string]v1alpha1.Value{"tag": "${trigger.facts.commit}"}},
		".cron: time zone":             {Cron: &v1alpha1.CronTrigger{Schedule: "* * * * *", TimeZone: "X"}},
		".cron: schedule":              {Cron: &v1alpha1.CronTrigger{Schedule: "x * * * *"}},
		".git: nothing tells it":       {Git: &v1alpha1.GitTrigger{URL: "https://host/a"}},
		".git.url: the url of":         {Git: &v1alpha1.GitTrigger{URL: "git@host:a/b", Poll: poll}},
		".git.branch: want a regular":  {Git: &v1alpha1.GitTrigger{URL: "https://host/a", Branch: "(?!x)", Hook: hook}},
		".git.paths: polling sees":     {Git: &v1alpha1.GitTrigger{URL: "https://host/a", Poll: poll, Paths: []string{"a"}}},
		".git.paths[0]: path":          {Git: &v1alpha1.GitTrigger{URL: "https://host/a", Hook: hook, Paths: []string{"/a"}}},
		".git.hook.secretKey: \"x\"":   {Git: &v1alpha1.GitTrigger{URL: "https://host/a", Hook: &v1alpha1.ForgeHook{Forge: "gitea", SecretKey: "x"}}},
		".image.repository: ":          {Image: &v1alpha1.ImageTrigger{Repository: "host/a:v1"}},
		".image: tag: want a regular":  {Image: &v1alpha1.ImageTrigger{Repository: "host/a", Tag: "("}},
		".image: version \"new\"":      {Image: &v1alpha1.ImageTrigger{Repository: "host/a", Version: "new"}},
		".webhook.secretKey: ":         {Webhook: &v1alpha1.WebhookTrigger{SecretKey: "x"}},
		".webhook.facts[a]: ":          {Webhook: &v1alpha1.WebhookTrigger{SecretKey: "x/y", Facts: map[string]v1alpha1.Value{"a": "${nothing}"}}},
		".when: ":                      {Pipeline: &v1alpha1.PipelineTrigger{Name: "a"}, When: "1"},
		".parameters[tag]: ":           {Pipeline: &v1alpha1.PipelineTrigger{Name: "a"}, Parameters: map[string]v1alpha1.Value{"tag": "${"}},
		".parameters.other: the pipel": {Pipeline: &v1alpha1.PipelineTrigger{Name: "a"}, Parameters: map[string]v1alpha1.Value{"tag": "", "other": ""}},
		".parameters: tag is required": {Pipeline: &v1alpha1.PipelineTrigger{Name: "a"}},
		": it has no kind":             {},
	} {
		if one.Parameters == nil && want != ".parameters: tag is required" {
			one.Parameters = map[string]v1alpha1.Value{"tag": "v1"}
		}
		spec := &v1alpha1.PipelineSpec{Parameters: []v1alpha1.Parameter{{Name: "tag", Required: true}}, Triggers: []v1alpha1.Trigger{one}}
		var got []string
		for _, p := range Check(spec, eval) {
			got = append(got, p.Path+": "+p.Message)
		}
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || want == "" || !strings.HasPrefix(got[0], "spec.triggers[0]"+want) {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ pattern, in, out string }{
		{"src/**", "src/a src/a/b", "src lib/src/a"},
		{"src/", "src/a src/a/b", "srcs/a"},
		{"**/*.go", "a.go a/b/c.go", "a.gox a/b.g"},
		{"a?c.md", "abc.md", "a/c.md abbc.md"},
		{"*.md", "README.md", "docs/a.md"},
	} {
		p, err := pathPattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]bool{c.in: true, c.out: false} {
			for _, file := range strings.Fields(text) {
				if p.MatchString(file) != want {
					t.Errorf("%s and %s: %v", c.pattern, file, !want)
				}
			}
		}
	}
}

func TestRunName(t *testing.T) {
	long := RunName(strings.Repeat("p", 40)+".long", "t", "1")
	if len(long) > 52 || strings.Contains(long, ".-") || long == RunName(strings.Repeat("p", 40)+".long", "t", "2") || long == RunName(strings.Repeat("p", 40)+".long", "u", "1") {
		t.Error(fmt.Sprintf("the name is %s", long))
	}
}
