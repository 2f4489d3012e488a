package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra"
	authv1 "k8s.io/api/authentication/v1"
)

// An API server that is asked who somebody is says so; one that writes names itself does not know the question.
func TestSignature(t *testing.T) {
	for _, test := range []struct {
		status int
		by     string
		groups []string
		fails  bool
	}{
		{http.StatusCreated, "bob", []string{"qa", "system:masters"}, false},
		{http.StatusForbidden, "", nil, false},
		{http.StatusNotFound, "", nil, false},
		{http.StatusInternalServerError, "", nil, true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(test.status)
			if test.status == http.StatusCreated {
				review := authv1.SelfSubjectReview{Status: authv1.SelfSubjectReviewStatus{UserInfo: authv1.UserInfo{
					Username: "bob", Groups: []string{"qa", "system:masters", "system:authenticated", "system:serviceaccounts:shop"},
				}}}
				review.APIVersion, review.Kind = "authentication.k8s.io/v1", "SelfSubjectReview"
				_ = printJSON(w, review)
			}
		}))
		defer server.Close()
		path := filepath.Join(t.TempDir(), "config")
		text := `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "` + server.URL + `"}}]}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &cobra.Command{}
		c.Flags().String("kubeconfig", path, "")
		c.SetContext(t.Context())
		got, err := signature(c)
		if (err != nil) != test.fails || got.By != test.by || !slices.Equal(got.Groups, test.groups) {
			t.Errorf("%d: %+v, %v", test.status, got, err)
		}
	}
}
