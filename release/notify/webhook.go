package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
)

// Webhook posts messages as JSON. Its receiver knows repeated ones by their Idempotency-Key.
type Webhook struct {
	Client *http.Client
	URL    string
	Secret string // signs the body; "": nothing does
}

// Edits is false.
func (Webhook) Edits() bool { return false }

// Send posts.
func (w Webhook) Send(ctx context.Context, m Message, _ string) (string, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%w: the webhook's url is none", ErrRefused)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", m.About+"/"+m.Occasion)
	if w.Secret != "" {
		request.Header.Set("X-Weft-Signature", "sha256="+Sign(w.Secret, body))
	}
	_, err = post(w.Client, request)
	return "sent", err
}

// Sign is the HMAC of a body, in hex.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Teams posts cards to a workflow. A card cannot be edited by it.
type Teams struct {
	Client *http.Client
	URL    string
}

// Edits is false.
func (Teams) Edits() bool { return false }

// Send posts a card.
func (t Teams) Send(ctx context.Context, m Message, _ string) (string, error) {
	block := func(text string, more map[string]any) map[string]any {
		b := map[string]any{"type": "TextBlock", "text": text, "wrap": true}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	parts := []any{block(m.head(), map[string]any{"weight": "Bolder", "size": "Medium"})}
	if m.Text != "" {
		parts = append(parts, block(m.Text, nil))
	}
	for _, line := range m.Lines {
		parts = append(parts, block(line, map[string]any{"spacing": "None", "isSubtle": true}))
	}
	body, err := json.Marshal(map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content":     map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": parts},
	}}})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%w: the workflow's url is none", ErrRefused)
	}
	request.Header.Set("Content-Type", "application/json")
	_, err = post(t.Client, request)
	return "sent", err
}
