package ui

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"weft.dev/test/process"
)

// entry is what people sign in by: the server's own door, behind something that ends TLS and has other things at other paths.
type entry struct {
	issuer *issuer
	front  *httptest.Server
	url    string // that people open
	flags  []string
}

func newEntry(dir string) (*entry, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	door := &url.URL{Scheme: "http", Host: process.Loopback(port)}
	front := httptest.NewTLSServer(http.StripPrefix("/mesh", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(door) }, FlushInterval: -1}))
	e := &entry{front: front, url: front.URL + "/mesh"}
	if e.issuer, err = newIssuer(); err != nil {
		return nil, err
	}
	ca, secret, err := e.issuer.files(dir)
	e.flags = []string{
		"--ui", door.Host, "--ui-url", e.url,
		"--oidc-issuer", e.issuer.URL, "--oidc-client", clientID, "--oidc-secret", secret, "--oidc-ca", ca,
	}
	return e, err
}

// browse is a browser without pages.
func (e *entry) browse(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	check(t, err)
	client := e.front.Client()
	return &http.Client{Jar: jar, Transport: client.Transport}
}

// asks sends a request as a page of an origin does, and returns what came.
func asks(t *testing.T, client *http.Client, method, at, body, origin string) (status int, said string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	check(t, err)
	if origin != "" {
		q.Header.Set("Origin", origin)
	}
	answer, err := client.Do(q)
	check(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(t, err)
	return answer.StatusCode, string(text)
}

func token(t *testing.T, args ...string) string {
	t.Helper()
	out, err := server.Command(append([]string{"user", "token"}, args...)...).Output()
	check(t, err)
	return strings.TrimSpace(string(out))
}

func signInBody(t *testing.T, token string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"token": token})
	check(t, err)
	return string(text)
}

// Who signs in by a token is that person and nobody else, until they sign out.
func TestSignInByToken(t *testing.T) {
	api, bob := door.url+"/weft/v1/", door.browse(t)
	own := token(t, "bob", "--group", "dev")
	for what, wrong := range map[string]string{
		"another signature": own[:len(own)-2] + "AA",
		"another name":      strings.Replace(own, own[:20], "weft-eyJuYW1lIjoiYW4i", 1),
		"one that ended":    token(t, "bob", "--ttl", "1ns"),
		"no token":          "admin",
	} {
		if status, said := asks(t, bob, "POST", api+"session", signInBody(t, wrong), ""); status != 401 || !strings.Contains(said, "weft user token") {
			t.Errorf("%s: %d %s", what, status, said)
		}
	}
	if status, _ := asks(t, bob, "GET", api+"settings", "", ""); status != 401 {
		t.Errorf("before: %d", status)
	}
	if status, said := asks(t, bob, "POST", api+"session", signInBody(t, own), "https://evil.example"); status != 403 {
		t.Errorf("a page of elsewhere signs in: %d %s", status, said)
	}
	if status, said := asks(t, bob, "POST", api+"session", signInBody(t, own), door.front.URL); status != 200 {
		t.Fatalf("sign in: %d %s", status, said)
	}
	at, err := url.Parse(api)
	check(t, err)
	cookies := bob.Jar.Cookies(at)
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	_, me := asks(t, bob, "GET", api+"settings", "", "")
	if !strings.Contains(me, `"name":"bob","groups":["dev"],"administrator":false`) {
		t.Errorf("bob is %s", me)
	}
	for what, c := range map[string]struct {
		method, path, origin string
		want                 int
	}{
		"a page of ours, to do what bob may not": {"POST", "freezes", door.front.URL, 403},
		"a page of elsewhere":                    {"POST", "freezes", "https://evil.example", 403},
		"what no page asks for":                  {"POST", "tokens", door.front.URL, 405},
		"past the pages":                         {"GET", "../../api/v1/secrets", "", 404},
	} {
		if status, said := asks(t, bob, c.method, api+c.path, `{"reason":"why not"}`, c.origin); status != c.want {
			t.Errorf("%s: %d %s, want %d", what, status, said, c.want)
		}
	}
	if status, _ := asks(t, bob, "DELETE", api+"session", "", "https://evil.example"); status != 403 {
		t.Errorf("a page of elsewhere signs bob out: %d", status)
	}
	if status, _ := asks(t, bob, "DELETE", api+"session", "", door.front.URL); status != 200 {
		t.Errorf("sign out: %d", status)
	}
	bob.Jar.SetCookies(at, cookies) // kept by somebody
	if status, _ := asks(t, bob, "GET", api+"settings", "", ""); status != 401 {
		t.Errorf("afterwards: %d", status)
	}
}

// The cookie is for this server's requests alone, and no script reads it.
func TestSessionCookie(t *testing.T) {
	body := signInBody(t, token(t, "bob"))
	q, err := http.NewRequestWithContext(t.Context(), "POST", door.url+"/weft/v1/session", bytes.NewReader([]byte(body)))
	check(t, err)
	answer, err := door.browse(t).Do(q)
	check(t, err)
	answer.Body.Close()
	all := answer.Cookies()
	if len(all) != 1 || !all[0].HttpOnly || !all[0].Secure || all[0].SameSite != http.SameSiteStrictMode || all[0].Path != "/mesh/" || all[0].Domain != "" || all[0].Expires.IsZero() {
		t.Errorf("%v", all)
	}
}

// Who comes from the provider is who it says, with the groups that it says but those that are the server's own.
func TestSignInByProvider(t *testing.T) {
	api := door.url + "/weft/v1/"
	ann := door.browse(t)
	if status, said := asks(t, ann, "GET", api+"signin", "", ""); status != 200 || !strings.Contains(said, "<title>") {
		t.Fatalf("sign in: %d %s", status, said)
	}
	if _, me := asks(t, ann, "GET", api+"settings", "", ""); !strings.Contains(me, `"name":"ann@example.com","groups":["dev"],"administrator":false`) {
		t.Errorf("ann is %s", me)
	}
	for what, c := range map[string]struct {
		claims map[string]any
		why    string
	}{
		"of another sign-in":      {map[string]any{"nonce": "another"}, "of another sign-in"},
		"of another client":       {map[string]any{"aud": "another"}, "audience"},
		"of another issuer":       {map[string]any{"iss": "https://evil.example"}, "another issuer"},
		"that has ended":          {map[string]any{"exp": 1}, "expired"},
		"of an address of nobody": {map[string]any{"email_verified": false}, "not verified"},
		"of a name of the server": {map[string]any{"email": "system:apiserver"}, "the server's own"},
		"of the administrator":    {map[string]any{"email": "admin"}, "the server's own"},
	} {
		door.issuer.say(c.claims)
		nobody := door.browse(t)
		if status, said := asks(t, nobody, "GET", api+"signin", "", ""); status != 403 || !strings.Contains(said, c.why) {
			t.Errorf("%s: %d %s, want %s", what, status, said, c.why)
		}
		if status, _ := asks(t, nobody, "GET", api+"settings", "", ""); status != 401 {
			t.Errorf("%s is let in: %d", what, status)
		}
	}
	door.issuer.say(nil)
	// A link with somebody else's code signs nobody in: the browser did not begin it.
	if status, said := asks(t, door.browse(t), "GET", api+"signin/done?code=theirs&state=theirs", "", ""); status != 403 || !strings.Contains(said, "not this browser") {
		t.Errorf("a link of elsewhere: %d %s", status, said)
	}
}

// What a person sees of it.
func TestSignInPages(t *testing.T) {
	t.Setenv("WEFT_TOKEN", token(t, "bob", "--group", "dev"))
	look(t, "signin.test.mjs", door.url+"/weft/ui/")
}
