package herald

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/notify"
)

const (
	// toldAnnotation says who was told what: JSON, a note by the notification's name.
	toldAnnotation = "weft.dev/told"
	// owner is who changes objects, for the API server.
	owner = "weft-herald"
	// editEvery is how often a message is edited: Slack takes one a second.
	editEvery = 3 * time.Second
	// oldNews is how long ago something may have ended of which nobody was told: what was before
	// people wanted to be told is no news.
	oldNews = 10 * time.Minute
)

// note is what one notification was told last.
type note struct {
	Occasion string    `json:"occasion"`
	Digest   string    `json:"digest"`
	Handle   string    `json:"handle,omitempty"`
	At       time.Time `json:"at"`
	Refused  string    `json:"refused,omitempty"` // why it was not taken
}

// step tells those who have not been told how an object stands.
func (t *teller[T]) step(ctx context.Context, k loop.Key) (time.Time, error) {
	o, err := t.all.Get(ctx, k.Namespace, k.Name)
	if apierrors.IsNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	s, err := t.subject(ctx, o)
	if err != nil {
		return time.Time{}, err
	}
	told := notes(s.meta.GetAnnotations()[toldAnnotation])
	if s.final && len(told) == 0 && t.Now().Sub(s.ended) > oldNews {
		return time.Time{}, nil
	}
	return t.tell(ctx, k, s, told)
}

// tell tells everybody, whoever else cannot be told.
func (t *teller[T]) tell(ctx context.Context, k loop.Key, s subject, told map[string]note) (wake time.Time, failed error) {
	for _, n := range s.who {
		next, later, err := t.one(ctx, k.Namespace, n, s.message, told[n.Name])
		switch {
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("notification %s: %w", n.Name, err))
		case !later.IsZero() && (wake.IsZero() || later.Before(wake)):
			wake = later
		case next != told[n.Name]:
			told[n.Name] = next
			if err := t.write(ctx, k, told); err != nil {
				return wake, errors.Join(failed, err)
			}
		}
	}
	return wake, failed
}

// one tells one, if there is news for it; later: not before then.
func (t *teller[T]) one(ctx context.Context, namespace string, n v1alpha1.Notification, m notify.Message, last note) (next note, later time.Time, err error) {
	digest := digestOf(m)
	if m.State == "" || last.Digest == digest {
		return last, later, nil
	}
	way, err := t.way(ctx, namespace, n)
	if err != nil {
		return last, later, err
	}
	edits := way.Edits() && last.Handle != ""
	wanted := (len(n.Moments) == 0 || slices.Contains(n.Moments, v1alpha1.Moment(m.State))) &&
		(m.State != string(v1alpha1.MomentStarted) || last.Occasion == "") // after an answer it goes on: no news
	switch again := last.At.Add(editEvery); {
	case !edits && (!wanted || last.Occasion == m.Occasion):
		return last, later, nil
	case edits && last.Occasion == m.Occasion && t.Now().Before(again):
		return last, again, nil
	}
	next = note{Occasion: m.Occasion, Digest: digest, At: t.Now(), Handle: last.Handle}
	handle, err := way.Send(ctx, m, last.Handle)
	if errors.Is(err, notify.ErrRefused) {
		t.Log.Warn("people are not told", "notification", n.Name, "of", m.Title, "why", err)
		next.Refused = err.Error()
		return next, later, nil
	}
	if err != nil {
		return last, later, err
	}
	next.Handle = handle
	return next, later, nil
}

func (t *teller[T]) write(ctx context.Context, k loop.Key, told map[string]note) error {
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{toldAnnotation: string(text)}}})
	if err != nil {
		return err
	}
	_, err = t.all.Patch(ctx, owner, k.Namespace, k.Name, patch)
	if apierrors.IsNotFound(err) {
		return nil // it is deleted, and its messages stay as they are
	}
	return err
}

// notes of an annotation; what cannot be read is as if there were none.
func notes(text string) map[string]note {
	told := map[string]note{}
	if text != "" && json.Unmarshal([]byte(text), &told) != nil {
		return map[string]note{}
	}
	return told
}

func digestOf(m notify.Message) string {
	text, err := json.Marshal(m)
	if err != nil {
		panic("herald: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
