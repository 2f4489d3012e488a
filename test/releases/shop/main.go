// Shop is the application of the releases, and who calls it.
//
//	shop              answers with who it is; a version whose name begins with "bad" fails every fifth
//	                  request, one whose name begins with "rare" all for /rare
//	shop call APP...  calls each application 60 times a second through its proxy, twice of that /rare, and tells at GET / what came back
//	                  since a POST to it
//
// It listens at $LISTEN, or on loopback at $PORT.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	handler := http.Handler(answers())
	if len(os.Args) > 1 {
		handler = calls(os.Args[2:])
	}
	log.Fatal(http.ListenAndServe(cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:"+os.Getenv("PORT")), handler))
}

func answers() http.HandlerFunc {
	from := os.Getenv("WEFT_APP") + "/" + os.Getenv("WEFT_VERSION")
	bad, rare := strings.HasPrefix(os.Getenv("WEFT_VERSION"), "bad"), strings.HasPrefix(os.Getenv("WEFT_VERSION"), "rare")
	var count atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", from)
		if count.Add(1)%5 == 0 && bad || r.URL.Path == "/rare" && rare {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

// Tally is what came back from one application.
type Tally struct {
	Sent   int
	Own    int      // failures of the application itself
	Failed int      // all others
	Why    []string // of the first of them
}

// tallies are one for each application.
type tallies struct {
	mu  sync.Mutex
	all map[string]*Tally
}

const (
	rate     = 60 // requests a second to each application
	rareRate = 2  // of them for /rare
	maxWhy   = 20
)

func calls(apps []string) http.HandlerFunc {
	t := &tallies{all: map[string]*Tally{}}
	for _, app := range apps {
		t.all[app] = &Tally{}
		go func() {
			sent := 0
			for range time.Tick(time.Second / rate) {
				path := "/"
				if sent++; sent%(rate/rareRate) == 0 {
					path = "/rare"
				}
				go t.call(app, path)
			}
		}()
	}
	return func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, one := range t.all {
			if r.Method == http.MethodPost {
				*one = Tally{}
			}
		}
		_ = json.NewEncoder(w).Encode(t.all)
	}
}

var client = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 100}}

func (t *tallies) call(app, path string) {
	begun := time.Now()
	response, err := client.Get("http://" + app + ":9080" + path)
	why, own := "", false
	if err == nil {
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode >= http.StatusInternalServerError {
			own = response.Header.Get("X-From") != ""
			why = fmt.Sprintf("%s %s", response.Status, body)
		}
	} else {
		why = err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.all[app]
	one.Sent++
	switch {
	case own:
		one.Own++
	case why != "":
		if one.Failed++; len(one.Why) < maxWhy {
			one.Why = append(one.Why, fmt.Sprintf("%s after %s: %s", begun.UTC().Format("15:04:05.000"), time.Since(begun).Round(time.Millisecond), why))
		}
	}
}
