package dial

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestNoRedirectOutOfTLS(t *testing.T) {
	to := func(uri string) *http.Request { return httptest.NewRequest("GET", uri, nil) }
	if mayFollow(to("http://a/"), []*http.Request{to("https://a/")}) == nil {
		t.Error("a redirect from https:// to http:// is followed")
	}
	if err := mayFollow(to("https://a/"), []*http.Request{to("http://a/")}); err != nil {
		t.Errorf("into TLS: %v", err)
	}
}
