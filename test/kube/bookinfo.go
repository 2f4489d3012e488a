package kube

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// samples is where Istio's samples are: $WEFT_SAMPLES, else beside the project.
func samples() string { return cmp.Or(os.Getenv("WEFT_SAMPLES"), "../../../shared/samples") }

// Sample is a file of Bookinfo, with images that node/images.sh makes in place of its own.
func Sample(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samples(), "bookinfo", path))
	if err != nil {
		t.Fatalf("Bookinfo's manifests are needed; set WEFT_SAMPLES to the folder that has bookinfo/ (Istio's samples/): %v", err)
	}
	return itsImage.ReplaceAllString(string(text), "image: bookinfo-$1:"+os.Getenv("IMAGE_TAG"))
}

var itsImage = regexp.MustCompile(`image: \S*/examples-bookinfo-([a-z]+-v\d+):\S+`)

// Page is what productpage answers. A part that it did not get has an error.
type Page struct {
	Details struct{ Version, Error string }
	Reviews struct {
		Version, Error string
		Ratings        struct {
			Version, Error string
			Stars          int
		}
	}
}

// whole: no part is missing, and stars are there unless reviews is of v1, which has none.
func (p Page) whole() bool {
	return p.Details.Version != "" && p.Reviews.Version != "" && (p.Reviews.Ratings.Stars > 0) == (p.Reviews.Version != "v1")
}

var client = &http.Client{
	Timeout:   30 * time.Second,                         // productpage itself gives up before
	Transport: &http.Transport{DisableKeepAlives: true}, // each request may meet another pod
}

// Productpage asks for the page as a user; "" is nobody.
func Productpage(url, user string) (Page, error) {
	var page Page
	request, err := http.NewRequest(http.MethodGet, url+"/productpage", nil)
	if err != nil {
		return page, err
	}
	if user != "" {
		request.Header.Set("End-User", user)
	}
	response, err := client.Do(request)
	if err != nil {
		return page, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return page, fmt.Errorf("GET %s: %s", request.URL, response.Status)
	}
	return page, json.NewDecoder(response.Body).Decode(&page)
}
