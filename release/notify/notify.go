// Package notify sends messages to people: by Slack, mail, SNS, Teams or a webhook.
//
// Input: a Message, how it goes, and what was returned for the one before about the
// same thing. Output: a handle, with which the next one edits the message, or joins
// its thread, where the way can. It must not know what a message is about.
package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Message is what people are told of one thing, as it stands now.
type Message struct {
	About string `json:"about"` // the thing, unique for ever; the same in each message about it
	State string `json:"state"` // "started", "asking", "succeeded", "failed"
	// Occasion of this message, the same only where it is sent again.
	Occasion string   `json:"occasion"`
	Title    string   `json:"title"` // "reviews v3: released"
	Text     string   `json:"text,omitempty"`
	Lines    []string `json:"lines,omitempty"` // its parts, a line each
	Choose   []Choice `json:"choose,omitempty"`
}

// Choice is a button of a message that asks, where the way has buttons.
type Choice struct {
	Label string `json:"label"`
	Value string `json:"value"` // what comes back, at most 2,000 bytes
	Stop  bool   `json:"stop,omitempty"`
}

// Way is one way to send messages.
type Way interface {
	// Send sends a message, instead of or after the one that handle is of; "": it is the first about this
	// thing. An error that wraps ErrRefused: the same one would be refused again.
	Send(ctx context.Context, m Message, handle string) (string, error)
	// Edits reports whether a later message takes the place of the one before.
	Edits() bool
}

// ErrRefused is wrapped by errors that only a person can mend.
var ErrRefused = errors.New("refused")

// Dialer connects, as net.Dialer does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// sendTime bounds one message.
const sendTime = 30 * time.Second

// NewClient is a client for all ways that speak HTTP. A redirect is not followed:
// what is sent has secrets in it.
func NewClient(connect Dialer) *http.Client {
	return &http.Client{
		Timeout:       sendTime,
		Transport:     &http.Transport{DialContext: connect, ForceAttemptHTTP2: true, MaxIdleConns: 20, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxAnswer that is read of an answer.
const maxAnswer = 64 << 10

// post sends a request, and returns the answer of one that was taken.
func post(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, hidden(request.Host, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch status := response.StatusCode; {
	case err != nil:
		return nil, hidden(request.Host, err)
	case status/100 == 2:
		return answer, nil
	case status/100 == 5 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return nil, fmt.Errorf("%s answers %d", request.Host, status)
	default:
		return nil, fmt.Errorf("%w: %s answers %d: %s", ErrRefused, request.Host, status, firstLine(answer))
	}
}

// hidden is an error without the address, which may be a secret.
func hidden(host string, err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner // of an url.Error
	}
	return fmt.Errorf("%s: %w", host, err)
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line[:min(len(line), 200)]
}

// marks of a state, for eyes.
var marks = map[string]string{"started": "▸", "asking": "?", "succeeded": "✓", "failed": "✗"}

// head is the first line of a message.
func (m Message) head() string { return strings.TrimSpace(marks[m.State] + " " + m.Title) }

// body is all after the head.
func (m Message) body() string {
	lines := m.Lines
	if m.Text != "" {
		lines = append([]string{m.Text}, lines...)
	}
	return strings.Join(lines, "\n")
}
