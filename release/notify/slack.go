package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// SlackAPI is where Slack's methods are.
const SlackAPI = "https://slack.com/api"

// Slack sends messages of an app, and edits them.
type Slack struct {
	Client         *http.Client
	API            string // SlackAPI
	Channel, Token string
}

// Edits is true.
func (Slack) Edits() bool { return true }

// handleOf is CHANNEL/TIME of a message: Slack edits by the channel's id.
func handleOf(channel, at string) string { return channel + "/" + at }

// Send posts, or edits.
func (s Slack) Send(ctx context.Context, m Message, handle string) (string, error) {
	body := map[string]any{"channel": s.Channel, "text": m.head(), "blocks": slackBlocks(m)}
	method := "chat.postMessage"
	if channel, at, edits := strings.Cut(handle, "/"); edits {
		method, body["channel"], body["ts"] = "chat.update", channel, at
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.API, "/")+"/"+method, bytes.NewReader(text))
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrRefused, err)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Authorization", "Bearer "+s.Token)
	answer, err := post(s.Client, request)
	if err != nil {
		return "", err
	}
	return slackAnswer(method, answer)
}

// slackMayPass are errors of Slack that end by themselves.
var slackMayPass = []string{"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}

func slackAnswer(method string, answer []byte) (string, error) {
	var said struct {
		OK          bool
		Error       string
		Channel, TS string
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return "", fmt.Errorf("slack: %s: %w", method, err)
	}
	switch {
	case said.OK:
		return handleOf(said.Channel, said.TS), nil
	case slices.Contains(slackMayPass, said.Error):
		return "", fmt.Errorf("slack: %s: %s", method, said.Error)
	}
	return "", fmt.Errorf("%w: slack: %s: %s", ErrRefused, method, said.Error)
}

// Slack's limits.
const (
	slackText    = 3000 // of a section
	slackLabel   = 75   // of a button
	slackButtons = 25
)

func slackBlocks(m Message) []any {
	section := func(text string) any {
		return map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": slackEscape(text, slackText)}}
	}
	blocks := []any{section("*" + m.head() + "*")}
	if body := m.body(); body != "" {
		blocks = append(blocks, section(body))
	}
	var buttons []any
	for i, c := range m.Choose[:min(len(m.Choose), slackButtons)] {
		button := map[string]any{
			"type": "button", "action_id": fmt.Sprintf("choose-%d", i), "value": c.Value,
			"text": map[string]any{"type": "plain_text", "text": clip(c.Label, slackLabel)},
		}
		if c.Stop {
			button["style"] = "danger"
		}
		buttons = append(buttons, button)
	}
	if len(buttons) > 0 {
		blocks = append(blocks, map[string]any{"type": "actions", "elements": buttons})
	}
	return blocks
}

// slackEscape is text that Slack shows as it is, without mentions and links.
func slackEscape(text string, limit int) string {
	return clip(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clip(text, limit)), limit)
}

// clip is a text of at most so many runes.
func clip(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

// Whisper answers the one who pressed a button, at the address that Slack gave for it.
func Whisper(ctx context.Context, client *http.Client, to, text string) error {
	body, err := json.Marshal(map[string]any{"response_type": "ephemeral", "replace_original": false, "text": slackEscape(text, slackText)})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: slack: the address for answers is none", ErrRefused)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	_, err = post(client, request)
	return err
}
