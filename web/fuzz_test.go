package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"weft.dev/explain"
	"weft.dev/metrics"
	"weft.dev/model"
)

// Whatever is asked, the answer is JSON, and a question that cannot be meant is
// the asker's fault.
func FuzzHandler(f *testing.F) {
	serving := make(chan struct{})
	close(serving)
	f.Add("10s", "x-a: 1", "http://a/b", `{"ttl":"1m"}`)
	f.Add("-1s", "x-a", "://", `{"ttl":1}`)
	f.Add("1e9h", ":", "http://%zz/", `{"other":1}`)
	f.Add("NaN", "a:\x00", "http://a/\xff", `[[[[`)
	f.Add("5m1ns", "é: ü", "http://[::1", `{}{}`)
	f.Fuzz(func(t *testing.T, window, header, address, body string) {
		h := Handler(Mesh{
			Serving: serving,
			Edges: func(asked time.Duration) []metrics.Edge {
				if asked <= 0 || asked > metrics.Window {
					t.Errorf("window %q is %v", window, asked)
				}
				return nil
			},
			Services: func() []model.Service { return nil },
			Replicas: func() []model.Replicas { return nil },
			Splits:   func() []model.Split { return nil },
			Plain:    func([]string) map[string]bool { return nil },
			Problems: func() []model.Problem { return nil },
			Releases: func() []Release { return nil },
			Runs:     func() []Run { return nil },
			Explain: func(proxy string, r explain.Request) (explain.Trace, error) {
				return explain.Trace{Proxy: proxy}, r.Check()
			},
			Token:   func(TokenRequest) (TokenReply, error) { return TokenReply{}, nil },
			Preview: func(context.Context, PreviewRequest) (PreviewReply, error) { return PreviewReply{}, nil },
		})
		query := url.Values{"window": {window}, "header": {header}, "url": {address}, "proxy": {"a"}, "search": {header}, "limit": {body}}.Encode()
		for _, q := range []*http.Request{
			httptest.NewRequest("GET", Prefix+"edges?"+query, nil),
			httptest.NewRequest("GET", Prefix+"explain?"+query, nil),
			httptest.NewRequest("GET", Prefix+"services?"+query, nil),
			httptest.NewRequest("GET", Prefix+"releases?"+query, nil),
			httptest.NewRequest("POST", Prefix+"tokens", strings.NewReader(body)),
			httptest.NewRequest("POST", Prefix+"previews", strings.NewReader(body)),
		} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			answer, _ := io.ReadAll(w.Body)
			if (w.Code != 200 && w.Code != 400 && w.Code != 404) || !json.Valid(answer) || len(answer) > 10*(len(query)+len(body))+1000 {
				t.Errorf("%s: %d %s", q.URL.Path, w.Code, answer)
			}
		}
	})
}
