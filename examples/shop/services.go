package main

import (
	"encoding/json"
	"net/http"
	"sync"
)

func frontend(opts options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page := map[string]json.RawMessage{}
		for part, url := range map[string]string{
			"catalog":         "http://catalog:9080/products",
			"reviews":         "http://reviews:9080/reviews/1",
			"recommendations": "http://recommendations:9080/for/you",
		} {
			body, err := get(r, url)
			if err != nil {
				answer(w, nil, err)
				return
			}
			page[part] = body
		}
		answer(w, page, nil)
	})
	mux.HandleFunc("GET /reviews", func(w http.ResponseWriter, r *http.Request) {
		body, err := get(r, "http://reviews:9080/reviews/1")
		answer(w, body, err)
	})
	return mux
}

func catalog(opts options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", func(w http.ResponseWriter, r *http.Request) {
		price, err := get(r, "http://pricing:9080/price/1")
		if err != nil {
			answer(w, nil, err)
			return
		}
		answer(w, map[string]any{"version": opts.version, "products": []any{
			map[string]any{"id": 1, "title": "The Comedy of Errors", "price": price},
		}}, nil)
	})
	return mux
}

func pricing(options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /price/{id}", func(w http.ResponseWriter, r *http.Request) {
		rate, err := get(r, "http://rates.example.com/eur")
		answer(w, map[string]any{"amount": 12, "currency": "EUR", "rate": rate}, err)
	})
	return mux
}

// rates stands for somebody else's API: it runs outside of the mesh.
func rates(options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /eur", func(w http.ResponseWriter, r *http.Request) { answer(w, 1.0, nil) })
	return mux
}

func reviews(opts options) http.Handler {
	mux := http.NewServeMux()
	stars := newRatings()
	mux.HandleFunc("GET /reviews/{id}", func(w http.ResponseWriter, r *http.Request) {
		review := map[string]any{"version": opts.version, "text": "An extremely entertaining play."}
		if opts.version != "v1" {
			n, err := stars.of(r, r.PathValue("id"))
			if err != nil {
				answer(w, nil, err)
				return
			}
			review["stars"] = n
		}
		answer(w, review, nil)
	})
	return mux
}

func recommendations(options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /for/{user}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, []string{"Twelfth Night", "As You Like It"}, nil)
	})
	return mux
}

func cart(options) http.Handler {
	var mu sync.Mutex
	items := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answer(w, map[string]int{"items": items}, nil)
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		items++
		answer(w, map[string]int{"items": items}, nil)
	})
	return mux
}
