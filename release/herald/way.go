package herald

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/notify"
	"weft.dev/release/secret"
)

// wayOf makes the way that a notification of a namespace says.
type wayOf func(ctx context.Context, namespace string, n v1alpha1.Notification) (notify.Way, error)

// ways makes ways of what notifications say.
type ways struct {
	client  *http.Client
	connect notify.Dialer
	secrets secret.Secrets
	now     func() time.Time
}

func newWays(o Options) ways {
	return ways{notify.NewClient(o.Connect), o.Connect, o.Secrets, o.Now}
}

func (w ways) of(ctx context.Context, namespace string, n v1alpha1.Notification) (notify.Way, error) {
	switch {
	case n.Slack != nil:
		token, err := w.key(ctx, namespace, n.Slack.TokenKey)
		return notify.Slack{Client: w.client, API: cmp.Or(n.Slack.URL, notify.SlackAPI), Channel: n.Slack.Channel, Token: token}, err
	case n.Teams != nil:
		to, err := w.key(ctx, namespace, n.Teams.URLKey)
		return notify.Teams{Client: w.client, URL: to}, err
	case n.Webhook != nil:
		secret, err := w.key(ctx, namespace, n.Webhook.SecretKey)
		return notify.Webhook{Client: w.client, URL: n.Webhook.URL, Secret: secret}, err
	case n.SNS != nil:
		values, err := w.values(ctx, namespace, n.SNS.Secret)
		return notify.SNS{
			Client: w.client, Topic: n.SNS.Topic, URL: n.SNS.URL, Now: w.now,
			Credentials: notify.Credentials{ID: values["accessKeyId"], Secret: values["secretAccessKey"], Session: values["sessionToken"]},
		}, err
	case n.Mail != nil:
		values, err := w.values(ctx, namespace, n.Mail.Secret)
		return notify.Mail{
			Connect: w.connect, Server: n.Mail.Server, From: n.Mail.From, To: n.Mail.To, Now: w.now,
			Username: values["username"], Password: values["password"],
		}, err
	}
	return nil, fmt.Errorf("it has no way that is known here")
}

// key is a value of NAME/KEY; of "" it is "".
func (w ways) key(ctx context.Context, namespace, where string) (string, error) {
	if where == "" {
		return "", nil
	}
	value, err := secret.Value(ctx, w.secrets, namespace, where)
	if err == nil && value == "" {
		err = fmt.Errorf("secret %s/%s is empty", namespace, where)
	}
	return value, err
}

// values of a Secret; of "" there are none.
func (w ways) values(ctx context.Context, namespace, name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	return secret.Values(ctx, w.secrets, namespace, name)
}
