package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// The parts of Istio's Bookinfo, so that its manifests and routes run with the
// shop's image:
//
//	productpage ─┬▶ details
//	             └▶ reviews ─▶ ratings (not by v1)
//
// As there, a part that fails leaves a page without it.

// partTime is how long productpage waits for a part; it then tries once more.
const partTime = 3 * time.Second

func bookProductpage(options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /productpage", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]json.RawMessage{
			"details": part(r, "http://details:9080/details/0"),
			"reviews": part(r, "http://reviews:9080/reviews/0"),
		}, nil)
	})
	mux.HandleFunc("GET /api/v1/products", func(w http.ResponseWriter, r *http.Request) {
		answer(w, []any{map[string]any{"id": 0, "title": "The Comedy of Errors"}}, nil)
	})
	return mux
}

// part is a piece of the page, or why it is missing.
func part(in *http.Request, url string) json.RawMessage {
	var err error
	for range 2 {
		var body json.RawMessage
		if body, err = getWithin(in, url, partTime); err == nil {
			return body
		}
	}
	return failure(err)
}

func getWithin(in *http.Request, url string, limit time.Duration) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(in.Context(), limit)
	defer cancel()
	return get(in.WithContext(ctx), url)
}

func failure(err error) json.RawMessage {
	text, _ := json.Marshal(map[string]string{"error": err.Error()}) // strings can be encoded
	return text
}

func bookDetails(opts options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /details/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"version": opts.version, "author": "William Shakespeare", "year": 1595}, nil)
	})
	return mux
}

func bookReviews(opts options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /reviews/{id}", func(w http.ResponseWriter, r *http.Request) {
		review := map[string]any{"version": opts.version, "text": "An extremely entertaining play."}
		if opts.version != "v1" {
			stars, err := get(r, "http://ratings:9080/ratings/"+r.PathValue("id"))
			if err != nil {
				stars = failure(err)
			}
			review["ratings"] = stars
		}
		answer(w, review, nil)
	})
	return mux
}

func bookRatings(opts options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ratings/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"version": opts.version, "stars": 5}, nil)
	})
	return mux
}
