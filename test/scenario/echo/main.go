// Echo is the application of the scenarios: it answers with who it is and what
// it received, and calls others when it is asked to.
//
//	GET  /...          {"app": ..., "version": ..., "method": ..., "path": ..., "headers": ..., "body": ...}
//	                   ?status=503 and ?delay=1s make it fail and wait
//	POST /_call        {"method", "url", "headers", "body", "count", "together"} -> one answer a call, through the proxy
//	ANY  /_check/...   what an external authorizer by HTTP answers; it is one by gRPC, too
//	GET  /_received    how many requests it has answered, by path
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Call is what /_call is asked.
type Call struct {
	Method, URL, Body string
	Headers           map[string]string
	Count             int
	Together          bool // all at once, not one after the other
}

// Answer is what one call brought.
type Answer struct {
	Status  int
	Body    string
	Headers map[string]string
	Error   string
	Took    time.Duration
}

type echo struct {
	app, version string
	mu           sync.Mutex
	received     map[string]int
}

func main() {
	e := &echo{app: os.Getenv("WEFT_APP"), version: os.Getenv("WEFT_VERSION"), received: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_call", e.call)
	mux.HandleFunc("GET /_received", e.counts)
	mux.HandleFunc("/_check/", e.check)
	mux.Handle("POST /envoy.service.auth.v3.Authorization/Check", newAuthorizer(e))
	mux.HandleFunc("/", e.answer)
	server := http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}

func (e *echo) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.count(r.Method + " " + r.URL.Path)
	if delay, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil {
		time.Sleep(delay)
	}
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-From", e.app+"/"+e.version)
	if status, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil {
		w.WriteHeader(status)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"app": e.app, "version": e.version, "method": r.Method, "path": r.URL.Path, "headers": headers, "body": string(body),
	})
}

func (e *echo) count(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.received[what]++
}

func (e *echo) counts(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = json.NewEncoder(w).Encode(e.received)
}

func (e *echo) call(w http.ResponseWriter, r *http.Request) {
	var call Call
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answers := make([]Answer, max(call.Count, 1))
	var running sync.WaitGroup
	for i := range answers {
		if running.Go(func() { answers[i] = once(call) }); !call.Together {
			running.Wait()
		}
	}
	running.Wait()
	_ = json.NewEncoder(w).Encode(answers)
}

func once(call Call) Answer {
	request, err := http.NewRequest(call.Method, call.URL, strings.NewReader(call.Body))
	if err != nil {
		return Answer{Error: err.Error()}
	}
	for name, value := range call.Headers {
		request.Header.Set(name, value)
	}
	request.Host = cmp.Or(call.Headers["Host"], request.Host)
	client := clients[request.URL.Scheme]
	if client == nil {
		return Answer{Error: "no client for " + call.URL}
	}
	request.URL.Scheme = "http"
	start := time.Now()
	response, err := client.Do(request)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		return Answer{Status: refused.status, Body: refused.body, Took: time.Since(start)}
	}
	if err != nil {
		return Answer{Error: err.Error(), Took: time.Since(start)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	answer := Answer{Status: response.StatusCode, Body: string(body), Headers: map[string]string{}, Took: time.Since(start)}
	if err != nil {
		answer.Error = err.Error()
	}
	for name, values := range response.Header {
		answer.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return answer
}
