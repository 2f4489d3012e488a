package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/dial"
	"weft.dev/release/opinion"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/web"
)

const token = "t0k3n-canary"

type secrets struct{}

func (secrets) Get(_ context.Context, namespace, name string) (*corev1.Secret, error) {
	if namespace+"/"+name != "shop/prom" {
		return nil, errors.New("not found")
	}
	return &corev1.Secret{Data: map[string][]byte{"token": []byte(token + "\n")}}, nil
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newAsker() *Asker {
	open := dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	return &Asker{Web: web.New(open.DialContext, secrets{}), Secrets: secrets{}, Now: func() time.Time { return noon }}
}

// serve is a server on loopback.
func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// says is a Prometheus with one answer.
func says(t *testing.T, status int, body string) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func success(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

func query(url string) opinion.Ask {
	return opinion.Ask{Key: "query/a", About: opinion.About{Namespace: "shop"}, Prometheus: &v1alpha1.Prometheus{URL: url}, Query: "x"}
}

// shown is what was said in one line.
func shown(s opinion.Said) string {
	if s.Value != nil {
		s.Text += fmt.Sprint(*s.Value)
	}
	if s.Old != nil {
		s.Text += fmt.Sprint(" old ", *s.Old)
	}
	return string(s.Kind) + s.Text
}

// What is one number is one, and everything else is no answer.
func TestNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"scalar":             {200, success("scalar", `[1,"0.25"]`), "0.25"},
		"vector of one":      {200, success("vector", `[{"metric":{},"value":[1,"3"]}]`), "3"},
		"no data":            {200, success("vector", `[]`), "there is no data"},
		"two series":         {200, success("vector", `[{"value":[1,"3"]},{"value":[1,"4"]}]`), "it gives 2 series: make it one number, as by sum(...)"},
		"a matrix":           {200, success("matrix", `[]`), "it gives a matrix: make it one number"},
		"NaN":                {200, success("scalar", `[1,"NaN"]`), "it is no number (NaN)"},
		"infinite":           {200, success("scalar", `[1,"+Inf"]`), "it is no number (+Inf)"},
		"no quotes":          {200, success("scalar", `[1,3]`), "3 is no point"},
		"an error":           {400, `{"status":"error","error":"parse error: unexpected )"}`, "it answers 400: parse error: unexpected )"},
		"an error, with 200": {200, `{"status":"error","error":"no"}`, "its answer is none of Prometheus' API: no"},
		"not JSON":           {200, `<html>`, "its answer is none of Prometheus' API: "},
		"not there":          {404, `nothing`, "it answers 404"},
		"10 MB":              {200, success("scalar", `[1,"`+strings.Repeat("1", 10<<20)+`"]`), "its answer has more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shown(newAsker().Ask(t.Context(), query(says(t, c.status, c.body)))); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// A Prometheus is asked as its API wants it, with the token and for both versions.
func TestAsked(t *testing.T) {
	var asked []string
	q := query(serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.FormValue("query"), " ", r.Header.Get("Authorization")))
		io.WriteString(w, success("scalar", fmt.Sprintf(`[1,"%d"]`, len(asked))))
	}) + "/")
	q.Prometheus.Token, q.Old = "prom/token", "y"
	if got := shown(newAsker().Ask(t.Context(), q)); got != "1 old 2" {
		t.Error(got)
	}
	q.Prometheus.Token, q.Prometheus.User, q.Prometheus.Password, q.Old = "", "ann", "prom/token", ""
	newAsker().Ask(t.Context(), q)
	want := "POST /api/v1/query x Bearer " + token + "|POST /api/v1/query y Bearer " + token + "|POST /api/v1/query x Basic YW5uOnQwazNuLWNhbmFyeQ=="
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("asked %s\nwant  %s", got, want)
	}
	q.Prometheus.Password = "other/token"
	if got := shown(newAsker().Ask(t.Context(), q)); got != "secret shop/other: not found" || len(asked) != 3 {
		t.Error(got)
	}
}

// Nobody is led to where weft connects to nothing, and nobody waits for long.
func TestBadServers(t *testing.T) {
	redirects := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusTemporaryRedirect)
	})
	hangs := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body) // until then the server does not see that the client is gone
		<-r.Context().Done()
	})
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for want, said := range map[string]opinion.Said{
		"169.254.169.254:80 is not a public address": newAsker().Ask(t.Context(), query(redirects)),
		"context deadline exceeded":                  newAsker().Ask(soon, query(hangs)),
		"want http:// or https://":                   newAsker().Ask(t.Context(), query("file:///etc/passwd")),
		"no such key":                                newAsker().Ask(t.Context(), opinion.Ask{Wrong: "no such key"}),
	} {
		if !strings.Contains(said.Text, want) || said.Value != nil || said.At != noon {
			t.Errorf("%+v, want %s", said, want)
		}
	}
}

// A webhook gets the facts, and only three words are a verdict.
func TestWebhook(t *testing.T) {
	about := opinion.About{Namespace: "shop", Application: "reviews", Version: "v3", Old: "v2"}
	for body, want := range map[string]string{
		`{"verdict":"pass","text":"fine"}`: "passfine",
		`{"verdict":"fail","text":"bad"}`:  "failbad",
		`{"verdict":"continue"}`:           "continue",
		`{"verdict":"yes"}`:                `its verdict is "yes": want pass, fail or continue`,
		`{}`:                               `its verdict is "": want pass, fail or continue`,
		`pass`:                             "its answer is no {verdict, text}: invalid character 'p' looking for beginning of value",
	} {
		var got opinion.About
		hook := &v1alpha1.VerdictWebhook{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("X-Key") != token {
				t.Errorf("%v, %v", err, r.Header)
			}
			io.WriteString(w, body)
		}), Headers: []v1alpha1.WebhookHeader{{Name: "X-Key", SecretKey: "prom/token"}}}
		said := newAsker().Ask(t.Context(), opinion.Ask{Webhook: hook, About: about})
		if shown(said) != want || got != about {
			t.Errorf("%s: %s, want %s; it was told %+v", body, shown(said), want, got)
		}
	}
}

// A run sees opinions and points in its own namespace, whatever the question says.
func TestWorld(t *testing.T) {
	var form string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		form = r.FormValue("start") + " " + r.FormValue("end") + " " + r.FormValue("step")
		if strings.HasSuffix(r.URL.Path, "_range") {
			io.WriteString(w, success("matrix", `[{"values":[[1,"1"],[2,"NaN"]]},{"values":[[1,"3"]]}]`))
			return
		}
		io.WriteString(w, success("scalar", `[1,"1"]`))
	})
	look := func(kind string, v any) string {
		data, _ := json.Marshal(v)
		fact, err := newAsker().Observe(t.Context(), "shop", pipeline.Look{Kind: kind, Data: data})
		if err != nil {
			return err.Error()
		}
		return string(fact.Data)
	}
	q := query(url)
	q.About.Namespace, q.Prometheus.Token = "elsewhere", "prom/token"
	if got := look(pipeline.SeeOpinion, q); !strings.Contains(got, `"value":1`) {
		t.Error(got)
	}
	r := opinion.Range{Prometheus: q.Prometheus, Queries: []opinion.RangeQuery{{Query: "x", From: noon, To: noon.Add(time.Minute), Step: time.Second}}}
	if got := look(pipeline.SeeSeries, r); got != `{"points":[[1,null,3]]}` || form != "1772366400.000 1772366460.000 1" {
		t.Error(got, form)
	}
	r.Queries[0].To = noon.Add(24 * time.Hour)
	if got := look(pipeline.SeeSeries, r); !strings.Contains(got, "at most 11000 points") {
		t.Error(got)
	}
	if got := look("opinion/other", nil); !strings.Contains(got, "nobody sees") {
		t.Error(got)
	}
}
