package trigger_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/trigger"
	"weft.dev/test/shelf"
)

const secret = "s3cr3t-of-the-hook"

// desk is a world with a pipeline that takes deliveries, and who takes them.
type desk struct {
	*world
	receiver *trigger.Receiver
	log      bytes.Buffer
}

func atDesk(t *testing.T, test func(d *desk)) {
	inWorld(t, func(w *world) {
		d := &desk{world: w}
		forge := func(name string) v1alpha1.Trigger {
			return v1alpha1.Trigger{
				Name: name, Parameters: map[string]v1alpha1.Value{"commit": "${trigger.facts.commit}"},
				Git: &v1alpha1.GitTrigger{URL: "https://git.example.com/shop/cart.git", Paths: []string{"src/**"}, Hook: &v1alpha1.ForgeHook{Forge: name, SecretKey: "hooks/key"}},
			}
		}
		w.pipeline("ship", forge("github"), forge("gitlab"), forge("gitea"), v1alpha1.Trigger{
			Name: "plain", When: `!(has(body.kind) && body.kind == "noise")`, Parameters: map[string]v1alpha1.Value{"tag": "${trigger.facts.tag}"},
			Webhook: &v1alpha1.WebhookTrigger{SecretKey: "hooks/key", Facts: map[string]v1alpha1.Value{"tag": "${body.release.tag}"}},
		}, v1alpha1.Trigger{Name: "keyless", Webhook: &v1alpha1.WebhookTrigger{SecretKey: "hooks/other"}}, hourly())
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "hooks"}, Data: map[string][]byte{"key": []byte(secret + "\n")}}
		if _, err := w.secrets.Create(s); err != nil {
			t.Fatal(err)
		}
		process := shelf.NewProcess(func() {}, never)
		d.receiver = trigger.NewReceiver(trigger.ReceiverOptions{
			Pipelines: shelf.Objects[v1alpha1.Pipeline]{Shelf: w.pipelines, Process: process},
			Runs:      shelf.Objects[v1alpha1.PipelineRun]{Shelf: w.runs, Process: process},
			Secrets:   shelf.Objects[corev1.Secret]{Shelf: w.secrets, Process: process},
			Eval:      w.eval, Now: time.Now, Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		})
		test(d)
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the secret is in the log: %s", d.log.String())
		}
	})
}

func mac(body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

// deliver posts to a path; headers are NAME, VALUE, ...
func (d *desk) deliver(path, body string, headers ...string) (status int, run, text string) {
	d.t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, strings.NewReader(body))
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	d.receiver.ServeHTTP(w, r)
	var a struct{ Run, Text string }
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || strings.Contains(w.Body.String(), secret) {
		d.t.Fatalf("%s answers %q: %v", path, w.Body, err)
	}
	return w.Code, a.Run, a.Text
}

const (
	githubPush = `{"ref":"refs/heads/main","after":"c0ffee","pusher":{"name":"ann"},"repository":{"clone_url":"https://git.example.com/Shop/cart.git","ssh_url":"git@git.example.com:shop/cart.git"},"commits":[{"added":["src/a/b.go"],"modified":[],"removed":[]}]}`
	gitlabPush = `{"ref":"refs/heads/main","after":"c0ffee","user_username":"ann","total_commits_count":1,"repository":{"git_http_url":"https://git.example.com/shop/cart.git"},"commits":[{"modified":["src/x"]}]}`
	giteaPush  = `{"ref":"refs/heads/main","after":"c0ffee","total_commits":1,"pusher":{"login":"ann"},"repository":{"clone_url":"https://git.example.com/shop/cart.git"},"commits":[{"removed":["src/x"]}]}`
)

// TestForges: each forge's push starts a run that knows who pushed, and again none.
func TestForges(t *testing.T) {
	for forge, c := range map[string]struct {
		body    string
		headers []string
	}{
		"github": {githubPush, []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=" + mac(githubPush)}},
		"gitlab": {gitlabPush, []string{"X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret}},
		"gitea":  {giteaPush, []string{"X-Gitea-Event", "push", "X-Gitea-Signature", mac(giteaPush)}},
	} {
		t.Run(forge, func(t *testing.T) {
			atDesk(t, func(d *desk) {
				var runs []string
				for _, delivery := range []string{"1", "2"} { // the id of a delivery is not signed: it does not count
					status, run, text := d.deliver("/hooks/shop/ship/"+forge, c.body, append(c.headers, "X-GitHub-Delivery", delivery)...)
					if status != http.StatusAccepted {
						t.Fatalf("it answers %d: %s", status, text)
					}
					runs = append(runs, run)
				}
				d.expect("ship", "main@c0ffee commit=c0ffee")
				r, err := d.runs.Get("shop", runs[0])
				if err != nil || runs[0] != runs[1] {
					t.Fatalf("runs %q: %v", runs, err)
				}
				if f := r.Spec.Trigger; f.By != "weft:git" || f.Facts["author"] != "ann" || f.Facts["branch"] != "main" || f.Type != "git" {
					t.Fatalf("it was started by %+v", f)
				}
			})
		})
	}
}

// TestPolledAndDelivered: a commit that is polled and delivered starts one run.
func TestPolledAndDelivered(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.heads["main"] = "old"
		d.pipelines.Edit("shop", "ship", func(p *v1alpha1.Pipeline) {
			p.Spec.Triggers[0].Git.Paths, p.Spec.Triggers[0].Git.Poll = nil, &metav1.Duration{Duration: time.Minute}
		})
		stop := d.begin(never)
		defer stop()
		d.pass(time.Second)
		d.deliver("/hooks/shop/ship/github", githubPush, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+mac(githubPush))
		d.set(func() { d.heads["main"] = "c0ffee" })
		d.pass(3 * time.Minute)
		d.expect("ship", "main@c0ffee commit=c0ffee")
		p, err := d.pipelines.Get("shop", "ship")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Status.Triggers {
			if missing := strings.Contains(s.Why, "hooks/other is not there"); missing != (s.Name == "keyless") {
				t.Errorf("the status of %s says %q", s.Name, s.Why)
			}
		}
	})
}

func TestWebhook(t *testing.T) {
	body := `{"release":{"tag":"v2"}}`
	atDesk(t, func(d *desk) {
		bearer := []string{"Authorization", "Bearer " + secret}
		signed := []string{"X-Weft-Signature", "sha256=" + mac(body)}
		seen := map[string]bool{}
		for _, headers := range [][]string{bearer, bearer, signed, append(signed, "Idempotency-Key", "2"), append(bearer, "Idempotency-Key", "1")} {
			status, run, text := d.deliver("/hooks/shop/ship/plain", body, headers...)
			if status != http.StatusAccepted {
				t.Fatalf("it answers %d: %s", status, text)
			}
			seen[run] = true
		}
		if len(seen) != 2 {
			t.Fatalf("the same body, and once a name of its own, start %d runs", len(seen))
		}
		if all := d.started("ship"); !strings.HasSuffix(all[0], " tag=v2") {
			t.Fatalf("the runs are %q", all)
		}
	})
}

// TestRefused: what starts nothing is told so, with its status.
func TestRefused(t *testing.T) {
	github := func(body string) []string {
		return []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=" + mac(body)}
	}
	other := strings.Replace(githubPush, "refs/heads/main", "refs/heads/x", 1)
	tag := strings.Replace(githubPush, "refs/heads/main", "refs/tags/x", 1)
	gone := strings.Replace(githubPush, "c0ffee", strings.Repeat("0", 40), 1)
	elsewhere := strings.ReplaceAll(githubPush, "cart", "till")
	docs := strings.Replace(githubPush, "src/a/b.go", "docs/src/a", 1)
	bearer := []string{"Authorization", "Bearer " + secret}
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		text       string
	}{
		"no path":          {"/", "", nil, 404, "there are only /hooks/NAMESPACE/PIPELINE/TRIGGER"},
		"no pipeline":      {"/hooks/shop/none/plain", "", bearer, 404, "no trigger of this name"},
		"no trigger":       {"/hooks/shop/ship/none", "", bearer, 404, "no trigger of this name"},
		"no hook":          {"/hooks/shop/ship/hourly", "", bearer, 404, "no trigger of this name"},
		"nothing known":    {"/hooks/shop/ship/plain", "{}", nil, 401, "does not prove"},
		"another secret":   {"/hooks/shop/ship/plain", "{}", []string{"Authorization", "Bearer x"}, 403, "another secret"},
		"another way":      {"/hooks/shop/ship/plain", "{}", []string{"Authorization", "Basic x"}, 401, "does not prove"},
		"no signature":     {"/hooks/shop/ship/github", githubPush, []string{"X-GitHub-Event", "push"}, 401, "does not prove"},
		"another body":     {"/hooks/shop/ship/github", githubPush + " ", github(githubPush), 403, "another secret"},
		"token for a mac":  {"/hooks/shop/ship/github", githubPush, []string{"X-Hub-Signature-256", secret}, 403, "another secret"},
		"mac for a token":  {"/hooks/shop/ship/gitlab", gitlabPush, []string{"X-Gitlab-Token", mac(gitlabPush)}, 403, "another secret"},
		"no secret":        {"/hooks/shop/ship/keyless", "{}", bearer, 403, "has no secret here"},
		"empty token":      {"/hooks/shop/ship/keyless", "{}", []string{"Authorization", "Bearer "}, 403, "has no secret here"},
		"too long":         {"/hooks/shop/ship/plain", strings.Repeat(" ", 1<<20+1), bearer, 413, "more than 1048576 bytes"},
		"no JSON":          {"/hooks/shop/ship/plain", "{", bearer, 400, "no JSON"},
		"no fact":          {"/hooks/shop/ship/plain", "{}", bearer, 400, "fact tag"},
		"when is false":    {"/hooks/shop/ship/plain", `{"kind":"noise","release":{"tag":"x"}}`, bearer, 200, "is false"},
		"a ping":           {"/hooks/shop/ship/github", "{}", []string{"X-GitHub-Event", "ping", "X-Hub-Signature-256", "sha256=" + mac("{}")}, 200, `"ping", and no push`},
		"another branch":   {"/hooks/shop/ship/github", other, github(other), 200, "branch x is none"},
		"a tag":            {"/hooks/shop/ship/github", tag, github(tag), 200, "is no branch"},
		"a deleted branch": {"/hooks/shop/ship/github", gone, github(gone), 200, "was deleted"},
		"another repo":     {"/hooks/shop/ship/github", elsewhere, github(elsewhere), 200, "another repository"},
		"other paths":      {"/hooks/shop/ship/github", docs, github(docs), 200, "touches no path"},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, func(d *desk) {
				status, run, text := d.deliver(c.path, c.body, c.headers...)
				if status != c.status || run != "" || !strings.Contains(text, c.text) {
					t.Fatalf("it answers %d %q: %q; want %d %q", status, run, text, c.status, c.text)
				}
				d.expect("ship")
			})
		})
	}
}

func TestOff(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.pipelines.Edit("shop", "ship", func(p *v1alpha1.Pipeline) { p.Spec.Disabled = true })
		status, _, text := d.deliver("/hooks/shop/ship/plain", `{"release":{"tag":"v2"}}`, "Authorization", "Bearer "+secret)
		if status != http.StatusOK || !strings.Contains(text, "disabled") {
			t.Fatalf("it answers %d: %s", status, text)
		}
		d.expect("ship")
	})
}

// TestFlood: an address takes so many deliveries a minute, whoever sends them, and another one its own.
func TestFlood(t *testing.T) {
	atDesk(t, func(d *desk) {
		counts := map[int]int{}
		for range 200 {
			status, _, _ := d.deliver("/hooks/shop/ship/plain", "{}")
			counts[status]++
		}
		if counts[http.StatusUnauthorized] != 120 || counts[http.StatusTooManyRequests] != 80 {
			t.Fatalf("of 200 deliveries: %v", counts)
		}
		if status, _, _ := d.deliver("/hooks/shop/ship/github", "{}"); status != http.StatusUnauthorized {
			t.Fatalf("another address answers %d", status)
		}
		d.pass(time.Minute)
		if status, _, _ := d.deliver("/hooks/shop/ship/plain", "{}"); status != http.StatusUnauthorized {
			t.Fatalf("a minute later it answers %d", status)
		}
	})
}
